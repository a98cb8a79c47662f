"""What people decide about a proposed change of thresholds, and about thresholds that stay (LRN-10).

A decision carries `terms`. Automation can do none of this.
"""

from __future__ import annotations

from datetime import datetime

from countermand import ids
from countermand.canonical import parse_instant
from countermand.governance.ballot import refuse_short
from countermand.governance.decision import Decision, DecisionKind, Refusal, Refused
from countermand.governance.directory import Directory
from countermand.governance.rights import Right
from countermand.learning.change import ChangeView
from countermand.learning.guardrails import LONGEST_REVIEW, QUALITATIVE
from countermand.ledger.bodies import ThresholdReviewed, ThresholdWaived

#: Who accepts what the guardrails found.
WAIVES = ("safety_lead",)
#: Kinds of decision about one proposal.
KINDS = (DecisionKind.withdraw, DecisionKind.waive_finding)


def roles_for(kind: DecisionKind, right: Right) -> tuple[str, ...]:
    """Who may do it. right: the row for the people who adopt a laxer threshold."""
    match kind:
        case DecisionKind.waive_finding:
            return WAIVES
        case DecisionKind.review_thresholds:
            return QUALITATIVE
        case _:
            return right.roles


def check(decision: Decision, directory: Directory, right: Right, *, own: bool = False) -> None:
    """Raise Refused unless this person may do this now. The caller has verified the signature.

    own: the proposal is theirs, which they may always withdraw.
    """
    actor, roles = decision.actor, roles_for(decision.kind, right)
    if actor.principal != "person":
        raise Refused(Refusal.actor_not_a_person, "automation can never decide.", "A person has to sign in and decide.")
    if directory.is_excluded(actor.subject):
        raise Refused(Refusal.external_account, f"{actor.subject!r} may not take part.", "Use your own account.")
    if not own and not set(roles) & set(actor.roles):
        people = ", ".join(person.name for person in directory.holders(*roles)) or "nobody"
        raise Refused(
            Refusal.not_your_role,
            f"this needs the role {' or '.join(roles)}; you hold {', '.join(actor.roles) or 'no role'}.",
            f"Ask one of: {people}.",
        )
    refuse_short(decision)


def withdraw(decision: Decision, view: ChangeView) -> str:
    """The sentence that ends the proposal. Raises Refused when it is over or in force."""
    if view.ended is not None:
        raise Refused(Refusal.already_decided, f"it is over: {view.ended.outcome}.", "Nothing is needed from you.")
    if view.status == "comparing":
        raise Refused(
            Refusal.wrong_state,
            "it was adopted and is in force.",
            "Propose to go back to the version before; people sign that as they signed this.",
        )
    return f"{decision.actor.printed_name} withdrew it. Nothing changed."


def waived(decision: Decision, view: ChangeView, directory: Directory) -> ThresholdWaived:
    """The record of a waiver. Raises Refused."""
    named = decision.terms.get("waives", "")
    if view.ended is not None or view.judged is None:
        raise Refused(Refusal.wrong_state, "nothing waits for a waiver here.", "Open the proposal to see its state.")
    if decision.approval_digest != view.judged.backtest:
        raise Refused(
            Refusal.stale, "you decided on another backtest than the one on record.", "Open the proposal, and read it."
        )
    if directory.principal_of(decision.actor.subject) == directory.principal_of(view.proposed.proposed_by):
        raise Refused(Refusal.four_eyes, "you proposed it yourself.", "Another safety lead has to sign the waiver.")
    open_ = [one.name for one in view.stops if one.word == "stops"]
    if named not in open_:
        raise Refused(
            Refusal.wrong_state,
            f"{named!r} is nothing that a waiver is needed for.",
            f"Accepted now: {', '.join(open_) or 'nothing'}.",
        )
    actor = decision.actor
    return ThresholdWaived(
        proposal_id=view.proposal_id,
        backtest=view.judged.backtest,
        waives=named,
        decision_id=decision.decision_id,
        subject=actor.subject,
        name=actor.printed_name,
        roles=actor.roles,
        reason=decision.reason.strip(),
    )


def reviewed(decision: Decision, now: datetime) -> ThresholdReviewed:
    """The record that thresholds stay as they are for now. Raises Refused."""
    try:
        until = parse_instant(decision.terms.get("until", ""))
    except ValueError as error:
        raise Refused(
            Refusal.wrong_state, f"{error}.", "Say until when, for example 2027-01-31T00:00:00.000000Z."
        ) from error
    if not now < until <= now + LONGEST_REVIEW:
        raise Refused(Refusal.wrong_state, "the next review has to be within a year.", "Name a nearer day.")
    playbook = decision.terms.get("playbook", "")
    if decision.addressed_to != ids.threshold_review(playbook):
        raise Refused(Refusal.wrong_state, f"this decision is not about {playbook!r}.", "Decide on its own page.")
    return ThresholdReviewed(
        playbook=playbook,
        review_on=until,
        decision_id=decision.decision_id,
        subject=decision.actor.subject,
        name=decision.actor.printed_name,
        reason=decision.reason.strip(),
    )
