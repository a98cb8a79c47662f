"""How a consent stands in the Ledger: the bodies of its records, made from its request and state."""

from __future__ import annotations

from countermand.governance.consent import RULES, ConsentRequest, ConsentState, have, missing
from countermand.governance.decision import Decision, DecisionKind
from countermand.ledger.bodies import ConsentClosed, ConsentOpened, ConsentOverdue, ConsentVote


def opened(request: ConsentRequest) -> ConsentOpened:
    """That it is asked, and of whom."""
    return ConsentOpened(
        consent_id=request.consent_id,
        workflow_id=request.workflow_id,
        subject=request.subject,
        document=request.document,
        right=request.right.model_dump(mode="json"),
        approval_digest=request.approval_digest,
        requester=request.requester,
        excluded=request.excluded,
        environment=request.environment,
        asked=tuple(person.name for person in request.directory.holders(*request.right.roles)),
        opened_at=request.opened_at,
        expires_at=request.expires_at,
        overdue=request.overdue,
        governance_digest=request.directory.digest,
        rules=RULES,
    )


def vote(request: ConsentRequest, state: ConsentState, decision: Decision) -> ConsentVote:
    """One decision that counted, and the state after it."""
    words = {DecisionKind.reject: "reject", DecisionKind.retract: "retract"}
    return ConsentVote.model_validate(
        {
            "consent_id": request.consent_id,
            "decision_id": decision.decision_id,
            "vote": words.get(decision.kind, "approve"),
            "subject": decision.actor.subject,
            "name": decision.actor.printed_name,
            "roles": decision.actor.roles,
            "reason": decision.reason.strip(),
            "channel": decision.channel,
            "have": have(request, state),
            "need": len(request.right.slots()),
            "missing": missing(request, state),
        }
    )


def overdue(request: ConsentRequest, state: ConsentState, number: int) -> ConsentOverdue:
    """One reminder."""
    return ConsentOverdue(
        consent_id=request.consent_id, number=number, due=request.expires_at, missing=missing(request, state)
    )


def closed(request: ConsentRequest, state: ConsentState) -> ConsentClosed:
    """How it ended."""
    return ConsentClosed.model_validate(
        {"consent_id": request.consent_id, "status": state.status.value, "because": state.because}
    )
