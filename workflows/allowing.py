"""Take a version off the deny list: people sign it, then it stands in the Ledger (GOV-45)."""

from __future__ import annotations

from temporalio import workflow

from activities.recording import RecordingActivities, RecordRequest
from countermand import ids
from countermand.ledger.bodies import VersionAllowed
from workflows import policies
from workflows.consent import Consent, ConsentInput, ConsentResult


@workflow.defn(name="AllowVersion")
class AllowVersion:
    """The document of the consent is an allowance; whoever reads the list checks its signatures again."""

    @workflow.run
    async def run(self, asked: ConsentInput) -> ConsentResult:
        consent = await workflow.execute_child_workflow(
            Consent.run,
            asked,
            id=ids.consent_workflow(asked.consent_id),
            static_summary=asked.subject,
        )
        if consent.status == "given":
            body = VersionAllowed(
                digest=str(asked.document["digest"]), environment=asked.environment, consent_id=asked.consent_id
            )
            await workflow.execute_activity_method(
                RecordingActivities.record,
                RecordRequest(entries=(body.entry(ids.version_allowed(asked.consent_id), "worker"),)),
                summary="Take the version off the deny list",
                **policies.RECORD,
            )
        return consent
