"""Revoke a standing authorisation at once: it only narrows, so one person is enough and no workflow is waited for."""

from __future__ import annotations

from activities.ports import Ledger, LedgerConflict
from countermand import ids
from countermand.governance.decision import Decision, Refusal, Refused
from countermand.governance.directory import Directory
from countermand.governance.rights import Action
from countermand.governance.shipped import rights_in_force
from countermand.governance.standing import check_revocation
from countermand.ledger.bodies import StandingRevoked
from countermand.messages.consent import ConsentView
from workflows.decisions import Answer


async def revoke(ledger: Ledger, view: ConsentView, decision: Decision, directory: Directory) -> Answer:
    """Record the revocation of what this consent issued. Raises Refused; the same decision again counts once."""
    name = str(view.opened.document.get("authorisation_id", ""))
    issued = view.right.action is Action.standing_authorisation and await ledger.find(ids.standing_issued(name))
    if not issued:
        raise Refused(
            Refusal.wrong_state,
            f"{view.opened.consent_id!r} issued no standing authorisation.",
            "Reject the request if it is still open.",
        )
    right = rights_in_force(directory.governance).row(Action.standing_authorisation, min(view.right.severities))
    check_revocation(decision, right, directory)
    body = StandingRevoked(
        authorisation_id=name,
        consent_id=view.opened.consent_id,
        reason=decision.reason,
        decision_id=decision.decision_id,
        name=decision.actor.printed_name,
    )
    try:
        await ledger.append(body.entry(ids.standing_revoked(name), decision.actor.subject))
    except LedgerConflict as error:
        raise Refused(
            Refusal.already_decided, f"{name!r} was revoked before.", "Nothing more is needed from you."
        ) from error
    return Answer(status="revoked", sentence=f"{name} is revoked; from now on people are asked.")
