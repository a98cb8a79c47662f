"""What workflows may record: never what only an activity or the console can know."""

from __future__ import annotations

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.recording import DONE_ELSEWHERE, RecordingActivities, RecordRequest
from countermand.ledger.bodies import FreezeCompleted, IncidentPhase, RolloutPromoted
from countermand.ledger.record import Entry, Kind
from tests import fakes


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
