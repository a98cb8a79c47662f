"""Which version was live when, and who moved users there: a pure fold over the Ledger (R117).

It knows what this product did and what it saw when it looked. Between two looks somebody else may have moved users
there and back; that leaves no record here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from countermand.ledger.bodies import (
    PlanMade,
    ReleaseRegistered,
    RequarantineBreach,
    RolloutIntent,
    RolloutOutcome,
    StageIntent,
    StageOutcome,
    parse_body,
)
from countermand.ledger.record import Kind, Record
from countermand.plan.target import Value

#: The kinds of record that the fold reads.
KINDS = (
    *(Kind.release_registered, Kind.plan, Kind.stage_intent, Kind.stage_outcome, Kind.requarantine_breach),
    *(Kind.rollout_intent, Kind.rollout_outcome),
)

_OUTSIDE = "somebody outside Countermand"


class Move(Value):
    """A share of users as it was from `at` on. `seen`: read from the target, who set it is not known; `moved`: by this
    product; `outside`: it changed without this product. `seq`: the record that says so."""

    at: datetime
    seq: int
    release_id: str
    candidate: str
    baseline: str
    candidate_bp: int
    how: Literal["seen", "moved", "outside"]
    by: str


def moves(records: Iterable[Record], service: str, environment: str) -> tuple[Move, ...]:
    """Every known change of the share of users of one service in one environment, oldest first."""
    releases: dict[str, ReleaseRegistered] = {}
    found: list[Move] = []
    last: dict[str, int] = {}
    for record in records:
        body, release_id = parse_body(record), record.release_id or ""
        if isinstance(body, ReleaseRegistered):
            if (body.service, body.environment) == (service, environment):
                releases[release_id] = body
            continue
        if release_id not in releases:
            continue
        read = _read(record, body, last.get(release_id))
        if read is None:
            continue
        at, share, how, by = read
        last[release_id] = share
        known = releases[release_id]
        names = {"candidate": known.candidate_name, "baseline": known.baseline_name}
        found.append(Move(at=at, seq=record.seq, release_id=release_id, candidate_bp=share, how=how, by=by, **names))
    return tuple(sorted(found, key=lambda one: (one.at, one.seq)))


def live_at(found: Sequence[Move], at: datetime) -> Move | None:
    """What was live at an instant, as far as it is known; None: nothing was known yet."""
    return next((one for one in reversed(found) if one.at <= at), None)


def _read(
    record: Record, body: object, last: int | None
) -> tuple[datetime, int, Literal["seen", "moved", "outside"], str] | None:
    """(from when, share of the candidate, how it is known, by whom); None when nothing changed."""
    match body:
        case PlanMade(plan=plan):
            return _looked(record.at, int(plan["before"]["candidate_bp"]), last)
        case StageIntent(member=str()) | StageOutcome(member=str()):
            return None  # a follower: what users get is told by the member that moves in stages
        case StageIntent(before=before) | RolloutIntent(before=before):
            return _looked(before.read_at, before.split.candidate_bp, last)
        case StageOutcome(after=after, by=by) if after is not None:
            if after.split.candidate_bp == last:
                return None
            if by == "our_key" and body.result in ("applied", "already"):
                who = f"Countermand, stage {body.stage} of incident {record.incident_id}"
                return after.read_at, after.split.candidate_bp, "moved", who
            return _looked(after.read_at, after.split.candidate_bp, last)
        case RolloutOutcome(after=after) if after is not None:
            if after.split.candidate_bp == last:
                return None
            if body.result not in ("applied", "already"):
                return _looked(after.read_at, after.split.candidate_bp, last)
            step = f"step {body.step}" if body.step else "the way back"
            return after.read_at, after.split.candidate_bp, "moved", f"Countermand, {step} of rollout {body.rollout_id}"
        case RequarantineBreach():
            who = _OUTSIDE if body.by == "unknown" else body.by
            return body.read_at, body.candidate_bp, "outside", who
        case _:
            return None


def _looked(
    at: datetime, share: int, last: int | None
) -> tuple[datetime, int, Literal["seen", "moved", "outside"], str] | None:
    if share == last:
        return None
    return (at, share, "seen", "not known") if last is None else (at, share, "outside", _OUTSIDE)
