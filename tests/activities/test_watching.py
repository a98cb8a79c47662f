"""The watch judges every sealed row, whoever sealed it."""

from __future__ import annotations

from datetime import timedelta

from temporalio.testing import ActivityEnvironment

from activities.ports import ReleaseStatus
from activities.sealing import Sealer
from activities.watching import ObserveRequest, WatchingActivities, tightened
from countermand.detection.blocks import Arm, Row
from countermand.detection.models import VerdictWord
from tests import cases, fakes


class SharedSignals(fakes.FakeSignals):
    """The verification of an open incident seals a row just before each sealing by the watch."""

    async def seal(self, *arguments: object, **named: object) -> list[Row]:
        await super().seal(*arguments, **named)  # type: ignore[arg-type]
        return await super().seal(*arguments, **named)  # type: ignore[arg-type]


async def test_rows_that_somebody_else_sealed_are_judged_too() -> None:
    playbook, release = cases.playbook(), cases.release()
    signals = SharedSignals(playbook.detection.block)
    catalogue = fakes.FakeCatalogue(playbook, release)
    watching = WatchingActivities(signals, Sealer(signals, lambda _name: None), catalogue, fakes.now)
    assert isinstance(catalogue.status, ReleaseStatus)
    request = ObserveRequest(
        release_id=release.release_id,
        playbook_digest=release.playbook_digest,
        started_at=fakes.now() - timedelta(minutes=1),
        seen="ok:",
        pause_after=timedelta(seconds=0.5),
    )
    result = await ActivityEnvironment().run(watching.observe, request)
    assert result.reason == "pause"
    assert sorted(signals.evaluations) == list(range(len(signals.sealed)))
    assert len(signals.sealed) >= 2


async def test_gov_34_a_tightened_watch_judges_only_what_came_since_and_needs_half_as_long() -> None:
    playbook, release = cases.playbook(), cases.release()
    signals = fakes.FakeSignals(playbook.detection.block)
    catalogue = fakes.FakeCatalogue(playbook, release)
    begin = fakes.now() - timedelta(minutes=1)
    for seq in range(40):
        signals.bad[Arm.candidate] = 40 if seq < 20 else 3
        signals.sealed.append(signals._row(seq, begin + seq * signals.block))
    watching = WatchingActivities(signals, Sealer(signals, lambda _name: None), catalogue, fakes.now)
    request = ObserveRequest(
        release_id=release.release_id,
        playbook_digest=release.playbook_digest,
        started_at=begin,
        seen="",
        pause_after=timedelta(seconds=0.5),
    )
    before = await ActivityEnvironment().run(watching.observe, request)
    assert before.verdict is not None
    assert before.verdict.word is VerdictWord.trigger
    since = request.model_copy(update={"tightened_at": begin + 20 * signals.block})
    after = await ActivityEnvironment().run(watching.observe, since)
    assert after.verdict is not None
    assert after.verdict.word is not VerdictWord.trigger
    assert tightened(playbook.detection).sustain_blocks == playbook.detection.sustain_blocks // 2
