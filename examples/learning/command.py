"""One run of the example, from the first version of a playbook to what came of its change 30 days later."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from countermand.cli.demo_display import Display, print_events, print_proofs
from countermand.cli.exits import Exit, Failure, finish
from countermand.cli.output import say
from countermand.learning.comparison import AFTER
from countermand.learning.report import BacktestReport
from countermand.playbook.load import parse

from examples.learning.past import write_past
from examples.learning.proof import Changed, Evidence, proofs
from examples.learning.story import LOOSER, TIGHTER, Change, Turn
from examples.learning.world import World

_HERE = Path(__file__).parent
PLAYBOOK = _HERE / "playbook.yaml"
_TIME_LIMIT = 420.0
#: Blocks of a release by which a change is shown to be in use.
_FEW = 12


class Example:
    """One run in a directory of its own. changes: what people change, one after the other; at least one."""

    def __init__(self, data: Path, display: Display, *changes: Change) -> None:
        self._data = data
        self._display = display
        self._changes = changes
        self._text = PLAYBOOK.read_bytes()
        self._playbook = parse(self._text, PLAYBOOK.name)

    async def run(self) -> Evidence:
        """The whole turn; what it left behind. Raises TimeoutError when something does not come."""
        world = World(self._playbook)
        async with asyncio.timeout(_TIME_LIMIT), world.running(self._data) as (box, people):
            turn = Turn(world, box, people, self._text)
            async with self._step("a past of seven incidents and fourteen quiet days is brought along") as said:
                count = await asyncio.to_thread(write_past, self._playbook, box.settings.episodes)
                said.append(f"{count} files, all made up")
            async with self._step("version 1 of the playbook is adopted by two people"):
                first = digest = await turn.adopt_first()
            async with self._step("a release goes wrong, the watch fires, two people take it back") as said:
                incident_id = await turn.incident(digest)
                said.append(incident_id)
            async with self._step("people write its review, open an action and sign"):
                await turn.review(incident_id)
            done = []
            for number, change in enumerate(self._changes, start=1):
                done.append(await self._change(turn, change, incident_id, digest, number))
                digest = done[-1].view["proposed_digest"]
            return Evidence(
                playbook=self._playbook,
                first=first,
                incident_id=incident_id,
                records=await box.stores.ledger.records(),
                changed=tuple(done),
            )

    async def _change(self, turn: Turn, change: Change, incident_id: str, digest: str, number: int) -> Changed:
        word = change.word
        turn.world.clock.back()
        async with self._step(f"{word}: a person proposes it from the review; both versions judge the past") as said:
            proposal_id = await turn.propose(change, incident_id)
            view = await turn.reaches(proposal_id, "signing" if change.shadow_days == 0 else "shadowing")
            raw = await turn.report(view)
            report = BacktestReport.model_validate_json(raw)
            said.append(report.sentences[0])
        if change.shadow_days != 0:
            async with self._step(f"{word}: seven days in shadow beside a live watch (skipped)") as said:
                await turn.quiet_release(f"help-desk-v8-{number}", digest, self._playbook.detection.watch_blocks)
                await turn.days_pass(proposal_id, timedelta(days=7))
                view = await turn.reaches(proposal_id, "signing")
                said.append(f"would have fired {sum(one['word'] == 'trigger' for one in view['shadow'])} times")
        async with self._step(f"{word}: {len(change.signers)} people sign") as said:
            await turn.sign(proposal_id, change)
            view = await turn.reaches(proposal_id, "comparing")
            said.append(view["change"])
        async with self._step(f"{word}: the next release is watched by it, with a short spike") as said:
            turn.world.clock.forward(timedelta(hours=1))
            release_id = f"help-desk-v9-{number}"
            verdicts = await turn.quiet_release(release_id, view["proposed_digest"], _FEW, change.spike)
            said.append(", then ".join(str(verdict.body["word"]) for verdict in verdicts))
        async with self._step(f"{word}: after 30 days (skipped) it is compared with what was predicted") as said:
            await turn.days_pass(proposal_id, AFTER)
            view = await turn.reaches(proposal_id, "adopted")
            said.append(view["sentence"])
        return Changed(
            change=change, view=view, report=report, raw=raw, next_release=release_id, verdicts=tuple(verdicts)
        )

    @asynccontextmanager
    async def _step(self, label: str) -> AsyncIterator[list[str]]:
        """Shown while it lasts; what is put into the list is said at its end."""
        said: list[str] = []
        self._display.begin(label)
        yield said
        self._display.end(label, "; ".join(said))


def main() -> None:
    """Exit code 0 only if every proof holds."""
    parser = argparse.ArgumentParser(prog="python -m examples.learning", description=__doc__)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the data directory there, empty or new")
    given = parser.parse_args()
    data = given.keep or Path(tempfile.mkdtemp(prefix="learning-"))
    display = Display()
    code = Exit.done
    try:
        evidence = asyncio.run(Example(data, display, LOOSER, TIGHTER).run())
        display.close()
        print_events("What happened", [event for event in display.events if event.ended is not None])
        print_proofs(proofs(evidence), data)
        say("", f"✓ every proof holds, {display.elapsed:.0f} s after the start")
    except Failure as failure:
        say(str(failure))
        code = failure.code
    except TimeoutError as late:
        say(f"✗ {late}")
        code = Exit.failed
    finally:
        display.close()
        if given.keep is None:
            shutil.rmtree(data, ignore_errors=True)
    finish(code)
