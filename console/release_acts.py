"""What `decide()` does with acts about a release: a person declares an incident, or raises a concern."""

from __future__ import annotations

from activities.ports import Ledger
from console.temporal import Workflows
from countermand.governance import declaring
from countermand.governance.decision import Decision, DecisionKind, Refusal, Refused
from countermand.governance.directory import Directory
from countermand.governance.shipped import rights_in_force
from countermand.ledger.bodies import ConcernRaised
from countermand.messages.release import ReleaseView
from workflows.decisions import Answer
from workflows.incident_steps import Case


def check(decision: Decision, view: ReleaseView, directory: Directory) -> None:
    """Raise Refused unless this person may say this about the release now. Whoever starts a workflow judges again."""
    if view.closed is not None:
        raise Refused(
            Refusal.wrong_state, f"release {view.release_id!r} is closed: {view.closed.why}", "Nothing is watched."
        )
    if decision.kind is DecisionKind.declare:
        declaring.declared(decision)
    severity = declaring.severity_of(decision)
    table = rights_in_force(directory.governance)
    mode = decision.terms.get("mode", declaring.Mode.propose)
    declaring.check(decision, directory, declaring.right_to(decision.kind, severity, table, mode))


async def carry_out(ledger: Ledger, workflows: Workflows, decision: Decision, view: ReleaseView) -> Answer:
    """Carry out an act that is recorded; the same act again changes nothing. Raises Refused or OutcomeUnknown."""
    if decision.kind is DecisionKind.raise_concern:
        await ledger.append(
            _concern(decision).entry(
                f"concern/{decision.decision_id}", decision.actor.subject, release_id=view.release_id
            )
        )
        return Answer(status="recorded", sentence="your concern stands in the record.")
    if view.opens(decision):
        return await workflows.declare(decision, _case(decision, view))
    return await workflows.decide(decision)


def _concern(decision: Decision) -> ConcernRaised:
    actor = decision.actor
    return ConcernRaised(
        decision_id=decision.decision_id,
        subject=actor.subject,
        name=actor.printed_name,
        roles=actor.roles,
        severity=declaring.severity_of(decision).value,
        reason=decision.reason,
    )


def _case(decision: Decision, view: ReleaseView) -> Case:
    """What the incident is opened with; it compares it with what was signed."""
    statement = declaring.statement(decision)
    return Case(
        incident_id=decision.incident_id,
        release_id=view.release_id,
        environment=view.registered.environment,
        service=view.registered.service,
        severity=declaring.severity_of(decision),
        verdict=statement,
        opened_by=decision.actor.subject,
        declared=decision.decision_id,
    )
