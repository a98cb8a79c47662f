"""The watch judges every sealed row, whoever sealed it."""

from __future__ import annotations

from datetime import timedelta

from temporalio.testing import ActivityEnvironment

from activities.ports import ReleaseStatus
from activities.sealing import Sealer
from activities.watching import ObserveRequest, WatchingActivities
from countermand.detection.blocks import Row
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
