"""What goes wrong before, during and after a way back, and what people decide then."""

from __future__ import annotations

from countermand.detection.models import Arm
from countermand.governance.decision import DecisionKind
from tests import cases, fakes
from tests.workflows.conftest import World
from tests.workflows.test_after_the_way_back import moved_back, verified, verifying
from tests.workflows.test_bundle import asked, stage_is, together
from tests.workflows.test_emergencies import break_glass, declare
from tests.workflows.test_freeze import REASON, incomplete
from tests.workflows.test_gates import use
from tests.workflows.test_guard import comes_back, opened_by_breach, reverted
from tests.workflows.test_staged_revert import soaking, with_soak


async def bundle_compensated(world: World) -> None:
    _in_three_members(world, "compensate")
    world.targets("indexes").script = ["rejected"]
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await stage_is(world, "compensated")
        await asked(world, 2)
        await world.reaches("asking")
        await world.decide(DecisionKind.reject, cases.MARIA, reason="first the token of the index store")
        assert (await handle.result()).outcome == "rejected"


async def bundle_divided_then_resumed(world: World) -> None:
    _in_three_members(world, "hold")
    world.targets("prompts").script = ["rejected"]
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await stage_is(world, "partial")
        await world.decide(DecisionKind.resume, cases.JONAS, reason="the registry accepts writes again")
        assert (await handle.result()).outcome == "reverted"


async def evidence_incomplete_then_gone_on(world: World) -> None:
    incomplete(world, "ask")
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("held")
        await world.decide(DecisionKind.proceed_incomplete, cases.JONAS, reason=REASON)
        await world.approve_by_two()
        assert (await handle.result()).outcome == "reverted"


async def worse_again_then_asked(world: World) -> None:
    verifying(world, watch_for="10m", on_regression="ask")
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await verified(world)
        await moved_back(world)
        await asked(world, 2)
        await world.approve_by_two()
        await verified(world)
        await world.decide(DecisionKind.abort, cases.JONAS, reason="shown to be healthy, nothing more to watch")
        assert (await handle.result()).outcome == "reverted"


async def worse_again_then_held(world: World) -> None:
    verifying(world, watch_for="10m", on_regression="hold")
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await verified(world)
        world.signals.bad[Arm.baseline] = 60
        await world.reaches("not_verified")
        await world.decide(DecisionKind.abort, cases.JONAS, reason="the provider is down, not our release")
        assert (await handle.result()).outcome == "reverted_not_verified"


async def brought_back_from_quarantine(world: World) -> None:
    async with world.worker():
        guard = await reverted(world)
        comes_back(world)
        assert "is back in front of 5 %" in await guard.result()
        await opened_by_breach(world)


async def declared_by_a_person(world: World) -> None:
    async with world.worker():
        handle = await declare(world, cases.MARIA)
        await world.reaches("asking")
        await world.decide(DecisionKind.approve, cases.AMIRA)
        await world.decide(DecisionKind.approve, cases.JONAS)
        assert (await handle.result()).outcome == "reverted"


async def glass_broken_mid_stage(world: World) -> None:
    use(world, with_soak("60s"))
    world.people = fakes.FakePeople(cases.with_a_glass_breaker())
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await soaking(world, 1)
        await break_glass(world)
        assert (await handle.result()).outcome == "reverted"


def _in_three_members(world: World, on_failure: str) -> None:
    use(world, together(on_failure))
    baseline = world.release.baseline
    world.targets.named |= {"prompts": fakes.FakeAlias(baseline.prompt), "indexes": fakes.FakeAlias(baseline.index)}


SITUATIONS = (
    bundle_compensated,
    bundle_divided_then_resumed,
    evidence_incomplete_then_gone_on,
    worse_again_then_asked,
    worse_again_then_held,
    brought_back_from_quarantine,
    declared_by_a_person,
    glass_broken_mid_stage,
)
