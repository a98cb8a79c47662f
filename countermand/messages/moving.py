"""The members of a bundle as people see them while it goes back: a fold over the records of one plan."""

from __future__ import annotations

from dataclasses import dataclass

from countermand.ledger import bodies as b
from countermand.plan.model import Moving, Plan


@dataclass
class MemberView:
    """One member: what it said before, what was asked of it, what it says now, and what was seen of it.

    configured, observed: word of the newest check; `waiting` before the first one.
    """

    moving: Moving
    before: str
    wanted: str
    says: str
    configured: str = "waiting"
    observed: str = "waiting"


def members_of(plan: Plan) -> list[MemberView]:
    """Nothing asked yet; empty for a plan that moves one thing only, which its stages show already."""
    if not plan.followers:
        return []
    return [MemberView(one, one.says(one.before), "", one.says(one.before)) for one in plan.members]


def note(members: list[MemberView], body: b.StageIntent | b.StageOutcome | b.CheckDone) -> None:
    """What a record says about one of them."""
    if not members:
        return
    what, where = "", ""
    if isinstance(body, b.CheckDone):
        what, _, where = body.name.partition(" ")  # after the last stage: `configured registry/prompt`
    name = where or body.member or members[0].moving.name
    member = next((one for one in members if one.moving.name == name), None)
    if member is None:
        return
    match body:
        case b.StageIntent():
            member.wanted = member.moving.says(body.desired)
            member.configured = member.observed = "waiting"
        case b.StageOutcome():
            if body.after is not None:
                member.says = member.moving.says(body.after.split)
            elif body.result == "ambiguous":
                member.says = "not known"
        case b.CheckDone() if body.phase in ("traffic", "verification"):
            if what == "configured":
                member.configured = body.word
            elif what == "observed":
                member.observed = body.word
