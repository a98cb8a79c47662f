"""The incident from trigger to review, on the real server."""

from __future__ import annotations

from typing import NoReturn

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from countermand.governance.decision import DecisionKind
from countermand.ledger.record import Kind, verify_chain
from countermand.playbook.model import MANDATORY, Playbook, Severity, Step
from tests import cases
from tests.waiting import until
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


async def test_the_worst_trigger_decides_who_has_to_approve(world: World) -> None:
    document = cases.playbook_document()
    strict = {"roles": [{"role": "safety_lead", "min": 2}], "distinct_people": 2}
    document["approvals"]["sev1"] = document["approvals"]["sev2"] | {"quorum": strict}
    world.playbook = world.catalogue.the_playbook = Playbook.model_validate(document)
    async with world.worker():
        handle = await world.open_incident()
        first = await world.reaches("asking")
        assert first.plan is not None
        assert first.plan.severity is Severity.sev2
        await handle.signal("evidence_changed", world.verdict(120).model_copy(update={"severity": "sev1"}))

        async def asked_anew() -> bool:
            view = await world.view()
            return len(view.asks) == 2 and view.asks[1].status == "pending"

        await until(asked_anew, "a second request")
        view = await world.view()
    assert view.plan is not None
    assert view.plan.severity is Severity.sev1
    assert view.asks[1].opened.need_roles == ("safety_lead", "safety_lead")


async def test_evidence_that_can_never_be_frozen_ends_in_a_record_and_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(digest: str) -> NoReturn:
        raise ApplicationError("the evidence store is gone", non_retryable=True)

    monkeypatch.setattr(world.catalogue, "playbook_bytes", gone)
    document = cases.playbook_document() | {"incident_time_limit": "3s"}
    world.playbook = world.catalogue.the_playbook = Playbook.model_validate(document)
    async with world.worker():
        handle = await world.open_incident()
        closing = await handle.result()
    assert closing.outcome == "unresolved"
    assert world.ledger.kinds()[Kind.freeze_failed.value] <= 3
    assert world.target.effects == []


async def test_lrn_1_a_closed_incident_is_written_about_and_signed(world: World) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await handle.result()
        await world.write_review()
        signed = await world.decide(DecisionKind.sign_review, cases.MARIA)
        assert signed.status == "signed"
