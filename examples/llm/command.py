"""One run of the example: a model and its prompt are released, get worse, and are taken back together or not at all."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
from countermand.cli import environment
from countermand.cli.demo_display import Display, print_events, print_proofs
from countermand.cli.demo_people import People
from countermand.cli.demo_proof import Proof
from countermand.cli.demo_story import Story, shown, tell
from countermand.cli.demo_world import empty
from countermand.cli.environment import Place
from countermand.cli.exits import Exit, Failure, finish
from countermand.cli.output import say
from countermand.cli.processes import Supervisor, free_port, until_stopped
from countermand.ledger.record import Record
from countermand.playbook.load import parse

from examples.llm.versions import BASELINE, CANDIDATE, MODEL_HEADER, PROMPT_HEADER, SERVICE
from examples.llm.world import Named, World

_HERE = Path(__file__).parent
_RELEASE = "support-assistant-v7"
_HEALTHY_SECONDS = 10.0
#: Share of questions that the candidate cannot answer.
_RARE = 0.15
_AFTER_SECONDS = 4.0
_TIME_LIMIT = 300.0
_MLFLOW_SECONDS = 180.0
_PAUSE = 0.3


class Example:
    """One run in a directory of its own; every port is a free one. `fail_prompt`: the prompt cannot be taken back."""

    def __init__(self, data: Path | None, *, fail_prompt: bool) -> None:
        self._fail_prompt = fail_prompt
        root = environment.checkout()
        self._place = Place(
            checkout=root,
            data=(data or root / ".countermand/llm").resolve(),
            temporal_port=free_port(0),
            ui_port=free_port(0),
            console_port=free_port(0),
        )
        self._playbook_text = (_HERE / "playbook.yaml").read_bytes()
        self._playbook = parse(self._playbook_text, "playbook.yaml")
        self._world = World(self._place)
        self._display = Display()
        self._stack = Supervisor(self._display.note)
        self._records: list[Record] = []
        self._named: list[Named] = []

    async def run(self) -> None:
        """Until it is over and proved. Raises Failure."""
        with environment.locked(self._place.data):
            try:
                async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
                    self._people = People(self._place, client)
                    await self._play()
            finally:
                self._display.close()
                await self._stack.stop()
                await self._world.registry.close()

    async def _play(self) -> None:
        await self._start()
        watching = asyncio.create_task(self._world.watch(self._named))
        try:
            async with asyncio.timeout(_TIME_LIMIT):
                story = await self._roll_back()
                await self._wait(_AFTER_SECONDS)
        except TimeoutError:
            late = next((event.label for event in self._display.events if event.ended is None), "the end")
            raise Failure(
                Exit.failed, f"not within {_TIME_LIMIT:.0f} s: {late}", next=f"see {self._place.data / 'logs'}"
            ) from None
        finally:
            watching.cancel()
        found = [*self._proofs(story, await self._world.served()), await self._ledger()]
        self._display.close()
        print_events("What happened", [event for event in self._display.events if event.ended is not None])
        say("", "What both aliases named, asked from outside ten times a second")
        say(*(f"  {self._since(named)}  model: {named.model}   prompt: {named.prompt}" for named in self._named))
        print_proofs(found, self._place.data / "logs")
        say("", f"✓ all {len(found)} proofs hold, {self._display.elapsed:.0f} s after the start")

    async def _start(self) -> None:
        place, display, world = self._place, self._display, self._world
        display.begin("environment")
        empty(place.data)
        self._people.passwords = await environment.prepare(place)
        world.write_files()
        display.end("environment", str(place.data))
        display.begin("MLflow, and a door before it")
        await self._stack.start(world.mlflow(), within=_MLFLOW_SECONDS)
        await self._stack.start(world.door())
        display.end("MLflow, and a door before it", world.door_url)
        display.begin("two versions of a model and of its prompt registered; a service that follows their aliases")
        await world.publish()
        await self._stack.start(world.service())
        display.end(
            "two versions of a model and of its prompt registered; a service that follows their aliases",
            f"{world.service_url} serves {CANDIDATE.bundle.name}",
        )
        display.begin("Countermand")
        await environment.start(place, self._stack)
        display.end("Countermand", f"{place.console_url}, its workflows on {place.ui_url}")

    async def _roll_back(self) -> Story:
        display, label = self._display, "release registered, watch started"
        display.begin(label)
        release = {
            "release_id": _RELEASE,
            "environment": "example",
            "service": SERVICE,
            "candidate": CANDIDATE.bundle.model_dump(),
            "baseline": BASELINE.bundle.model_dump(),
        }
        await self._people.register_release(release, self._playbook_text)
        differ = ", ".join(CANDIDATE.bundle.differs_from(BASELINE.bundle))
        display.end(label, f"{CANDIDATE.bundle.name} differs from {BASELINE.bundle.name} in {differ}")
        label = "healthy: users ask the usual questions"
        display.begin(label)
        await self._stack.start(self._world.users(_RELEASE))
        await self._wait(_HEALTHY_SECONDS)
        display.end(label, "each is asked in the shadow too, to the version before")
        self._world.rare.write_text(str(_RARE))
        return await self._follow(datetime.now(UTC))

    async def _follow(self, went_bad: datetime) -> Story:
        """Show every step and approve as both people, until the incident is over or the way back has stopped."""
        voted: set[str] = set()
        while True:
            self._records += await self._people.records_after(self._records)
            story = tell(self._records, self._playbook, went_bad)
            self._display.update(*story.events)
            if story.pending_ask is not None and story.pending_ask not in voted:
                voted.add(story.pending_ask)
                if self._fail_prompt:
                    self._world.freeze_prompt()
                refused = await self._people.approve_all(story.pending_ask)
                if refused is not None:
                    self._display.note(refused)
            if story.over or (self._fail_prompt and self._stopped(story)):
                return story
            await self._wait(_PAUSE)

    def _stopped(self, story: Story) -> bool:
        """Whether the model was taken back and has returned, as the witness saw it, and people were told."""
        told = story.view is not None and any(sent.step == "revert_stopped" for _, sent in story.view.messages)
        return told and [one.model for one in self._named] == [_NEW, _OLD, _NEW]

    def _proofs(self, story: Story, served: dict[str, str]) -> Iterator[Proof]:
        """What holds at the end, by the registry and by the service itself."""
        ways = [(one.model, one.prompt) for one in self._named]
        before, after = (_NEW, _NEW), (_OLD, _OLD)
        outcome = story.view.closed.outcome if story.view and story.view.closed else "still open"
        if self._fail_prompt:
            claim = "the model went back, the prompt could not, and the model returned: nobody is left with half of it"
            yield Proof(claim, ways == [before, (_OLD, _NEW), before], _shown(ways))
            yield Proof("nobody calls that a success", outcome != "reverted", f"the incident is {outcome}")
            wanted = CANDIDATE.bundle
        else:
            orderly = ways[:1] == [before] and ways[-1:] == [after] and set(ways) <= {before, (_OLD, _NEW), after}
            yield Proof("the model went back, and the prompt right after it", orderly, _shown(ways))
            verified = shown(story.view.verification) if story.view else ""
            yield Proof("shown to be healthy by labelled answers", outcome == "reverted", verified or outcome)
            wanted = BASELINE.bundle
        loaded = (served[MODEL_HEADER], served[PROMPT_HEADER])
        same = loaded == (wanted.model, wanted.prompt)
        yield Proof(f"the service itself names the parts of {wanted.name}", same, " and ".join(loaded))

    async def _ledger(self) -> Proof:
        verified = await self._people.call("GET", "/api/v1/ledger/verify")
        return Proof("the ledger is unbroken", verified["ok"] is True, f"{len(self._records)} records")

    def _since(self, named: Named) -> str:
        return datetime.fromtimestamp(named.since, UTC).strftime("%H:%M:%S.%f")[:-5]

    async def _wait(self, seconds: float) -> None:
        """Pause while the clock on the screen goes on."""
        for _ in range(max(round(seconds / _PAUSE), 1)):
            await asyncio.sleep(_PAUSE)
            self._display.refresh()


_NEW, _OLD = CANDIDATE.bundle.name, BASELINE.bundle.name


def _shown(ways: list[tuple[str, str]]) -> str:
    return " → ".join(f"{model} with the prompt of {prompt}" for model, prompt in ways)


def main() -> None:
    """Run the example; exit code 0 when every proof holds, else 5 or what the failure says."""
    parser = argparse.ArgumentParser(prog="examples.llm", description="A model and its prompt, taken back together.")
    parser.add_argument("--fail", choices=["prompt"], help="the prompt cannot be taken back")
    parser.add_argument("--data", type=Path, help="directory of this run, made anew each time")
    options = parser.parse_args()
    try:
        example = Example(options.data, fail_prompt=options.fail == "prompt")
        ended = asyncio.run(until_stopped(example.run))
    except Failure as failure:
        print(failure, file=sys.stderr)
        finish(failure.code)
    finish(Exit.done if ended else Exit.unexpected)
