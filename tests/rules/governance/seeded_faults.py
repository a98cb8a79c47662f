"""Five wrong rules, each a small wrapper around the right one. The random machine has to find every one of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from countermand.governance import approval, execution
from countermand.governance.ask import ApprovalState, ApprovalStatus, Ask, Vote, deadline
from countermand.governance.decision import Decision, DecisionKind, Refusal, Refused
from countermand.governance.directory import Directory
from tests.rules.governance.asking import KEYS
from tests.rules.governance.incident_model import Rules

_INSTANT = timedelta(microseconds=1)


def late_vote(ask: Ask, state: ApprovalState, decision: Decision, now: datetime) -> ApprovalState:
    """Relies on the timer having fired first: whatever arrives before it counts."""
    return approval.apply(ask, state, decision, min(now, deadline(ask, state) - _INSTANT))


def self_approval(ask: Ask, state: ApprovalState, decision: Decision, now: datetime) -> ApprovalState:
    """Forgets who requested the rollback."""
    try:
        return approval.apply(ask, state, decision, now)
    except Refused as refusal:
        if refusal.code is not Refusal.four_eyes or decision.kind is not DecisionKind.approve:
            raise
    vote = Vote(
        decision_id=decision.decision_id, kind="approve", actor=decision.actor, reason=decision.reason,
        channel=decision.channel, at=now,
    )  # fmt: skip
    return state.model_copy(update={"votes": (*state.votes, vote), "used": (*state.used, decision.decision_id)})


def stale_plan(ask: Ask, state: ApprovalState, decision: Decision, now: datetime) -> ApprovalState:
    """Counts votes that were given on another digest."""
    current = decision.model_copy(update={"approval_digest": ask.approval_digest, "signature": ""})
    return approval.apply(ask, state, KEYS.sign(current), now)


def edited_plan(ask: Ask, state: ApprovalState, plan: str, directory: Directory, at: datetime) -> ApprovalState:
    """Does not compare the plan that is carried out with the one that was approved."""
    return execution.consume(ask, state, ask.plan_digest, directory, at)


def silent(ask: Ask, state: ApprovalState, now: datetime) -> ApprovalState:
    """Lets a time limit pass in silence."""
    return state if state.status is ApprovalStatus.pending else approval.expire(ask, state, now)


#: Name, wrong rules, and the invariant that must catch them.
FAULTS = {
    "a late vote counts": (Rules(apply=late_vote), "I4"),
    "the requester approves": (Rules(apply=self_approval), "I3"),
    "a vote for another digest counts": (Rules(apply=stale_plan), "I14"),
    "a plan edited after approval is carried out": (Rules(consume=edited_plan), "I2"),
    "an effect leaves no record": (Rules(records_effects=False), "I2"),
    "a time limit passes in silence": (Rules(expire=silent), "I13"),
}
