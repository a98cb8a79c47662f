"""Does a target's own change log agree with the Ledger (EVD-14)? Both ways: what they miss of ours, what we miss of
theirs. A target that keeps no log, or could not be asked, is said to be so, never taken for agreement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from countermand.canonical import instant
from countermand.ledger.record import Kind, Record
from countermand.plan.target import Member, Value

#: How far clocks of two systems may be apart.
RULES = "reconciliation/1"


class Change(Value):
    """One change as the target's own log has it. key: the idempotency key of whoever made it, if it has one.

    revision: the target's own name of the state after it. by: who made it, as far as the target says.
    """

    at: datetime
    candidate_bp: int | None
    revision: str
    key: str | None
    by: str = ""


class Effect(Value):
    """One change of ours: a recorded outcome that says the target was changed."""

    seq: int
    at: datetime
    member: str
    key: str
    candidate_bp: int
    revision: str


class Compared(Value):
    """One member of one target. `why`: why its log was not compared; None when it was.

    they_miss: effects of ours that are not in its log. we_miss: changes in its log that no record of ours knows.
    """

    member: str
    why: str | None
    ours: int
    theirs: int
    agree: int
    they_miss: tuple[Effect, ...] = ()
    we_miss: tuple[Change, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether the log was compared and everything agrees."""
        return self.why is None and not self.they_miss and not self.we_miss


def name_of(member: Member) -> str:
    """How people call a member: `registry/chat-prompt`."""
    return f"{member.target}/{member.name}"


def members_in(records: Iterable[Record]) -> dict[str, Member]:
    """Every member that a plan of these records moves, by name."""
    found: dict[str, Member] = {}
    for record in records:
        if record.kind not in (Kind.plan, Kind.rollout_planned):
            continue
        plan = record.body["plan"]
        for given in (plan["member"], *(one["member"] for one in plan.get("followers", ()))):
            member = Member.model_validate(given)
            found[name_of(member)] = member
    return found


def effects(records: Sequence[Record]) -> list[Effect]:
    """What the records say was changed: outcomes `applied`, with the key of their intent."""
    plans = {
        record.body["plan_digest"]: record.body["plan"]["member"]
        for record in records
        if record.kind in (Kind.plan, Kind.rollout_planned)
    }
    intents: dict[tuple[object, ...], Record] = {}
    found = []
    for record in records:
        if record.kind in (Kind.stage_intent, Kind.rollout_intent):
            intents[_place(record)] = record
        if record.kind not in (Kind.stage_outcome, Kind.rollout_outcome) or record.body["result"] != "applied":
            continue
        intent, after = intents.get(_place(record)), record.body["after"]
        if intent is None or after is None:
            continue
        lead = plans.get(intent.body["plan_digest"])
        name = intent.body.get("member") or (f"{lead['target']}/{lead['name']}" if lead else "unknown")
        found.append(
            Effect(
                seq=record.seq,
                at=record.at,
                member=name,
                key=intent.body["key"],
                candidate_bp=after["split"]["candidate_bp"],
                revision=after["revision"],
            )
        )
    return found


def leases(records: Iterable[Record]) -> frozenset[str]:
    """Leases of ours: what a target takes back under one of them is no change by somebody else."""
    found = {record.body["lease_id"] for record in records if record.kind is Kind.rollout_intent}
    return frozenset(found - {None})


def compare(
    member: str, ours: Sequence[Effect], theirs: Sequence[Change], own_leases: frozenset[str] = frozenset()
) -> Compared:
    """Match by key where the target keeps keys, else by revision. `ours` are effects on this member only."""
    keys = {one.key for one in theirs} - {None}
    revisions = {one.revision for one in theirs}
    our_keys, our_revisions = {one.key for one in ours}, {one.revision for one in ours}
    they_miss = tuple(one for one in ours if one.key not in keys and one.revision not in revisions)
    we_miss = tuple(
        one
        for one in theirs
        if (one.key not in our_keys if one.key is not None else one.revision not in our_revisions)
        and not (one.key is not None and any(lease in one.key for lease in own_leases))
    )
    return Compared(
        member=member,
        why=None,
        ours=len(ours),
        theirs=len(theirs),
        agree=len(ours) - len(they_miss),
        they_miss=they_miss,
        we_miss=we_miss,
    )


def not_compared(member: str, ours: int, why: str) -> Compared:
    """A member whose target could not be asked, or keeps no log."""
    return Compared(member=member, why=why, ours=ours, theirs=0, agree=0)


def as_json(compared: Sequence[Compared], since: datetime, until: datetime) -> dict[str, Any]:
    """What is recorded and stands in a pack. Every value is text or a whole number."""
    return {
        "rules": RULES,
        "since": instant(since),
        "until": instant(until),
        "members": [_plain(one) for one in sorted(compared, key=lambda one: one.member)],
    }


def _plain(compared: Compared) -> dict[str, Any]:
    said = compared.model_dump(mode="python")
    for listed in ("they_miss", "we_miss"):
        said[listed] = [one | {"at": instant(one["at"])} for one in said[listed]]
    return said | {"clean": compared.clean}


def _place(record: Record) -> tuple[object, ...]:
    body = record.body
    if "rollout_id" in body:
        return record.release_id, body["rollout_id"], body["step"]
    return record.incident_id, body["revert"], body["stage"], body["member"]
