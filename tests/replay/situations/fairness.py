"""Unfairness that is looked into: what a reviewer can find, and what can come between."""

from __future__ import annotations

from countermand import ids
from countermand.governance.decision import DecisionKind
from countermand.ledger.bodies import InvestigationEnded, InvestigationOverridden
from countermand.ledger.record import Kind
from tests import cases
from tests.waiting import until
from tests.workflows import test_fairness as looking
from tests.workflows.conftest import World
from tests.workflows.test_emergencies import break_glass
from tests.workflows.test_gates import use

ADJUSTMENT = "the guardrail lets regional wording through"


async def unfairness_found_then_reverted(world: World) -> None:
    _unfair(world)
    async with world.worker():
        handle = await world.open_incident()
        await looking.paused(world)
        await looking.find(world, "revert")
        await world.reaches("asking")
        await world.decide(DecisionKind.approve, cases.MARIA)
        await world.decide(DecisionKind.approve, cases.JONAS)
        await world.decide(DecisionKind.approve, looking.RUTH)
        assert (await handle.result()).outcome == "reverted"


async def unfairness_adjusted_then_looked_into_again(world: World) -> None:
    _unfair(world)
    async with world.worker():
        handle = await world.open_incident()
        await looking.paused(world)
        await looking.find(world, "adjust", adjustment=ADJUSTMENT)
        await world.reaches("held")
        await world.decide(DecisionKind.ask_again, cases.MARIA)

        async def second() -> bool:
            return len(await world.ledger.records(kinds=[Kind.investigation_opened])) == 2

        await until(second, "a second investigation is opened")
        await looking.find(world, "adjust", 2, adjustment=ADJUSTMENT)
        await world.reaches("held")
        candidate = cases.bundle("test-bot v8", prompt="sha256:prompt-2")
        another = world.release.model_copy(update={"release_id": f"{world.release.release_id}-2"})
        await cases.register(world.ledger, another.model_copy(update={"candidate": candidate}))
        await world.decide(DecisionKind.resume, cases.JONAS)
        assert (await handle.result()).outcome == "adjusted"


async def unfairness_without_evidence_then_continued(world: World) -> None:
    """More time once, then executives, then a finding."""
    _unfair(world)
    async with world.worker():
        handle = await world.open_incident()
        await looking.paused(world)
        assert (await looking.find(world, "insufficient_evidence")).status == "extended"
        assert (await looking.find(world, "insufficient_evidence")).status == "escalated"
        assert (await looking.find(world, "continue")).status == "continue"
        assert (await handle.result()).outcome == "continued"


async def unfairness_that_nobody_looked_into(world: World) -> None:
    """People are reminded, called and escalated to, until the time of the incident is over."""
    _unfair(world)
    async with world.worker():
        await world.open_incident()
        await looking.paused(world)
        handle = world.env.client.get_workflow_handle(ids.investigation_workflow(world.workflow_id, 1))
        await world.env.fast_forward(handle, 25 * looking.HOUR)
        ended = await looking.last(world, Kind.investigation_ended, InvestigationEnded)
        assert (ended.outcome, world.target.effects) == ("lapsed", [])


async def unfairness_overtaken_by_an_outage(world: World) -> None:
    """What is not about fairness goes its own way; the investigation outlives the incident."""
    use(world, looking.unfair_playbook(serious=True))
    world.people.governance = looking.governance()
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        assert (await handle.result()).outcome == "reverted"
        await looking.find(world, "continue")
        await looking.last(world, Kind.investigation_ended, InvestigationEnded)


async def unfairness_overtaken_by_broken_glass(world: World) -> None:
    _unfair(world)
    async with world.worker():
        handle = await world.open_incident()
        await looking.paused(world)
        await break_glass(world)
        assert (await handle.result()).outcome == "reverted"
        await looking.last(world, Kind.investigation_overridden, InvestigationOverridden)


def _unfair(world: World) -> None:
    use(world, looking.unfair_playbook())
    world.people.governance = looking.governance()


SITUATIONS = (
    unfairness_found_then_reverted,
    unfairness_adjusted_then_looked_into_again,
    unfairness_without_evidence_then_continued,
    unfairness_that_nobody_looked_into,
    unfairness_overtaken_by_an_outage,
    unfairness_overtaken_by_broken_glass,
)
