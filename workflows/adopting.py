"""Whether a playbook may be used: people are asked, and what they sign is adopted (T9)."""

from __future__ import annotations

from temporalio import workflow

from activities.adopting import AdoptingActivities, AdoptRequest
from countermand import ids
from workflows import policies
from workflows.consent import Consent, ConsentInput, ConsentResult


@workflow.defn(name="AdoptPlaybook")
class AdoptPlaybook:
    """The document of the consent names the playbook by its digest; the activity reads who signed from the Ledger."""

    @workflow.run
    async def run(self, asked: ConsentInput) -> ConsentResult:
        consent = await workflow.execute_child_workflow(
            Consent.run,
            asked,
            id=ids.consent_workflow(asked.consent_id),
            static_summary="Consent to a playbook",
        )
        if consent.status == "given":
            await workflow.execute_activity_method(
                AdoptingActivities.adopt_playbook,
                AdoptRequest(consent_id=asked.consent_id),
                summary="Check what was signed, and adopt it",
                **policies.RECORD,
            )
        return consent
