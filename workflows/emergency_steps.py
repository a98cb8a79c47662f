"""The activities and child workflows of what people start out of order; `Incident` tells when and why."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError
from temporalio.workflow import ParentClosePolicy

from activities.briefing import Brief
from activities.emergencies import (
    DeclaredRequest,
    Eligible,
    EligibleRequest,
    EmergencyActivities,
    GlassRequest,
    GlassTaken,
)
from countermand import ids
from countermand.governance.break_glass import Emergency
from countermand.governance.decision import Decision
from countermand.governance.glass_box import GlassBox
from countermand.governance.rights import Action
from countermand.ledger.bodies import GlassBroken
from countermand.playbook.model import Severity
from workflows import policies
from workflows.consent import Consent, ConsentInput
from workflows.decisions import Answer, refuse_in_words
from workflows.incident_steps import Case

#: For so long a person who breaks the glass waits for the target to say whether it is ready.
_LOOK_FOR = timedelta(seconds=8)
#: For so long planning waits for a target that does not answer; then people are asked.
_PLAN_FOR = timedelta(minutes=1)


async def confirm_declared(case: Case) -> None:
    """Raises ActivityError unless the person the case names signed it, as the Ledger says."""
    await workflow.execute_activity_method(
        EmergencyActivities.confirm_declared,
        DeclaredRequest(
            decision_id=case.declared or "",
            workflow_id=workflow.info().workflow_id,
            incident_id=case.incident_id,
            severity=case.severity,
            opened_by=case.opened_by,
            verdict=case.verdict,
        ),
        summary="Did the person sign this declaration?",
        **policies.RECORD,
    )


async def accept_glass(glass: GlassBox, brief: Brief, decision: Decision) -> Answer:
    """Nothing is asked of anybody; only the last known good version has to be able to take all users."""
    known = True if decision.terms["emergency"] != Emergency.last_known_good else None
    ready = known or (await _eligible(brief)).word
    refuse_in_words(lambda one: glass.give(one, eligible=ready), decision)
    return Answer(status="accepted", sentence="the glass is broken; others are asked to ratify it.")


async def _eligible(brief: Brief) -> Eligible:
    """Whether the baseline can take everybody."""
    try:
        return await workflow.execute_activity_method(
            EmergencyActivities.eligible,
            EligibleRequest(brief=brief),
            summary="Can the last known good version take all users?",
            **policies.read_target(_LOOK_FOR),
        )
    except ActivityError as error:
        return Eligible(word=None, sentence=str(error.cause or error))


async def take_glass(case: Case, brief: Brief, severity: Severity, decision_id: str, number: int) -> GlassTaken:
    """Fix what break-glass does, and record it. Raises ActivityError."""
    return await workflow.execute_activity_method(
        EmergencyActivities.break_glass,
        GlassRequest(
            decision_id=decision_id, incident_id=case.incident_id, severity=severity, brief=brief, number=number
        ),
        summary="Break the glass: fix what is done, before it is done",
        **policies.read_target(_PLAN_FOR),
    )


async def ask_ratification(case: Case, brief: Brief, broken: GlassBroken) -> None:
    """Ask others to ratify what was done; it outlives the incident and never lapses (GOV-39)."""
    consent_id = ids.ratification(broken.decision_id)
    await workflow.start_child_workflow(
        Consent.run,
        ConsentInput(
            consent_id=consent_id,
            right=brief.rights.row(Action.decide_plan, Severity.sev1),
            subject=f"{broken.name} broke the glass ({broken.emergency.replace('_', ' ')}) in {case.incident_id}: "
            "was that right?",
            document={"glass_broken": broken.model_dump(mode="json"), "incident_id": case.incident_id},
            requester=broken.subject,
            excluded=(broken.subject,),
            incident_id=case.incident_id,
            release_id=case.release_id,
            environment=case.environment,
            time_limit=max(broken.ratify_by - workflow.now(), timedelta(seconds=1)),
            overdue="escalate_daily",
            directory=brief.directory,
            keys=brief.keys,
        ),
        id=ids.consent_workflow(consent_id),
        parent_close_policy=ParentClosePolicy.ABANDON,
        search_attributes=case.labels,
        static_summary=f"Ratification of break-glass in {case.incident_id}",
    )
