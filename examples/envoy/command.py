"""One run of the example: start everything, let the candidate get worse, watch the way back, measure it."""

from __future__ import annotations

import argparse
import asyncio
import csv
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
from countermand.cli import environment
from countermand.cli.demo_display import Display, print_events, print_proofs
from countermand.cli.demo_people import People
from countermand.cli.demo_story import Story, tell
from countermand.cli.demo_world import empty
from countermand.cli.environment import Place
from countermand.cli.exits import Exit, Failure, finish
from countermand.cli.output import say
from countermand.cli.processes import Supervisor, answers, at_once, free_port, until_stopped
from countermand.detection.models import Arm
from countermand.ledger.record import Record
from countermand.playbook.load import parse

from examples.demo.bundles import BASELINE, CANDIDATE, SERVICE
from examples.demo.questions import LASTING
from examples.envoy.load import TIME_LIMIT, Request
from examples.envoy.picture import draw
from examples.envoy.result import Measured, Share, proofs, table
from examples.envoy.router import InForce, Router, program

_HERE = Path(__file__).parent
_RELEASE = "support-assistant-v7"
_AFTER_SECONDS = 5.0
_TIME_LIMIT = 300.0
_PAUSE = 0.3
_TOLD_EVERY = 5.0


class Example:
    """One run in a directory of its own; every port is a free one."""

    def __init__(self, data: Path | None, *, rate: float, healthy_seconds: float) -> None:
        self._rate, self._healthy_seconds = rate, healthy_seconds
        root = environment.checkout()
        program(root)  # before anything else: without Envoy nothing is started
        self._place = Place(
            checkout=root,
            data=(data or root / ".countermand/envoy").resolve(),
            temporal_port=free_port(0),
            ui_port=free_port(0),
            console_port=free_port(0),
        )
        self._playbook_text = (_HERE / "playbook.yaml").read_bytes()
        self._playbook = parse(self._playbook_text, "playbook.yaml")
        self._router = Router(self._place)
        self._display = Display()
        self._crashes: list[str] = []
        self._stack, self._users = Supervisor(self._crashed), Supervisor(self._crashed)
        self._records: list[Record] = []
        self._weights: list[InForce] = []
        self._log = self._place.data / "requests.csv"
        self._told = 0.0

    def _crashed(self, line: str) -> None:
        self._crashes.append(line)
        self._display.note(line)

    async def run(self) -> None:
        """Until everything is measured. Raises Failure."""
        with environment.locked(self._place.data):
            try:
                async with (
                    httpx.AsyncClient(trust_env=False, timeout=20) as client,
                    asyncio.timeout(_TIME_LIMIT),
                ):
                    self._people = People(self._place, client)
                    await self._play(client)
            except TimeoutError:
                late = next((event.label for event in self._display.events if event.ended is None), "the end")
                raise Failure(
                    Exit.failed, f"not within {_TIME_LIMIT:.0f} s: {late}", next=f"see {self._place.data / 'logs'}"
                ) from None
            finally:
                self._display.close()
                await self._users.stop(within=TIME_LIMIT)
                await self._stack.stop()

    async def _play(self, client: httpx.AsyncClient) -> None:
        await self._start()
        watching = asyncio.create_task(self._router.watch(client, self._weights))
        try:
            story = await self._roll_back()
            await self._wait(_AFTER_SECONDS)
        finally:
            watching.cancel()
        # The users leave before Envoy does: what they asked until then is answered.
        await self._users.stop(within=TIME_LIMIT + 1)
        if story.view is None or story.view.plan is None or not story.view.stages:
            raise Failure(Exit.failed, "there was no way back", next=f"see {self._place.data / 'logs'}")
        verified = await self._people.call("GET", "/api/v1/ledger/verify")
        measured = Measured(
            requests=sorted(_requests(self._log)),
            weights=self._weights,
            loads=await self._router.loads(client),
            crashes=self._crashes,
            ledger_holds=verified["ok"] is True,
            view=story.view,
            rate=self._rate,
            settle_seconds=story.view.plan.settle.total_seconds(),
            residual_bp=story.view.plan.residual_bp,
        )
        self._report(measured)

    async def _start(self) -> None:
        """Everything but the users: assistants before Envoy, Envoy before whoever asks it."""
        place, display, router = self._place, self._display, self._router
        display.begin("environment")
        empty(place.data)
        self._people.passwords = await environment.prepare(place)
        (place.data / "governance.yaml").write_text((_HERE / "governance.yaml").read_text())
        router.write_files()
        display.end("environment", str(place.data))
        display.begin("two assistants and Envoy")
        await asyncio.gather(
            self._assistant(Arm.candidate, router.canary_port), self._assistant(Arm.baseline, router.stable_port)
        )
        await self._stack.start(router.process())
        display.end("two assistants and Envoy", f"users on {router.users_url}, administration on {router.admin_url}")
        display.begin("Countermand")
        await environment.start(place, self._stack)
        display.end("Countermand", f"{place.console_url}, its workflows on {place.ui_url}")

    async def _assistant(self, arm: Arm, port: int) -> None:
        command = [sys.executable, "-m", "examples.envoy.assistant", "--arm", arm.value, "--port", str(port)]
        await self._stack.start(self._place.child(arm.value, command, answers(f"http://127.0.0.1:{port}/healthz")))

    async def _roll_back(self) -> Story:
        display = self._display
        label = "release registered, watch started"
        display.begin(label)
        release = {
            "release_id": _RELEASE,
            "environment": "example",
            "service": SERVICE,
            "candidate": CANDIDATE.bundle.model_dump(),
            "baseline": BASELINE.bundle.model_dump(),
        }
        await self._people.register_release(release, self._playbook_text)
        display.end(label, f"{CANDIDATE.bundle.name} beside {BASELINE.bundle.name}")
        label = f"healthy: {self._rate:.0f} requests per second, both versions answer well"
        display.begin(label)
        rare = self._place.data / "rare"
        rare.write_text("0")
        await self._start_users(rare)
        await self._wait(self._healthy_seconds)
        display.end(label, self._lately())
        rare.write_text(str(LASTING))
        return await self._follow(datetime.now(UTC))

    async def _start_users(self, rare: Path) -> None:
        command = [sys.executable, "-m", "examples.envoy.load", "--service", self._router.users_url]
        command += ["--console", self._place.console_url, "--release", _RELEASE, "--rate", str(self._rate)]
        command += ["--rare-file", str(rare), "--log", str(self._log)]
        token = {"EXAMPLE_SIGNALS_TOKEN": (self._place.keys / "judge.token").read_text()}
        await self._users.start(self._place.child("users", command, at_once, more=token))

    async def _follow(self, went_bad: datetime) -> Story:
        """Show every step, approve as both people, until the incident is over."""
        voted: set[str] = set()
        while True:
            self._records += await self._people.records_after(self._records)
            story = tell(self._records, self._playbook, went_bad)
            self._display.update(*story.events)
            if story.pending_ask is not None and story.pending_ask not in voted:
                voted.add(story.pending_ask)
                refused = await self._people.approve_all(story.pending_ask)
                if refused is not None:
                    self._display.note(refused)
            if story.over:
                return story
            await self._wait(_PAUSE)

    async def _wait(self, seconds: float) -> None:
        """Pause while the clock on the screen goes on."""
        for _ in range(max(round(seconds / _PAUSE), 1)):
            await asyncio.sleep(_PAUSE)
            if self._display.elapsed - self._told >= _TOLD_EVERY:
                self._told = self._display.elapsed
                self._display.footer(f"    users, last {_TOLD_EVERY:.0f} s: {self._lately()}")
            self._display.refresh()

    def _lately(self) -> str:
        requests = list(_requests(self._log)) if self._log.exists() else []
        if not requests:
            return "no answers yet"
        last = [one for one in requests if one.done > requests[-1].done - _TOLD_EVERY]
        share = Share.of(last)
        failed = sum(one.failed for one in requests)
        percent = 100 * share.candidate / max(share.requests, 1)
        return f"{len(last)} requests, {percent:.1f} % answered by the candidate; {failed} failed since the start"

    def _report(self, measured: Measured) -> None:
        self._display.footer()
        self._display.close()
        data = self._place.data
        picture = data / "rollback.svg"
        print_events("What happened", self._display.events)
        say("", "What users saw", *table(measured))
        draw(measured, picture)
        say("", f"picture: {picture}", f"every request: {self._log}")
        found = list(proofs(measured))
        print_proofs(found, data / "logs")
        say("", f"✓ all {len(found)} proofs hold, {self._display.elapsed:.0f} s after the start")


def _requests(log: Path) -> list[Request]:
    """Every whole row of the load's file."""
    with log.open(newline="") as file:
        rows = [row for row in csv.reader(file) if len(row) == len(Request._fields)][1:]
    return [
        Request(int(number), float(due), float(sent), float(done), int(status), arm)
        for number, due, sent, done, status, arm in rows
    ]


def main() -> None:
    """Run the example; exit code 0 when every proof holds, else 5 or what the failure says."""
    parser = argparse.ArgumentParser(prog="examples.envoy", description="A rollback over a real Envoy.")
    parser.add_argument("--rate", type=float, default=200.0, help="requests per second")
    parser.add_argument("--healthy", type=float, default=10.0, metavar="SECONDS", help="how long all is well at first")
    parser.add_argument("--data", type=Path, help="directory of this run, made anew each time")
    options = parser.parse_args()
    try:
        example = Example(options.data, rate=options.rate, healthy_seconds=options.healthy)
        ended = asyncio.run(until_stopped(example.run))
    except Failure as failure:
        print(failure, file=sys.stderr)
        finish(failure.code)
    finish(Exit.done if ended else Exit.unexpected)
