"""Take a version off the deny list or out of quarantine: people sign it, then it stands in the Ledger (GOV-45, 48)."""

from __future__ import annotations

from temporalio import workflow

from activities.marking import MarkingActivities, MarkRequest
from activities.recording import RecordingActivities, RecordRequest
from countermand import ids
from countermand.governance.rights import Action
from countermand.ledger.bodies import QuarantineLifted, VersionAllowed
from workflows import policies
from workflows.consent import Consent, ConsentInput, ConsentResult


@workflow.defn(name="AllowVersion")
class AllowVersion:
    """The document of the consent is an allowance or a lifting; whoever reads the lists checks its signatures again."""

    @workflow.run
    async def run(self, asked: ConsentInput) -> ConsentResult:
        consent = await workflow.execute_child_workflow(
            Consent.run,
            asked,
            id=ids.consent_workflow(asked.consent_id),
            static_summary="Consent to use a denied version again",
        )
        if consent.status == "given":
            body = _ended(asked)
            await workflow.execute_activity_method(
                RecordingActivities.record,
                RecordRequest(entries=(body.entry(ids.version_allowed(asked.consent_id), "worker"),)),
                summary="The version may be used again",
                **policies.RECORD,
            )
            if isinstance(body, QuarantineLifted):
                await workflow.execute_activity_method(
                    MarkingActivities.mark_version,
                    MarkRequest(incident_id=body.by_incident, status="allowed"),
                    summary="Take the tag off where the target has one",
                    **policies.RECORD,
                )
        return consent


def _ended(asked: ConsentInput) -> VersionAllowed | QuarantineLifted:
    """What ends what stood against the version."""
    said = asked.document
    about = {"digest": str(said["digest"]), "environment": asked.environment, "consent_id": asked.consent_id}
    if said["act"] == Action.re_release.value:
        return QuarantineLifted(**about, by_incident=str(said["incident_id"]))
    return VersionAllowed(**about)
