"""`countermand demo`: a real bad release, watched, decided, rolled back and proved on this machine."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from countermand.cli import environment
from countermand.cli.client import unreachable
from countermand.cli.demo_display import Display, print_events, print_proofs
from countermand.cli.demo_people import APPROVERS, REGISTRAR
from countermand.cli.demo_proof import Evidence, proofs
from countermand.cli.demo_story import Event, Story, tell
from countermand.cli.demo_world import RELEASE, SERVICE, World
from countermand.cli.environment import Place
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import say
from countermand.cli.processes import Supervisor
from countermand.ledger.record import Record
from countermand.playbook.load import parse

_HEALTHY_SECONDS = 12.0
#: Two blocks of the demo's playbook, and time to see that nothing comes of it.
_SPIKE_SECONDS = 4.0
_CALM_SECONDS = 10.0
_CALM_LOOKS = 5
#: Shares of questions that the candidate cannot answer: during the spike, and for good.
_SPIKE, _LASTING = 0.6, 0.06
_AUTO_SECONDS = 300.0
_PAUSE = 0.3


class Demo:
    """One run. `auto`: both approvers are played through the public API, every step is proved, then it ends."""

    def __init__(self, *, auto: bool, data: Path | None) -> None:
        self._auto = auto
        self._place = Place.choose(data, ".countermand/demo")
        self._playbook_file = self._place.checkout / "examples" / "demo" / "playbook.yaml"
        self._playbook = parse(self._playbook_file.read_bytes(), str(self._playbook_file))
        self._display = Display()
        self._supervisor = Supervisor(self._display.note)
        self._records: list[Record] = []
        self._went_bad: datetime | None = None

    async def run(self) -> None:
        """Until it is over (`auto`), or until cancelled. Raises Failure."""
        import httpx

        with environment.locked(self._place.data):
            try:
                async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
                    self._world = World(self._place, client)
                    await self._play()
            except httpx.TransportError as error:
                raise unreachable(self._place.console_url, error) from None
            finally:
                self._display.close()
                await self._supervisor.stop()

    async def _play(self) -> None:
        await self._start()
        try:
            async with asyncio.timeout(_AUTO_SECONDS if self._auto else None):
                await self._register()
                await self._go_bad()
                await self._follow()
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

    # --- before the incident ----------------------------------------------------------------------------------

    async def _start(self) -> None:
        place, display, world = self._place, self._display, self._world
        display.begin("environment")
        await world.prepare()
        display.end("environment", str(place.data))
        display.begin("server")
        await self._supervisor.start(environment.temporal_server(place))
        display.end("server", f"Temporal on 127.0.0.1:{place.temporal_port}, its pages on {place.ui_url}")
        children = {
            "worker": (environment.worker(place), "runs the workflows"),
            "console": (environment.console(place), place.console_url),
            "demo service": (world.service_process(), f"two assistants behind one split on {world.service_url}"),
        }

        async def start(label: str) -> None:
            child, sentence = children[label]
            display.begin(label)
            await self._supervisor.start(child)
            display.end(label, sentence)

        await asyncio.gather(*map(start, children))

    async def _register(self) -> None:
        label = "release registered, watch started"
        self._display.begin(label)
        candidate, baseline = await self._world.register(self._playbook_file.read_bytes())
        self._display.end(label, f"{candidate} beside {baseline}; blocks of 2 s and short soaks, for the demo only")

    async def _go_bad(self) -> None:
        """Users ask the usual questions; for a moment many ask what the candidate cannot answer; later some keep on."""
        rare = self._place.data / "rare"
        rare.write_text("0")
        label = "healthy: both versions answer well"
        self._display.begin(label)
        await self._supervisor.start(self._world.traffic_process(rare))
        await self._wait(_HEALTHY_SECONDS)
        while (sentence := await self._judged()) is None:
            await self._wait(_PAUSE)
        self._display.end(label, sentence)
        label = "a spike: two blocks about twenty times worse, no alarm"
        began = datetime.now(UTC)
        self._display.update(Event(label, began))
        rare.write_text(str(_SPIKE))
        await self._wait(_SPIKE_SECONDS)
        rare.write_text("0")
        for _ in range(_CALM_LOOKS):
            await self._wait(_CALM_SECONDS / _CALM_LOOKS)
            self._display.update(Event(label, began, sentence=await self._judged() or ""))
        self._display.end(label, await self._judged() or "")
        rare.write_text(str(_LASTING))
        self._went_bad = datetime.now(UTC)

    async def _judged(self) -> str | None:
        """What the watch says now; None before its first block."""
        watch = await self._world.call("GET", f"/api/v1/releases/{RELEASE}/watch")
        if watch["last_word"] is None:
            return None
        (evidence,) = watch["evidence"].values()
        return f"hallucinations: {watch['signals']['hallucinations']} {evidence['sentence']}"

    async def _wait(self, seconds: float) -> None:
        """Pause while the clock on the screen goes on."""
        for _ in range(max(round(seconds / _PAUSE), 1)):
            await asyncio.sleep(_PAUSE)
            self._display.refresh()

    # --- the incident -----------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Show every step until the incident and its review draft are there; `auto` votes on the way."""
        voted: set[str] = set()
        while True:
            story = await self._read()
            self._display.update(*story.events)
            self._display.footer(*self._footer(story))
            if self._auto and story.pending_ask is not None and story.pending_ask not in voted:
                voted.add(story.pending_ask)
                await self._vote(story.pending_ask)
            if story.over:
                self._display.footer()
                return
            await self._wait(_PAUSE)

    async def _read(self) -> Story:
        """The story so far; each record is read once."""
        self._records += await self._world.records_after(self._records)
        return tell(self._records, self._playbook, self._went_bad)

    async def _vote(self, ask_id: str) -> None:
        refused = await self._world.approve_all(ask_id)
        if refused is not None:
            self._display.note(refused)

    def _footer(self, story: Story) -> tuple[str, ...]:
        view, place = story.view, self._place
        if view is None or view.closed is not None or self._auto:
            return ()
        if story.pending_ask is None:
            return (view.sentence, f"Look: {place.console_url}/incidents/{view.incident_id}")
        passwords = self._world.passwords
        return (
            "▲ Two different people have to approve. Open the request, sign in as each of them, decide:",
            f"    {place.console_url}/asks/{story.pending_ask}",
            *(f"    account {subject.removeprefix('local|')} {passwords[subject]}" for subject in APPROVERS),
            "  or in a shell, once per person:",
            f"    export COUNTERMAND_URL={place.console_url}; countermand login maria",
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
        if story.view is None or self._went_bad is None:
            raise Failure(Exit.failed, "there was no incident")
        found = proofs(
            Evidence(
                view=story.view,
                records=self._records,
                playbook=self._playbook,
                registered_by=REGISTRAR,
                history=await self._world.service(f"/control/splits/{SERVICE}/history"),
                observed=await self._world.service(f"/control/splits/{SERVICE}/observed"),
                verified=await self._world.call("GET", "/api/v1/ledger/verify"),
                spike_over=self._went_bad,
            )
        )
        self._display.close()
        print_events("What happened", self._display.events)
        print_proofs(found, self._place.data / "logs")
        say("", f"✓ all {len(found)} proofs hold, {self._display.elapsed:.0f} s after the start")
