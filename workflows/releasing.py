"""Release a legal hold: two people sign it, then it stands in the Ledger. Nothing is deleted by that (OBL-30)."""

from __future__ import annotations

from temporalio import workflow

from activities.retaining import ReleaseRequest, RetentionActivities
from countermand import ids
from workflows import policies
from workflows.consent import Consent, ConsentInput, ConsentResult


@workflow.defn(name="ReleaseHold")
class ReleaseHold:
    """The document of the consent names the hold."""

    @workflow.run
    async def run(self, asked: ConsentInput) -> ConsentResult:
        consent = await workflow.execute_child_workflow(
            Consent.run,
            asked,
            id=ids.consent_workflow(asked.consent_id),
            static_summary=asked.subject,
        )
        if consent.status == "given":
            await workflow.execute_activity_method(
                RetentionActivities.release_hold,
                ReleaseRequest(consent_id=asked.consent_id),
                summary="Release the hold",
                **policies.RECORD,
            )
        return consent
