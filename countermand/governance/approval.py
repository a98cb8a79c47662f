"""The Approval state machine (GOV-8…GOV-16): pure, deterministic, the same in workflow and tests.

Order when several things happen in one instant: withdraw, expire, stale, reject, approve (GOV-16).
`RULES` names the version of these rules; it stands in every record of an approval.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from countermand.canonical import instant
from countermand.governance import ballot
from countermand.governance.ask import (
    RULES,
    ApprovalState,
    ApprovalStatus,
    Ask,
    Vote,
    deadline,
    quorum_of,
)
from countermand.governance.ballot import MIN_REASON
from countermand.governance.decision import Decision, DecisionKind, Refusal, Refused
from countermand.governance.eligibility import own_votes, refuse_ended_delegation, refuse_ineligible
from countermand.governance.ladder import acknowledge, due_rungs, may_page
from countermand.governance.signature import refuse_weak

__all__ = [
    "MIN_REASON",
    "RULES",
    "ApprovalState",
    "ApprovalStatus",
    "Ask",
    "Vote",
    "acknowledge",
    "apply",
    "check",
    "deadline",
    "due_rungs",
    "expire",
    "may_page",
    "quorum_of",
    "settle",
    "supersede",
]

#: Kinds in the order in which they are looked at when they meet in one instant (GOV-16). What changes who has voted
#: or until when comes before the votes.
_ORDER = (
    DecisionKind.withdraw,
    DecisionKind.extend,
    DecisionKind.retract,
    DecisionKind.reject,
    DecisionKind.approve,
)


def check(ask: Ask, state: ApprovalState, decision: Decision, now: datetime) -> None:
    """Raise Refused unless `decision` counts at `now`. Changes nothing and does no I/O."""
    ballot.refuse_unfit(ask, decision, state.used)
    if state.closed:
        raise Refused(
            Refusal.expired if state.status is ApprovalStatus.expired else Refusal.already_decided,
            f"this request is already {state.status.value}: {state.because}",
            "Nothing is needed from you; open the incident to see what happens now.",
        )
    refuse_ended_delegation(ask, decision.actor, now)
    if decision.kind is DecisionKind.withdraw:
        if ask.directory.principal_of(decision.actor.subject) != ask.directory.principal_of(ask.requester):
            ask.directory.permit(decision.kind, decision.actor.roles)
        return
    ballot.refuse_late(deadline(ask, state), now)
    ballot.refuse_stale(ask, decision)
    match decision.kind:
        case DecisionKind.retract:
            if not own_votes(ask, state, decision.actor):
                raise Refused(Refusal.wrong_state, "you have not voted on this request.", "Approve or reject it.")
        case DecisionKind.extend:
            _check_extension(ask, state, decision)
        case DecisionKind.approve | DecisionKind.reject:
            refuse_ineligible(ask, state, decision, now)
            if decision.kind is DecisionKind.approve:
                # A rejection changes nothing and people can be asked again: whoever has no key at hand may still stop.
                refuse_weak(decision, ask.signature_class)
            ballot.refuse_short(decision)
        case _:
            raise Refused(
                Refusal.wrong_state,
                f"{decision.kind.value} does not apply to a request for approval.",
                "Use approve, reject, retract, extend or withdraw.",
            )


def _check_extension(ask: Ask, state: ApprovalState, decision: Decision) -> None:
    if not ask.asked_roles & set(decision.actor.roles):
        raise Refused(
            Refusal.not_your_role,
            f"only people who are asked can extend the time limit: {', '.join(sorted(ask.asked_roles))}.",
            "Tell one of them.",
        )
    if state.extended_until is not None:
        raise Refused(
            Refusal.wrong_state,
            f"the time limit was extended before, to {instant(state.extended_until)}; this is possible once.",
            "Decide until then; people are asked again if nobody does.",
        )
    ballot.refuse_short(decision)


def apply(ask: Ask, state: ApprovalState, decision: Decision, now: datetime) -> ApprovalState:
    """The state after a decision that `check` accepted. Raises Refused exactly as `check` does."""
    check(ask, state, decision, now)
    state = state.model_copy(update={"used": (*state.used, decision.decision_id)})
    who = decision.actor.printed_name
    match decision.kind:
        case DecisionKind.withdraw:
            return _close(state, ApprovalStatus.withdrawn, f"withdrawn by {who}", now)
        case DecisionKind.retract:
            struck = own_votes(ask, state, decision.actor)
            return state.model_copy(update={"votes": tuple(vote for vote in state.votes if vote not in struck)})
        case DecisionKind.extend:
            window = ask.expires_at - ask.opened_at
            return state.model_copy(update={"extended_until": ask.expires_at + window})
        case _:
            vote = Vote(
                decision_id=decision.decision_id,
                kind="reject" if decision.kind is DecisionKind.reject else "approve",
                actor=decision.actor,
                reason=decision.reason.strip(),
                channel=decision.channel,
                at=now,
            )
    state = state.model_copy(update={"votes": (*state.votes, vote)})
    if vote.kind == "reject":
        return _close(state, ApprovalStatus.rejected, f"rejected by {who}", now)
    if quorum_of(ask, state).satisfied:
        people = " and ".join(vote.actor.printed_name for vote in state.votes)
        return _close(state, ApprovalStatus.approved, f"approved by {people}", now)
    return state


def expire(
    ask: Ask, state: ApprovalState, now: datetime, standing: str = "", degraded: Sequence[str] = ()
) -> ApprovalState:
    """Expired if `now` has reached the time limit (GOV-13: equality is expiry), else unchanged.

    `standing`: id of the standing authorisation under which the declared default proceeds (`default_on_timeout`); the
    approval then rests on it. `degraded`: why it does not proceed although that was declared.
    """
    if state.closed or now < deadline(ask, state):
        return state
    if standing:
        state = state.model_copy(update={"basis": "standing_authorisation"})
        because = f"nobody decided in time, and standing authorisation {standing!r} covers this plan"
        return _close(state, ApprovalStatus.approved, because, now)
    have = quorum_of(ask, state).people
    because = f"nobody decided in time ({have} of {ask.policy.quorum.distinct_people} people approved)"
    if degraded:
        because += f"; it does not proceed: {'; '.join(degraded)}"
    return _close(state, ApprovalStatus.expired, because, now)


def supersede(state: ApprovalState, why: str, now: datetime) -> ApprovalState:
    """Stale because what was asked changed (GOV-9); a closed approval stays as it is."""
    return state if state.closed else _close(state, ApprovalStatus.stale, why, now)


def settle(
    ask: Ask, state: ApprovalState, decisions: Iterable[Decision], now: datetime, stale: str = ""
) -> tuple[ApprovalState, tuple[tuple[Decision, Refused], ...]]:
    """The state after everything that arrived in one instant, and what was refused (GOV-16).

    The order of arrival does not matter: withdraw, expire, stale, reject, approve; among equals the decision id
    decides. `stale`: why what was asked has changed, if it has.
    """
    queue = sorted(
        decisions,
        key=lambda one: (_ORDER.index(one.kind) if one.kind in _ORDER else len(_ORDER), one.decision_id),
    )
    first = [decision for decision in queue if decision.kind is DecisionKind.withdraw]
    refused: list[tuple[Decision, Refused]] = []
    for decision in first:
        state = _try(ask, state, decision, now, refused)
    state = expire(ask, state, now)
    if stale:
        state = supersede(state, stale, now)
    for decision in queue[len(first) :]:
        state = _try(ask, state, decision, now, refused)
    return state, tuple(refused)


def _try(
    ask: Ask, state: ApprovalState, decision: Decision, now: datetime, refused: list[tuple[Decision, Refused]]
) -> ApprovalState:
    try:
        return apply(ask, state, decision, now)
    except Refused as refusal:
        refused.append((decision, refusal))
        return state


def _close(state: ApprovalState, status: ApprovalStatus, because: str, now: datetime) -> ApprovalState:
    return state.model_copy(update={"status": status, "because": because, "closed_at": now})
