"""`countermand demo`: a real bad release, watched, decided, rolled back and proved on this machine."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from countermand.cli import environment
from countermand.cli.client import answer, unreachable
from countermand.cli.demo_display import Display, print_events
from countermand.cli.demo_proof import Evidence, Proof, proofs
from countermand.cli.demo_story import Event, Story, tell
from countermand.cli.environment import Place
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import JsonObject, say
from countermand.cli.processes import Supervisor, answers, free_port
from countermand.ledger.record import Record, parse_line
from countermand.playbook.load import parse

RELEASE = "support-assistant-v7"
SERVICE = "support-assistant"
_MARKER = ".countermand-demo"
_REGISTRAR = "local|lena"
_APPROVERS = {
    "local|maria": "The evidence is clear and the plan is small; I read both.",
    "local|jonas": "Our users get wrong answers; the old version is healthy.",
}
_HEALTHY_SECONDS = 15.0
_AUTO_SECONDS = 230.0
_PAUSE = 0.3
_PAGE = 500


class Demo:
    """One run. `auto`: both approvers are played through the public API, every step is proved, then it ends."""

    def __init__(self, *, auto: bool, data: Path | None) -> None:
        self._auto = auto
        self._place = Place.choose(data, ".countermand/demo")
        self._service_port = free_port(8890)
        self._display = Display()
        self._supervisor = Supervisor(self._display.note)
        self._records: list[Record] = []
        self._went_bad: datetime | None = None

    async def run(self) -> None:
        """Until it is over (`auto`), or until cancelled. Raises Failure."""
        import httpx

        with environment.locked(self._place.data):
            try:
                _empty(self._place.data)
                async with httpx.AsyncClient(trust_env=False, timeout=20) as self._client:
                    await self._play()
            except httpx.TransportError as error:
                raise unreachable(self._place.console_url, error) from None
            finally:
                self._display.close()
                await self._supervisor.stop()

    async def _play(self) -> None:
        passwords = await self._start()
        deadline = asyncio.timeout(_AUTO_SECONDS if self._auto else None)
        try:
            async with deadline:
                self._lena = await self._sign_in(_REGISTRAR, passwords)
                await self._register()
                await self._show_healthy()
                await self._follow(passwords)
        except TimeoutError:
            late = next((event.label for event in self._display.events if event.ended is None), "the end")
            raise Failure(
                Exit.failed, f"not within {_AUTO_SECONDS:.0f} s: {late}", next=f"see {self._place.data / 'logs'}"
            ) from None
        if self._auto:
            await self._prove()
        else:
            self._display.close()
            say("", *self._worth_a_look(), "", "Everything keeps running until Ctrl-C.")
            await asyncio.Event().wait()

    # --- starting ---------------------------------------------------------------------------------------------

    async def _start(self) -> dict[str, str]:
        place, display, supervisor = self._place, self._display, self._supervisor
        display.begin("environment")
        read, write = (secrets.token_urlsafe(24) for _ in range(2))
        passwords = await environment.prepare(place)
        self._write_targets(read, write)
        display.end("environment", str(place.data))
        display.begin("server")
        await supervisor.start(environment.temporal_server(place))
        display.end("server", f"Temporal on 127.0.0.1:{place.temporal_port}, its pages on {place.ui_url}")
        command = [sys.executable, "-m", "examples.demo.service", "--port", str(self._service_port)]
        command += ["--database", str(place.data / "service.db")]
        service = place.child(
            "service",
            command,
            answers(f"{self._service_url}/healthz"),
            more={"DEMO_READ_TOKEN": read, "DEMO_WRITE_TOKEN": write},
        )
        self._read_token = read
        children = {
            "worker": (environment.worker(place), "runs the workflows"),
            "console": (environment.console(place), place.console_url),
            "demo service": (service, f"two assistants behind one split on {self._service_url}"),
        }
        for label in children:
            display.begin(label)

        async def start(label: str) -> None:
            child, sentence = children[label]
            await supervisor.start(child)
            display.end(label, sentence)

        await asyncio.gather(*map(start, children))
        return passwords

    @property
    def _service_url(self) -> str:
        return f"http://127.0.0.1:{self._service_port}"

    def _write_targets(self, read: str, write: str) -> None:
        files = [self._place.secret(f"demo-{name}.token", token) for name, token in (("read", read), ("write", write))]
        (self._place.data / "targets.yaml").write_text(
            f"targets:\n  demo:\n    kind: embedded\n    url: {self._service_url}\n"
            f"    read_token_file: {files[0]}\n    write_token_file: {files[1]}\n"
        )

    async def _sign_in(self, subject: str, passwords: dict[str, str]) -> str:
        body = {"subject": subject, "password": passwords[subject]}
        return str((await self._call("POST", "/api/v1/login", json=body))["token"])

    async def _register(self) -> None:
        """Register exactly the bundles that the service says it serves."""
        label = "release registered, watch started"
        self._display.begin(label)
        raw = (self._place.checkout / "examples" / "demo" / "playbook.yaml").read_bytes()
        self._playbook = parse(raw, "examples/demo/playbook.yaml")
        sent = await self._call(
            "POST", "/api/v1/playbooks", self._lena, content=raw, headers={"Content-Type": "application/yaml"}
        )
        arms = await self._service("/control/arms")
        release = {
            "release_id": RELEASE,
            "environment": "demo",
            "service": SERVICE,
            "candidate": arms["candidate"]["bundle"],
            "baseline": arms["baseline"]["bundle"],
            "playbook_digest": sent["digest"],
            "owner": "local|jonas",
        }
        await self._call("POST", "/api/v1/releases", self._lena, json=release)
        names = (release["candidate"]["name"], release["baseline"]["name"])
        self._display.end(label, f"{names[0]} beside {names[1]}; blocks of 2 s and short soaks, for the demo only")

    async def _show_healthy(self) -> None:
        """Users ask the usual questions first; then their interest shifts."""
        label = "healthy: both versions answer well"
        self._display.begin(label)
        place = self._place
        shifted = place.data / "shifted"
        command = [sys.executable, "-m", "examples.demo.traffic", "--service", self._service_url]
        command += ["--console", place.console_url, "--release", RELEASE, "--shift-while", str(shifted)]
        token = (place.keys / "judge.token").read_text()

        await self._supervisor.start(place.child("traffic", command, _at_once, more={"DEMO_SIGNALS_TOKEN": token}))
        await self._wait(_HEALTHY_SECONDS)
        while (verdict := (await self._release())["verdict"]) is None:
            await self._wait(_PAUSE)
        shifted.touch()
        self._went_bad = datetime.now(UTC)
        self._display.end(label, str(verdict["sentence"]))

    async def _wait(self, seconds: float) -> None:
        """Pause while the clock on the screen goes on."""
        for _ in range(max(round(seconds / _PAUSE), 1)):
            await asyncio.sleep(_PAUSE)
            self._display.refresh()

    # --- the story --------------------------------------------------------------------------------------------

    async def _follow(self, passwords: dict[str, str]) -> None:
        """Show every step until the incident and its review draft are there; `auto` votes on the way."""
        voting: set[str] = set()
        while True:
            story = await self._read()
            self._display.update(*story.events)
            self._display.footer(*self._footer(story, passwords))
            ask = story.pending_ask
            if self._auto and ask is not None and ask not in voting:
                voting.add(ask)
                try:
                    await self._vote(ask, passwords)
                except Failure as failure:
                    if failure.code is not Exit.refused:  # stale: newer evidence asks again, with what it shows
                        raise
                    self._display.note(failure.wrong)
            if story.over and story.events[-1].ended and (story.events[-2].ended or story.events[-3].failed):
                self._display.footer()
                return
            await self._wait(_PAUSE)

    async def _read(self) -> Story:
        """All records so far, each read once."""
        after = self._records[-1].seq if self._records else -1
        more = True
        while more:
            page = await self._call("GET", f"/api/v1/ledger/records?after={after}&limit={_PAGE}", self._lena)
            self._records += [parse_line(item["line"]) for item in page["items"]]
            more, after = len(page["items"]) == _PAGE, page["next_after"]
        return tell(self._records, self._playbook, self._went_bad)

    async def _vote(self, ask_id: str, passwords: dict[str, str]) -> None:
        """Each approver signs in, reads the card, and approves exactly that."""
        for subject, reason in _APPROVERS.items():
            token = await self._sign_in(subject, passwords)
            shown = await self._call("GET", f"/api/v1/asks/{ask_id}", token)
            decision = {
                "kind": "approve",
                "approval_digest": shown["card"]["approval_digest"],
                "view_sha256": shown["view_sha256"],
                "reason": reason,
            }
            key = {"Idempotency-Key": str(uuid4())}
            await self._call("POST", f"/api/v1/asks/{ask_id}/decisions", token, json=decision, headers=key)

    def _footer(self, story: Story, passwords: dict[str, str]) -> tuple[str, ...]:
        view = story.view
        if view is None or view.closed is not None or self._auto:
            return ()
        if story.pending_ask is None:
            return (view.sentence, f"Look: {self._place.console_url}/incidents/{view.incident_id}")
        people = [f"{subject.removeprefix('local|')} {passwords[subject]}" for subject in _APPROVERS]
        return (
            "▲ Two different people have to approve. Open the request, sign in as each of them, decide:",
            f"    {self._place.console_url}/asks/{story.pending_ask}",
            *(f"    account {account}" for account in people),
            "  or in a shell, once per person:",
            f"    export COUNTERMAND_URL={self._place.console_url}; countermand login maria",
            f"    countermand ask show {story.pending_ask}   # prints the approve command",
        )

    def _worth_a_look(self) -> list[str]:
        url = self._place.console_url
        incident = next((record.incident_id for record in self._records if record.incident_id), "")
        return [
            f"  {url}/incidents/{incident}   the incident with its timeline",
            f"  {url}/releases/{RELEASE}   the evidence",
            f"  {self._place.ui_url}   the workflows themselves",
            f"  COUNTERMAND_URL={url} countermand ledger verify   after `countermand login maria`",
        ]

    # --- the proof --------------------------------------------------------------------------------------------

    async def _prove(self) -> None:
        """Print the steps and the proofs. Raises Failure when one does not hold."""
        story = await self._read()
        if story.view is None:
            raise Failure(Exit.failed, "there was no incident")
        split = f"/control/splits/{SERVICE}"
        evidence = Evidence(
            view=story.view,
            records=self._records,
            playbook=self._playbook,
            registered_by=_REGISTRAR,
            history=await self._service(f"{split}/history"),
            observed=await self._service(f"{split}/observed"),
            verified=await self._call("GET", "/api/v1/ledger/verify", self._lena),
        )
        found = proofs(evidence)
        self._display.close()
        print_events("What happened", self._display.events)
        print_events("What was proved", [_as_event(proof) for proof in found])
        broken = [proof.claim for proof in found if not proof.holds]
        if broken:
            raise Failure(Exit.failed, "not proved: " + "; ".join(broken), next=f"see {self._place.data / 'logs'}")
        say("", f"✓ all {len(found)} proofs hold, {self._display.elapsed:.0f} s after the start")

    # --- calls ------------------------------------------------------------------------------------------------

    async def _call(self, method: str, path: str, token: str = "", **request: Any) -> JsonObject:
        """One call of the console's public API. Raises Failure with the console's own words."""
        headers = request.pop("headers", {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return answer(
            await self._client.request(method, f"{self._place.console_url}{path}", headers=headers, **request)
        )

    async def _release(self) -> JsonObject:
        return await self._call("GET", f"/api/v1/releases/{RELEASE}", self._lena)

    async def _service(self, path: str) -> Any:
        """What the demo service itself says; with its read token, not through Countermand."""
        headers = {"Authorization": f"Bearer {self._read_token}"}
        response = await self._client.get(f"{self._service_url}{path}", headers=headers)
        response.raise_for_status()
        return response.json()


async def _at_once(_: object) -> bool:
    return True


def _as_event(proof: Proof) -> Event:
    now = datetime.now(UTC)
    return Event(proof.claim, None, now, proof.sentence, failed=not proof.holds)


def _empty(data: Path) -> None:
    """Remove what an earlier demo left. Raises Failure for a directory that is not a demo's."""
    others = [file for file in data.iterdir() if file.name != "lock"]
    if others and not (data / _MARKER).exists():
        raise Failure(
            Exit.usage, f"{data} is not empty and not a demo's", accepted="an empty or a new directory in --data"
        )
    for file in others:
        if file.is_dir():
            shutil.rmtree(file)
        else:
            file.unlink()
    (data / _MARKER).touch()
