"""What workflows may record: never what only an activity or the console can know."""

from __future__ import annotations

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.recording import DONE_ELSEWHERE, RecordingActivities, RecordRequest
from countermand.governance.decision import DecisionKind
from countermand.governance.directory import Directory
from countermand.ledger.bodies import (
    EvidenceReleased,
    FreezeCompleted,
    IncidentPhase,
    InvestigationFound,
    RolloutPromoted,
)
from countermand.ledger.record import Entry, Kind
from tests import cases, fakes, reviewing


async def record(ledger: fakes.FakeLedger, *entries: Entry) -> None:
    await ActivityEnvironment().run(RecordingActivities(ledger).record, RecordRequest(entries=entries))


async def test_a_proof_cannot_be_recorded_by_whoever_starts_workflows_by_hand() -> None:
    ledger = fakes.FakeLedger()
    frozen = FreezeCompleted(inventory_sha256="sha256:0", items=())
    promoted = RolloutPromoted(
        rollout_id="r", step=1, plan_digest="sha256:p", signals=("hallucinations",), certificate={}, sentence="Shown."
    )
    for body in (frozen, promoted):
        with pytest.raises(ApplicationError, match="not a workflow's to record") as refused:
            await record(ledger, body.entry("k", "worker", incident_id="inc-1"))
        assert refused.value.non_retryable
    assert ledger.lines == []


def test_decisions_writes_and_what_they_rest_on_are_never_a_workflows_to_record() -> None:
    assert {Kind.decision, Kind.stage_intent, Kind.stage_outcome, Kind.freeze_completed} <= DONE_ELSEWHERE
    assert IncidentPhase.KIND not in DONE_ELSEWHERE


#: What a workflow says itself. A new kind is in here, or in DONE_ELSEWHERE: somebody has decided which.
SAID_BY_WORKFLOWS = frozenset(
    {
        *(Kind.verdict, Kind.rollout_held, Kind.rollout_skipped, Kind.incident_opened, Kind.incident_phase),
        *(Kind.incident_closed, Kind.freeze_started, Kind.freeze_failed, Kind.freeze_waived, Kind.ask_rung),
        *(Kind.ask_extended, Kind.ask_vote, Kind.ask_closed, Kind.stage_state, Kind.comms_failed),
        *(Kind.update_overdue, Kind.consent_opened, Kind.consent_vote, Kind.consent_overdue, Kind.consent_closed),
        *(Kind.standing_issued, Kind.version_allowed, Kind.quarantine_lifted, Kind.requarantine_breach),
        *(Kind.guard_state, Kind.investigation_opened, Kind.investigation_filled, Kind.investigation_rung),
        *(Kind.investigation_found, Kind.investigation_overridden, Kind.investigation_ended),
        *(Kind.threshold_phase, Kind.threshold_ended),
    }
)


def test_every_kind_is_a_workflows_to_record_or_is_refused() -> None:
    assert set(Kind) - DONE_ELSEWHERE == SAID_BY_WORKFLOWS


async def test_nobody_forges_the_record_that_lets_them_take_every_word() -> None:
    ledger = fakes.FakeLedger()
    body = EvidenceReleased(
        scope={}, profile="full", manifest_sha256="../../x", subject="local|eve", name="Eve", roles=(), reason="forged"
    )
    with pytest.raises(ApplicationError, match="not a workflow's to record"):
        await record(ledger, body.entry("k", "worker"))
    assert ledger.lines == []


async def test_nobody_forges_a_finding_that_the_person_did_not_sign() -> None:
    ledger, keys = fakes.FakeLedger(), fakes.FakeKeys()
    people = Directory(governance=cases.governance(), digest="sha256:d", source="test", as_of=fakes.now())
    kind = DecisionKind.decide_finding
    made = reviewing.decision(keys, people, cases.MARIA, "inc-1", kind=kind, outcome="continue")
    found = InvestigationFound(
        investigation_id="inc-1-investigation",
        decision_id=made.decision_id,
        subject=cases.MARIA,
        name="Maria Keller",
        outcome="continue",
        reason="looked at forty samples",
        adjustment="",
        digest="sha256:0",
        missing=(),
        until=None,
        rules="investigation/1",
    )
    with pytest.raises(ApplicationError, match="which does not say this"):
        await record(ledger, found.entry("k", "worker", incident_id="inc-1"))
    await reviewing.put_decision(ledger, made)
    changed = {"outcome": "revert"}, {"subject": cases.JONAS}
    for entry in (found.model_copy(update=one).entry("k", "worker", incident_id="inc-1") for one in changed):
        with pytest.raises(ApplicationError, match="which does not say this"):
            await record(ledger, entry)
    await record(ledger, found.entry("k", "worker", incident_id="inc-1"))


async def test_a_body_that_nobody_can_read_again_is_never_recorded() -> None:
    ledger = fakes.FakeLedger()
    torn = Entry(kind=Kind.incident_opened, idem_key="k", actor="worker", body={"workflow_id": 7}, incident_id="inc-0")
    with pytest.raises(ApplicationError, match="does not look like this") as refused:
        await record(ledger, torn)
    assert refused.value.non_retryable
    assert ledger.lines == []
