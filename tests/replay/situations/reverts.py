"""One way back, and what can come between: people, time, a worker that dies."""

from __future__ import annotations

import asyncio

from countermand import ids
from countermand.detection.models import Arm
from countermand.governance.decision import DecisionKind
from tests import cases, standing
from tests.waiting import until
from tests.workflows.conftest import World
from tests.workflows.test_gates import asked_in_slack, authorise, nobody_decides, use
from tests.workflows.test_gates import serious_world as serious
from tests.workflows.test_release_watch import start_watch
from tests.workflows.test_staged_revert import soaking, stopped, with_soak
from workflows.incident import Incident


async def approved(world: World) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        assert (await handle.result()).outcome == "reverted"
        await world.write_review()
        await world.decide(DecisionKind.sign_review, cases.MARIA)


async def rejected(world: World) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        await world.decide(DecisionKind.reject, cases.MARIA, reason="looked at ten samples, the judge is wrong")
        assert (await handle.result()).outcome == "rejected"
        await world.write_review()
        await world.decide(DecisionKind.sign_review, cases.MARIA)


async def expired_into_hold(world: World) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await nobody_decides(world, world.env, 31)
        await world.reaches("held")
        await world.decide(DecisionKind.abort, cases.JONAS, reason="nobody is here, closing for now")
        assert (await handle.result()).outcome == "aborted"


async def aborted_mid_stage(world: World) -> None:
    use(world, with_soak("60s"))
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await soaking(world, 1)
        await world.decide(DecisionKind.abort, cases.JONAS, reason="the judge was wrong, stopping here")
        assert (await handle.result()).outcome == "aborted"


async def held_then_reversed(world: World) -> None:
    use(world, with_soak("60s"))
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await soaking(world, 1)
        await world.decide(DecisionKind.hold, cases.JONAS, reason="wait for the support team")
        await stopped(world, 1, "held")
        await world.decide(DecisionKind.reverse, cases.JONAS, reason="support says the baseline is worse")
        assert (await handle.result()).outcome == "reversed"


async def worker_killed_mid_stage(world: World) -> None:
    world.target.gate = asyncio.Event()
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()

        async def written() -> bool:
            return bool(world.target.effects)

        await until(written, "the first effect")
    world.target.gate = None
    async with world.worker():
        assert (await handle.result()).outcome == "reverted"


async def seen_by_the_watch(world: World) -> None:
    world.signals.bad[Arm.candidate] = 40
    async with world.worker():
        await start_watch(world)
        await world.approve_by_two()
        incident = world.env.client.get_workflow_handle_for(Incident.run, world.workflow_id)
        assert (await incident.result()).outcome == "reverted"
        watch = ids.watch_workflow(world.release.environment, world.release.release_id)
        await world.env.client.get_workflow_handle(watch).result()


async def automatic(world: World) -> None:
    serious(world, standing.serious_playbook())
    await authorise(world)
    async with world.worker():
        handle = await world.open_incident()
        assert (await handle.result()).outcome == "reverted"


async def proceeded_at_the_time_limit(world: World) -> None:
    serious(world, standing.proceeding(standing.serious_playbook()))
    async with world.worker():
        handle = await world.open_incident()
        view = await world.reaches("asking")
        assert view.ask is not None
        await authorise(world)
        await asked_in_slack(world, view.ask.opened.ask_id)
        await nobody_decides(world, world.env, 31)
        assert (await handle.result()).outcome == "reverted"


SITUATIONS = (
    approved,
    rejected,
    expired_into_hold,
    aborted_mid_stage,
    held_then_reversed,
    worker_killed_mid_stage,
    seen_by_the_watch,
    automatic,
    proceeded_at_the_time_limit,
)
