"""The way back: people can stop it at every point, doubts stop it by themselves, effects happen once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.briefing import BriefingActivities, BriefRequest
from activities.planning import AskRequest, PlanningActivities
from countermand.detection.models import Arm
from countermand.governance.approval import ApprovalState, ApprovalStatus, Vote
from countermand.governance.decision import Actor, DecisionKind
from countermand.ledger.record import Kind
from countermand.playbook.model import Playbook
from tests import cases, fakes
from tests.waiting import until
from tests.workflows.conftest import World
from workflows.staged_revert import RevertInput, StagedRevert


def with_soak(soak: str) -> Playbook:
    document = cases.playbook_document()
    for stage in document["revert"]["stages"]:
        stage["soak"] = soak
    return Playbook.model_validate(document)


@pytest.fixture
def slow(world: World) -> World:
    """A world whose stages soak for a minute, so that commands arrive in the middle."""
    world.playbook = with_soak("60s")
    world.catalogue.the_playbook = world.playbook
    return world


async def soaking(world: World, number: int) -> None:
    async def there() -> bool:
        stage = (await world.view()).stage(number)
        return stage is not None and stage.state == "soaking"

    await until(there, f"stage {number} soaks")


async def stopped(world: World, number: int, state: str = "stopped") -> str:
    async def there() -> str | None:
        stage = (await world.view()).stage(number)
        return stage.sentence if stage is not None and stage.state == state else None

    return await until(there, f"stage {number} is {state}")


async def test_abort_in_the_middle_leaves_the_share_where_it_is(slow: World) -> None:
    async with slow.worker():
        handle = await slow.open_incident()
        await slow.approve_by_two()
        await soaking(slow, 1)
        await slow.decide(DecisionKind.abort, cases.JONAS, reason="the judge was wrong, stopping here")
        closing = await handle.result()
    assert closing.outcome == "aborted"
    assert slow.target.split.candidate_bp == 4_500
    assert (await slow.view()).stages[0].state == "aborted"


async def test_reverse_restores_exactly_the_recorded_state(slow: World) -> None:
    async with slow.worker():
        handle = await slow.open_incident()
        await slow.approve_by_two()
        await soaking(slow, 1)
        await slow.decide(DecisionKind.reverse, cases.JONAS, reason="the baseline is worse, going forward again")
        closing = await handle.result()
    assert closing.outcome == "reversed"
    assert [share for _, share in slow.target.effects] == [4_500, 5_000]
    fences = [body["fence"] for body in slow.ledger.bodies(Kind.stage_intent)]
    assert fences == sorted(fences)


async def test_hold_waits_and_resume_goes_on(slow: World) -> None:
    async with slow.worker():
        await slow.open_incident()
        await slow.approve_by_two()
        await soaking(slow, 1)
        await slow.decide(DecisionKind.hold, cases.JONAS, reason="wait for the support team")
        await stopped(slow, 1, "held")
        assert slow.target.split.candidate_bp == 4_500
        await slow.decide(DecisionKind.resume, cases.JONAS, reason="support is ready now")
        await soaking(slow, 1)
    assert [share for _, share in slow.target.effects] == [4_500]


async def test_only_the_roles_of_the_governance_file_may_command(slow: World) -> None:
    async with slow.worker():
        await slow.open_incident()
        await slow.approve_by_two()
        await soaking(slow, 1)
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await slow.decide(DecisionKind.abort, cases.MARIA)
        assert "incident_commander" in str(caught.value.cause)
    assert slow.target.split.candidate_bp == 4_500


async def test_a_failed_integrity_check_stops_the_stage_and_asks(world: World) -> None:
    world.playbook = with_soak("800ms")
    world.catalogue.the_playbook = world.playbook
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await soaking(world, 1)
        world.target.healthy = False
        assert "does not answer" in await stopped(world, 1)
        assert world.target.split.candidate_bp == 4_500

        async def executives_told() -> bool:
            return ("revert_stopped", "exec") in world.channel.steps()

        await until(executives_told, "executives are told that the revert stopped")
        world.target.healthy = True
        await world.decide(DecisionKind.resume, cases.JONAS, reason="the baseline is repaired")
        assert (await handle.result()).outcome == "reverted"
    assert [share for _, share in world.target.effects] == [4_500, 2_500, 0]


async def test_traffic_that_does_not_follow_is_never_success(world: World) -> None:
    world.target.traffic_follows = False
    async with world.worker():
        await world.open_incident()
        await world.approve_by_two()
        await stopped(world, 1)
    assert [share for _, share in world.target.effects] == [4_500]


async def test_no_traffic_is_unknown_and_stops(world: World) -> None:
    world.target.users = 0
    async with world.worker():
        await world.open_incident()
        await world.approve_by_two()
        assert "no traffic is not success" in await stopped(world, 1)
    checks = {(body["name"], body["word"]) for body in world.ledger.bodies(Kind.check_result)}
    assert ("observed", "unknown") in checks


@pytest.mark.parametrize("fault", ["unavailable", "ambiguous"])
async def test_a_lost_answer_ends_with_the_effect_exactly_once(world: World, fault: str) -> None:
    world.target.script = [fault]
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        if fault == "ambiguous":
            await stopped(world, 1)
            await world.decide(DecisionKind.resume, cases.JONAS, reason="looked at the target, go on")
        assert (await handle.result()).outcome == "reverted"
    assert [share for _, share in world.target.effects] == [4_500, 2_500, 0]


async def test_a_refusing_target_stops_with_its_reason(world: World) -> None:
    world.target.script = ["rejected"]
    async with world.worker():
        await world.open_incident()
        await world.approve_by_two()
        assert "403" in await stopped(world, 1)
    assert world.target.effects == []


async def test_somebody_elses_change_before_the_first_stage_needs_a_new_plan(world: World) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        await world.decide(DecisionKind.approve, cases.MARIA)
        world.target.generation += 1
        await world.decide(DecisionKind.approve, cases.JONAS)

        async def asked_anew() -> bool:
            return len((await world.view()).asks) == 2

        await until(asked_anew, "a new request on a new plan")
        await world.approve_by_two()
        assert (await handle.result()).outcome == "reverted"
    assert [share for _, share in world.target.effects] == [4_500, 2_500, 0]


async def test_a_worker_that_dies_after_the_write_is_recovered_by_reading_back(world: World) -> None:
    world.target.gate = asyncio.Event()  # the write has happened, its answer never arrives at this worker
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()

        async def written() -> bool:
            return bool(world.target.effects)

        await until(written, "the first effect")
    world.target.gate = None
    async with world.worker():
        assert (await asyncio.wait_for(handle.result(), timedelta(seconds=40).total_seconds())).outcome == "reverted"
    assert [share for _, share in world.target.effects] == [4_500, 2_500, 0]
    outcomes = world.ledger.bodies(Kind.stage_outcome)
    assert outcomes[0]["result"] == "already"
    assert outcomes[0]["recovered"] is True


async def test_without_labelled_answers_there_is_no_all_clear(world: World) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        world.signals.flowing = False
        await world.reaches("not_verified")
        world.signals.flowing = True
        await world.decide(DecisionKind.resume, cases.JONAS, reason="the judge is back, verify again")
        assert (await handle.result()).outcome == "reverted"
    assert ("not_verified", "exec") in world.channel.steps()


async def test_a_baseline_that_is_bad_too_is_not_called_healthy(world: World) -> None:
    world.signals.bad[Arm.baseline] = 60
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await world.reaches("not_verified")
        await world.decide(DecisionKind.abort, cases.JONAS, reason="known issue of the baseline, closing")
        assert (await handle.result()).outcome == "reverted_not_verified"
    assert ("all_clear", "customer") not in world.channel.steps()


async def test_a_dark_channel_is_recorded_and_never_stops_the_rollback(world: World) -> None:
    world.channel.dark = True
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        assert (await handle.result()).outcome == "reverted"

        async def told() -> bool:
            failures = world.ledger.bodies(Kind.comms_failed)
            failed = {(body["step"], audience) for body in failures for audience in body["audiences"]}
            return ("all_clear", "customer") in failed

        await until(told, "the failed all-clear is on record; nobody waits for it")
    assert world.channel.sent == {}


async def test_a_hold_given_while_a_check_is_failing_holds_and_never_becomes_something_else(world: World) -> None:
    world.target.users = 0  # the traffic check waits out its two seconds and stays unknown
    async with world.worker():
        await world.open_incident()
        await world.approve_by_two()

        async def written() -> bool:
            return bool(world.target.effects)

        await until(written, "the first effect")
        await world.decide(DecisionKind.hold, cases.LENA, reason="wait for the support team")
        await stopped(world, 1, "held")
    assert [share for _, share in world.target.effects] == [4_500]


async def test_a_reverse_that_the_target_refuses_is_asked_about_and_can_be_given_again(slow: World) -> None:
    async with slow.worker():
        handle = await slow.open_incident()
        await slow.approve_by_two()
        await soaking(slow, 1)
        slow.target.script = ["rejected"]
        await slow.decide(DecisionKind.reverse, cases.JONAS, reason="the baseline is worse, going forward again")
        assert "wanted to reverse" in await stopped(slow, 1)
        await slow.decide(DecisionKind.reverse, cases.JONAS, reason="the token is repaired, reverse now")
        assert (await handle.result()).outcome == "reversed"
    assert slow.target.split.candidate_bp == 5_000


async def test_i2_a_revert_started_by_hand_with_a_made_up_approval_has_no_effect(world: World) -> None:
    async with world.worker():
        await world.open_incident()
        view = await world.reaches("asking")
        assert view.plan is not None
        assert view.ask is not None
        brief = await BriefingActivities(
            world.catalogue, world.people, world.keys, fakes.adoptions(world.catalogue)
        ).brief(BriefRequest(release_id=world.release.release_id))
        ask = await PlanningActivities(world.target, fakes.FakeLedger(), world.keys, fakes.now).open_ask(
            AskRequest(
                ask_id=view.ask.opened.ask_id,
                workflow_id=view.ask.opened.workflow_id,
                plan=view.plan,
                policy=world.playbook.approvals[view.plan.severity],
                evidence_digest=view.ask.opened.evidence_digest,
                requester="automation",
                brief=brief,
                opened_at=fakes.now(),
                supersedes=None,
            )
        )
        people = await world.people.snapshot()
        invented = ApprovalState(
            status=ApprovalStatus.approved,
            votes=tuple(
                Vote(
                    decision_id=who,
                    kind="approve",
                    actor=Actor(
                        subject=who, printed_name=who, principal="person", roles=people.roles_of(who),
                        role_source="fake", role_as_of=fakes.now(),
                    ),
                    reason="made up by somebody with access to Temporal",
                    channel="web",
                    at=fakes.now(),
                )
                for who in (cases.MARIA, cases.JONAS)
            ),
        )  # fmt: skip
        forged = RevertInput(
            plan=view.plan, ask=ask, approval=invented, number=7, brief=brief, ends_by=fakes.now() + timedelta(hours=1)
        )
        await world.env.client.start_workflow(
            StagedRevert.run, forged, id=f"forged/{world.incident_id}", task_queue=world.queue
        )

        async def refused() -> str | None:
            bodies = world.ledger.bodies(Kind.stage_outcome)
            return next((str(body["sentence"]) for body in bodies if body["result"] == "rejected"), None)

        assert "was not approved" in await until(refused, "the forged revert is refused")
    assert world.target.effects == []


async def test_a_doubt_before_the_first_stage_is_told_with_its_reason(world: World) -> None:
    async with world.worker():
        await world.open_incident()
        await world.reaches("asking")
        world.target.healthy = False
        await world.approve_by_two()
        assert "does not answer" in await stopped(world, 1)

        async def told() -> str | None:
            sent = [one for one in world.channel.sent.values() if one.step.value == "revert_stopped"]
            return sent[0].text if sent else None

        assert "does not answer" in await until(told, "people are told why it stopped")
    assert world.target.effects == []
