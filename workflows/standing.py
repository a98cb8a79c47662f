"""Issue a standing authorisation: people sign it in calm time, then it stands in the Ledger (GOV-28)."""

from __future__ import annotations

from temporalio import workflow

from activities.recording import RecordingActivities, RecordRequest
from countermand import ids
from countermand.governance.standing import StandingAuthorisation
from countermand.ledger.bodies import StandingIssued
from workflows import policies
from workflows.consent import Consent, ConsentInput, ConsentResult


@workflow.defn(name="IssueStanding")
class IssueStanding:
    """The document of the consent is the authorisation without its signers."""

    @workflow.run
    async def run(self, asked: ConsentInput) -> ConsentResult:
        consent = await workflow.execute_child_workflow(
            Consent.run,
            asked,
            id=ids.consent_workflow(asked.consent_id),
            static_summary="Consent to a standing authorisation",
        )
        if consent.status == "given":
            issued = StandingAuthorisation.model_validate({**asked.document, "signers": consent.signers})
            body = StandingIssued(authorisation=issued.model_dump(mode="json"), consent_id=asked.consent_id)
            entry = body.entry(ids.standing_issued(issued.authorisation_id), "worker")
            await workflow.execute_activity_method(
                RecordingActivities.record,
                RecordRequest(entries=(entry,)),
                summary="Issue the standing authorisation",
                **policies.RECORD,
            )
        return consent
