"""What is learned afterwards: reviews, changes of thresholds, duties that come again."""

from __future__ import annotations

from datetime import timedelta

from countermand.cadence import acts
from countermand.governance.decision import DecisionKind
from countermand.ledger.record import Kind
from countermand.review.parts import Part
from tests import cases
from tests.waiting import until
from tests.workflows import test_cadence_run as cadence
from tests.workflows import test_review as reviews
from tests.workflows import test_threshold_change as thresholds
from tests.workflows.conftest import World
from workflows.cadence_run import CadenceInput, CadenceRun


async def review_overdue_then_signed_and_its_action_verified(world: World) -> None:
    held = reviews.Held(world)
    async with world.worker():
        handle = await held.start()
        drafted = await held.has(Kind.review_drafted)
        action = await held.opens(held.now + 20 * reviews.DAY, before_re_release="yes")
        await held.pass_time(handle, 5 * reviews.DAY + timedelta(hours=1))
        await held.has(Kind.review_escalated, point="0d")
        await held.writes(*(Part(name) for name in drafted.body["required"]))
        assert (await held.does(cases.MARIA, publication="customers")).status == "signed"
        await held.pass_time(handle, 16 * reviews.DAY)
        await held.has(Kind.action_escalated, action_id=action, point="0d")
        await held.does(cases.JONAS, act="verify_action", action=action, result="200 samples compared, 3 differ")
        assert (await handle.result()).outcome == "signed"


async def threshold_changed_and_compared_after_a_month(world: World) -> None:
    await thresholds.test_r93_from_a_proposal_to_what_came_of_it(thresholds.Desk(world, world.env))


async def threshold_stopped_then_waived_then_withdrawn(world: World) -> None:
    desk = thresholds.Desk(world, world.env)
    desk.backtests.said = {"missed": ("spring",)}
    async with world.worker(more=desk.activities()):
        await desk.begin(3)
        handle = await desk.propose(thresholds.version(2, 9))
        await desk.reaches("stopped")
        await desk.decide(DecisionKind.waive_finding, thresholds.SAFETY, terms={"waives": "spring"})
        await desk.reaches("shadowing")
        await desk.decide(DecisionKind.withdraw, thresholds.ASKER)
        assert (await handle.result()).outcome == "withdrawn"


async def threshold_stopped_and_nobody_waives(world: World) -> None:
    await thresholds.test_lrn_10_nobody_waives_so_it_expires_and_nothing_changes(thresholds.Desk(world, world.env))


async def threshold_withdrawn_while_people_sign(world: World) -> None:
    await thresholds.test_lrn_12_people_withdraw_while_signatures_are_missing_and_what_was_asked_is_closed(
        thresholds.Desk(world, world.env)
    )


async def duty_of_a_machine_done(world: World) -> None:
    office = cadence.Office(
        world.env, queue=world.queue, audits={"governance_audit": cadence.finding("Nobody holds it.")}
    )
    async with office.worker():
        await (await office.start("governance_audit", number=0)).result()
    assert len(office.ledger.bodies(Kind.cadence_done)) == 1


async def duty_of_people_done(world: World) -> None:
    office = cadence.Office(world.env, queue=world.queue)
    async with office.worker():
        handle = await office.start("tabletop")
        await office.asked(1)
        said = acts.terms("done", "tabletop", "", minutes=90)
        await office.decide(cases.MARIA, said, "Five of us, two surprises.")
        await handle.result()


async def duty_due_put_off_then_missed(world: World) -> None:
    """A look finds it due; nobody is free, not even an executive."""
    office = cadence.Office(world.env, queue=world.queue)
    office.cadence.changed = {"tabletop": {"every": timedelta(milliseconds=1), "answer_within": timedelta(seconds=1)}}
    await cadence.duties_planned(office.ledger, office.cadence)
    async with office.worker():
        await world.env.client.execute_workflow(
            CadenceRun.run, CadenceInput(duty="tabletop"), id=f"look-{world.queue}", task_queue=world.queue
        )

        async def missed() -> bool:
            return bool(office.ledger.bodies(Kind.cadence_missed))

        await until(missed, "it is missed")
    assert [one["escalated"] for one in office.ledger.bodies(Kind.cadence_moved)] == [False, False, True]


SITUATIONS = (
    review_overdue_then_signed_and_its_action_verified,
    threshold_changed_and_compared_after_a_month,
    threshold_stopped_then_waived_then_withdrawn,
    threshold_stopped_and_nobody_waives,
    threshold_withdrawn_while_people_sign,
    duty_of_a_machine_done,
    duty_of_people_done,
    duty_due_put_off_then_missed,
)
