"""Going forward, and the way back that is looked at meanwhile."""

from __future__ import annotations

from countermand.detection.models import Arm
from countermand.governance.decision import DecisionKind
from tests import cases
from tests.rollouts import playbook
from tests.workflows.test_gates import use
from tests.workflows.test_release_rollout import Handle, Road

SHORT = [{"share": "5%", "at_least": "400ms", "time_limit": "2s"}]


async def sandbox_shown_healthy(road: Road) -> None:
    async with road.rolling():
        result = await road.over(await road.start("sandbox"))
    assert (result.outcome, result.restored) == ("done", True)


async def sandbox_triggered(road: Road) -> None:
    road.signals.bad[Arm.candidate] = 400
    async with road.rolling():
        result = await road.over(await road.start("sandbox"))
    assert (result.outcome, result.restored) == ("trigger", True)


async def ramp_shown_healthy(road: Road) -> None:
    async with road.rolling():
        result = await road.over(await _started(road))
    assert result.outcome == "done"


async def ramp_held_then_gone_back(road: Road) -> None:
    use(road, playbook(ramp=SHORT))
    road.signals.flowing = False
    async with road.rolling():
        result = await road.over(await _started(road))
    assert (result.outcome, result.restored) == ("doubtful", True)


async def ramp_handed_over_to_the_incident(road: Road) -> None:
    road.signals.bad[Arm.candidate] = 400
    async with road.rolling():
        result = await road.over(await _started(road))
    assert result.outcome == "handed_over"


async def ramp_stopped_by_a_person(road: Road) -> None:
    road.signals.flowing = False
    async with road.rolling():
        handle = await _started(road)
        await road.status("running")
        await road.says(DecisionKind.stop_rollout, cases.JONAS)
        result = await road.over(handle)
    assert (result.outcome, result.restored) == ("stopped", True)


async def _started(road: Road) -> Handle:
    handle = await road.start("ramp")
    await road.says(DecisionKind.start_rollout, cases.LENA)
    return handle


SITUATIONS = (
    sandbox_shown_healthy,
    sandbox_triggered,
    ramp_shown_healthy,
    ramp_held_then_gone_back,
    ramp_handed_over_to_the_incident,
    ramp_stopped_by_a_person,
)
