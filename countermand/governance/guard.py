"""Has a version in quarantine come back, and what may be said about who did it (GOV-47, TGT-17). Pure."""

from __future__ import annotations

from typing import Literal

from countermand.ledger.guard_bodies import RequarantineBreach
from countermand.messages.fencing import fenced
from countermand.plan.model import Plan
from countermand.plan.target import Member, TargetState
from countermand.playbook.units import format_percent

#: Most characters of a key that others wrote.
_KEY = 100
#: What a share above the one that was left means: the bad version is back, another version uses the split, or the
#: target does not tell which one it is.
Seen = Literal["as_left", "back", "other", "cannot_tell"]


def guarded(plan: Plan) -> tuple[Member, ...]:
    """The members that a plan moved, each of which may move back."""
    return tuple(one.member for one in plan.members)


def seen(member: Member, left_bp: int, state: TargetState, served: str | None, *, newer: bool) -> Seen:
    """What the target shows. `served`: digest behind the candidate's share, None when the target does not tell.

    newer: whether another release was registered for this service since, which may use the same split. Without one
    nothing else can be there, so that a target that tells no digests shows the bad version.
    """
    if state.split.candidate_bp <= left_bp:
        return "as_left"
    if served is not None:
        return "back" if served == member.candidate_digest else "other"
    return "cannot_tell" if newer else "back"


def who(key: str | None, left_key: str | None, incident_id: str | None) -> str:
    """Who moved it, as far as its last writer's key tells.

    key: what the target holds now; left_key: what the way back left there; incident_id: the incident in which this
    product recorded the key as its own.
    """
    if key is None or key == left_key:
        return "unknown"
    return f"Countermand in incident {incident_id}" if incident_id else f"a writer with the key {fenced(key, _KEY)!r}"


def breach(plan: Plan, member: Member, left_bp: int, state: TargetState, by: str) -> RequarantineBreach:
    """The record that the plan's candidate is back in front of users."""
    share, left = format_percent(state.split.candidate_bp), format_percent(left_bp)
    moved = "who did it is not known" if by == "unknown" else f"moved by {by}"
    return RequarantineBreach(
        digest=plan.candidate.digest,
        name=plan.candidate.name,
        environment=plan.environment,
        target=member.target,
        member=member.name,
        candidate_bp=state.split.candidate_bp,
        left_bp=left_bp,
        by=by,
        read_at=state.read_at,
        raw_sha256=state.raw_sha256,
        sentence=f"{plan.candidate.name} is back in front of {share} of users of {member.name!r} although it is in "
        f"quarantine since incident {plan.incident_id}, which had left it {left}; {moved}.",
    )
