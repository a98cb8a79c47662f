"""Going forward, and the way back that is looked at meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from countermand import ids
from countermand.detection.models import Arm
from countermand.governance.decision import DecisionKind
from countermand.ledger.record import Kind
from tests import cases, fakes
from tests.rollouts import SANDBOX, playbook
from tests.waiting import until
from tests.workflows.test_gates import use
from tests.workflows.test_release_rollout import Handle, Road
from workflows.recurring_sandbox import RecurringInput, RecurringSandbox
from workflows.release_rollout import ReleaseRollout

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


async def sandbox_by_its_schedule(road: Road) -> None:
    """Due, due once more while it runs, and due again when the release is closed."""
    road.signals.flowing = False
    async with road.rolling():
        assert "is under way" in await _due(road, 1)
        running = await road.status("running")
        assert "another rollout" in await _due(road, 2)
        road.signals.flowing = True
        rolling = road.env.client.get_workflow_handle_for(ReleaseRollout.run, running.plan.workflow_id)
        assert (await road.over(rolling)).outcome == "done"
        await road.catalogue.close_release(road.release.release_id, fakes.now(), "it serves everybody")
        assert "the release is closed" in await _due(road, 3)


async def sandbox_by_its_schedule_that_needs_a_person(road: Road) -> None:
    use(road, playbook(sandbox=SANDBOX | {"without_asking": False}))
    async with road.rolling():
        await _due(road, 1)
        assert (await road.status("not_started")).shares == []


async def sandbox_by_its_schedule_that_is_not_planned(road: Road) -> None:
    """Its playbook has no sandbox."""
    use(road, playbook(sandbox=None))
    async with road.rolling():
        await _due(road, 1)
        await until(_skipped(road), "it is recorded")


def _skipped(road: Road) -> Callable[[], Awaitable[bool]]:
    async def there() -> bool:
        return bool(road.ledger.bodies(Kind.rollout_skipped))

    return there


async def _due(road: Road, number: int) -> str:
    release = road.release
    due = RecurringInput(release_id=release.release_id, environment=release.environment, service=release.service)
    return await road.env.client.execute_workflow(
        RecurringSandbox.run,
        due,
        id=f"{ids.sandbox_schedule(release.environment, release.release_id)}-{number}",
        task_queue=road.queue,
    )


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
    sandbox_by_its_schedule,
    sandbox_by_its_schedule_that_needs_a_person,
    sandbox_by_its_schedule_that_is_not_planned,
)
