"""The incident from trigger to review, on the real server."""

from __future__ import annotations

from temporalio.testing import WorkflowEnvironment

from countermand.governance.decision import DecisionKind
from countermand.ledger.record import Kind, verify_chain
from countermand.playbook.model import MANDATORY, Step
from tests import cases
from tests.workflows.conftest import World


async def test_two_people_approve_and_the_release_goes_back_in_three_stages(world: World) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        closing = await handle.result()
        await world.reviewed()
    view = await world.view()
    assert closing.outcome == "reverted"
    assert [share for _, share in world.target.effects] == [4_500, 2_500, 0]
    assert [stage.state for stage in view.stages] == ["completed"] * 3
    assert view.freeze is not None
    assert world.catalogue.status.closed_at is not None
    assert verify_chain(world.ledger.lines)[0] == len(world.ledger.lines)


async def test_evidence_is_frozen_and_intent_recorded_before_the_first_effect(world: World) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await handle.result()
    kinds = [record.kind for record in await world.ledger.records(incident_id=world.incident_id)]
    assert kinds.index(Kind.freeze_completed) < kinds.index(Kind.ask_opened) < kinds.index(Kind.stage_intent)
    pairs = [kind for kind in kinds if kind in (Kind.stage_intent, Kind.stage_outcome)]
    assert pairs == [Kind.stage_intent, Kind.stage_outcome] * 3


async def test_every_mandatory_audience_is_told_once_at_each_step_of_a_good_rollback(world: World) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await handle.result()
        await world.reviewed()
    path = {
        Step.incident_opened, Step.approval_asked, Step.approval_decided,
        Step.stage_completed, Step.reverted, Step.all_clear, Step.review_drafted,
    }  # fmt: skip
    expected = {(step.value, audience.value) for step in path for audience in MANDATORY[step]}
    assert expected <= world.channel.steps()
    assert len(world.channel.sent) == len(set(world.channel.sent))


async def test_a_rejection_changes_nothing_and_closes_the_incident(world: World) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        await world.decide(DecisionKind.reject, cases.MARIA, reason="the judge is wrong, looked at ten samples")
        closing = await handle.result()
    assert closing.outcome == "rejected"
    assert world.target.effects == []


async def test_nobody_decides_so_the_declared_hold_is_taken_and_people_are_asked_again(
    world: World, environment: WorkflowEnvironment
) -> None:
    async with world.worker():
        handle = await world.open_incident()
        view = await world.reaches("asking")
        assert view.ask is not None
        first = view.ask.opened.ask_id
        approval = environment.client.get_workflow_handle(view.ask.opened.workflow_id)
        await environment.fast_forward(approval, 31 * 60)
        held = await world.reaches("held")
        assert held.ask is not None
        assert held.ask.status == "expired"
        assert [rung.do for rung in held.ask.rungs] == ["remind", "escalate", "hold"]
        await world.decide(DecisionKind.ask_again, cases.JONAS)
        again = await world.reaches("asking")
        assert again.ask is not None
        assert again.ask.opened.supersedes == first
        await world.approve_by_two()
        assert (await handle.result()).outcome == "reverted"
    assert world.target.split.candidate_bp == 0
