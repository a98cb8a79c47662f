"""How an incident starts the guard that looks after it."""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.workflow import ParentClosePolicy

from countermand import ids
from countermand.plan.target import Value
from countermand.playbook.model import Severity
from workflows.incident_steps import Case
from workflows.visibility import labels

#: Workflows name each other by class; the guard opens incidents and incidents start the guard, so one of them cannot.
GUARD = "GuardWatch"


class GuardInput(Value):
    """What was reverted when, and until when it is looked at. `blind` and `states` carry over when it continues."""

    incident_id: str
    release_id: str
    environment: str
    service: str
    severity: Severity
    until: datetime
    blind: bool = False
    states: int = 0


async def start_guard(case: Case, guard: timedelta) -> None:
    """Have the target looked at for so long; it outlives the incident."""
    await workflow.start_child_workflow(
        GUARD,
        GuardInput(
            incident_id=case.incident_id,
            release_id=case.release_id,
            environment=case.environment,
            service=case.service,
            severity=case.severity,
            until=workflow.now() + guard,
        ),
        id=ids.guard_workflow(case.incident_id),
        parent_close_policy=ParentClosePolicy.ABANDON,
        search_attributes=labels(case.environment, case.service, case.release_id, case.severity.value),
        static_summary=f"Guard of {case.incident_id}",
    )
