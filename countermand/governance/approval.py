"""The Approval state machine (GOV-8…GOV-16): pure, deterministic, the same in workflow and tests.

Order when several things happen in one instant: withdraw, expire, stale, reject, approve (GOV-16).
`RULES` names the version of these rules; it stands in every record of an approval.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from countermand.canonical import digest, instant
from countermand.governance.decision import Actor, Decision, DecisionKind, GatewayKeys, Refusal, Refused
from countermand.governance.directory import Directory
from countermand.governance.quorum import QuorumState, quorum_state
from countermand.plan.target import Value
from countermand.playbook.model import ApprovalPolicy

RULES = "approval/1"
MIN_REASON = 10


class ApprovalStatus(StrEnum):
    """All but `pending` are terminal (GOV-12)."""

    pending = "pending"
    approved = "approved"
    rejected = "rejected"
    expired = "expired"
    stale = "stale"
    withdrawn = "withdrawn"


class Ask(Value):
    """A request for consent to one Plan digest, until one instant."""

    ask_id: str
    incident_id: str
    workflow_id: str
    plan_digest: str
    evidence_digest: str
    requester: str
    excluded: tuple[str, ...]
    policy: ApprovalPolicy
    opened_at: datetime
    expires_at: datetime
    directory: Directory
    keys: GatewayKeys
    supersedes: str | None = None

    @property
    def approval_digest(self) -> str:
        """What votes are for; any change of what it covers makes them worthless (GOV-8)."""
        return digest(
            {
                "approval_id": self.ask_id,
                "plan_digest": self.plan_digest,
                "evidence_digest": self.evidence_digest,
                "requester": self.requester,
                "expires_at": instant(self.expires_at),
                "signature_class": "standard",
                "quorum_policy": self.policy.quorum.model_dump(mode="json"),
                "rules": RULES,
            }
        )


class Vote(Value):
    """One counted vote."""

    decision_id: str
    kind: Literal["approve", "reject"]
    actor: Actor
    reason: str
    channel: str
    at: datetime


class ApprovalState(Value):
    """Where an approval stands. `used` holds the ids of all decisions that counted: none counts twice."""

    status: ApprovalStatus = ApprovalStatus.pending
    votes: tuple[Vote, ...] = ()
    used: tuple[str, ...] = ()
    because: str = ""
    closed_at: datetime | None = None

    @property
    def closed(self) -> bool:
        return self.status is not ApprovalStatus.pending


def quorum_of(ask: Ask, state: ApprovalState) -> QuorumState:
    """The quorum reached by the approving votes."""
    voters = {vote.actor.subject: vote.actor.roles for vote in state.votes if vote.kind == "approve"}
    return quorum_state(ask.policy.quorum, voters)


def check(ask: Ask, state: ApprovalState, decision: Decision, now: datetime) -> None:
    """Raise Refused unless `decision` counts at `now`. Changes nothing and does no I/O."""
    ask.keys.verify(decision)
    meant = (decision.addressed_to, decision.ask_id, decision.incident_id)
    if meant != (ask.workflow_id, ask.ask_id, ask.incident_id):
        raise Refused(Refusal.unknown_ask, f"this decision is for {decision.ask_id!r}.", f"This is {ask.ask_id!r}.")
    if decision.actor.principal != "person":
        raise Refused(Refusal.actor_not_a_person, "automation can never decide.", "A person has to sign in and decide.")
    if decision.decision_id in state.used:
        raise Refused(Refusal.already_voted, "this decision was counted before.", "Decide anew if you mean it again.")
    if state.closed:
        raise Refused(
            Refusal.expired if state.status is ApprovalStatus.expired else Refusal.already_decided,
            f"this request is already {state.status.value}: {state.because}",
            "Nothing is needed from you; open the incident to see what happens now.",
        )
    if decision.kind is DecisionKind.withdraw:
        if decision.actor.subject != ask.requester:
            ask.directory.permit(decision.kind, decision.actor.roles)
        return
    if now >= ask.expires_at:
        raise Refused(
            Refusal.expired,
            f"the time limit was {instant(ask.expires_at)}, your decision arrived at {instant(now)}.",
            "Ask again from the incident page.",
        )
    if decision.approval_digest != ask.approval_digest:
        raise Refused(
            Refusal.stale,
            f"you decided on {_short(decision.approval_digest)}, the request is now {_short(ask.approval_digest)}.",
            "Reload, read what changed, and decide again.",
        )
    _check_voter(ask, state, decision)


def _check_voter(ask: Ask, state: ApprovalState, decision: Decision) -> None:
    subject = decision.actor.subject
    voted = next((vote for vote in state.votes if vote.actor.subject == subject), None)
    if decision.kind is DecisionKind.retract:
        if voted is None:
            raise Refused(Refusal.wrong_state, "you have not voted on this request.", "Approve or reject it.")
        return
    if decision.kind not in (DecisionKind.approve, DecisionKind.reject):
        raise Refused(
            Refusal.wrong_state,
            f"{decision.kind.value} does not apply to a request for approval.",
            "Use approve, reject, retract or withdraw.",
        )
    if subject == ask.requester or subject in ask.excluded:
        raise Refused(
            Refusal.four_eyes,
            "you requested this rollback or put the release out; somebody else has to decide.",
            "Tell another person who is asked.",
        )
    slots = tuple(slot.role for slot in ask.policy.quorum.roles)
    if not set(slots) & set(decision.actor.roles):
        people = ", ".join(person.name for person in ask.directory.holders(*slots)) or "nobody"
        raise Refused(
            Refusal.not_your_role,
            f"this decision needs {' or '.join(slots)}; you hold {', '.join(decision.actor.roles) or 'no role'}.",
            f"Asked are: {people}.",
        )
    if voted is not None:
        raise Refused(
            Refusal.already_voted,
            f"you already voted {voted.kind} at {instant(voted.at)}; one person counts once.",
            "Retract your vote first if you changed your mind.",
        )
    if len(decision.reason.strip()) < MIN_REASON:
        raise Refused(
            Refusal.reason_too_short,
            f"the reason {decision.reason.strip()!r} is shorter than {MIN_REASON} characters.",
            "Say in a sentence why; it stands in the record.",
        )


def apply(ask: Ask, state: ApprovalState, decision: Decision, now: datetime) -> ApprovalState:
    """The state after a decision that `check` accepted. Raises Refused exactly as `check` does."""
    check(ask, state, decision, now)
    state = state.model_copy(update={"used": (*state.used, decision.decision_id)})
    who = decision.actor.printed_name
    match decision.kind:
        case DecisionKind.withdraw:
            return _close(state, ApprovalStatus.withdrawn, f"withdrawn by {who}", now)
        case DecisionKind.retract:
            votes = tuple(vote for vote in state.votes if vote.actor.subject != decision.actor.subject)
            return state.model_copy(update={"votes": votes})
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


def expire(ask: Ask, state: ApprovalState, now: datetime) -> ApprovalState:
    """Expired if `now` has reached the time limit (GOV-13: equality is expiry), else unchanged."""
    if state.closed or now < ask.expires_at:
        return state
    have = quorum_of(ask, state).people
    return _close(
        state,
        ApprovalStatus.expired,
        f"nobody decided in time ({have} of {ask.policy.quorum.distinct_people} people approved)",
        now,
    )


def supersede(state: ApprovalState, why: str, now: datetime) -> ApprovalState:
    """Stale because what was asked changed (GOV-9); a closed approval stays as it is."""
    return state if state.closed else _close(state, ApprovalStatus.stale, why, now)


def due_rungs(policy: ApprovalPolicy, elapsed: timedelta, done: int) -> list[int]:
    """Indices of rungs that are due now and not done; a reminder overtaken by a later due rung is dropped.

    After an outage the ladder catches up once, without a burst of reminders (F2).
    """
    due = [index for index, rung in enumerate(policy.ladder) if index >= done and rung.after <= elapsed]
    return [index for index in due if policy.ladder[index].do != "remind" or index == due[-1]]


def _close(state: ApprovalState, status: ApprovalStatus, because: str, now: datetime) -> ApprovalState:
    return state.model_copy(update={"status": status, "because": because, "closed_at": now})


def _short(text: str | None) -> str:
    return text.removeprefix("sha256:")[:12] if text else "nothing"
