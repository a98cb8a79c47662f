"""What readiness costs beside what it gives, so that it neither stops work nor is neglected (LRN-18, R99).

Figures of the last weeks, folded from the records. None of them is about one person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median

from countermand.cadence.state import DutyState
from countermand.ledger.bodies import (
    AskClosed,
    AskOpened,
    CadenceDone,
    CadenceMoved,
    CadenceOpened,
    ConsentOpened,
    ReleaseRefused,
    ReleaseRegistered,
    RolloutHeld,
    parse_body,
)
from countermand.ledger.record import Kind, Record
from countermand.plan.target import Value

#: So far the figures look back.
WEEKS = 13
KINDS = (
    *(Kind.cadence_done, Kind.cadence_opened, Kind.cadence_moved, Kind.ask_opened, Kind.ask_closed),
    *(Kind.consent_opened, Kind.release_registered, Kind.release_refused, Kind.rollout_held),
)


class Asks(Value):
    """How often one role was asked for something, all in all and in a week on average."""

    role: str
    count: int
    per_week: float


class Balance(Value):
    """Cost: hours of people, seconds of machines, releases that a gate held or refused, asks per role.

    Readiness: duties on time of all, findings in their newest runs, median time from ask to decision (None: nobody
    decided anything).
    """

    weeks: int
    hours: float
    runs: int
    machine_s: int
    releases: int
    delayed: int
    asks: tuple[Asks, ...]
    on_time: int
    duties: int
    never: int
    findings: int
    to_decide: timedelta | None


def balance(records: Iterable[Record], found: Sequence[DutyState], now: datetime) -> Balance:
    """records: of `KINDS`, in order, at least those of `WEEKS`; found: every duty as it stands."""
    since = now - timedelta(weeks=WEEKS)
    minutes = seconds = runs = 0
    releases: set[str] = set()
    delayed: set[str] = set()
    asked: Counter[str] = Counter()
    opened: dict[str, datetime] = {}
    took: list[timedelta] = []
    for record in records:
        if record.at < since:
            continue
        match parse_body(record):
            case CadenceDone() as body:
                minutes, seconds, runs = minutes + body.minutes, seconds + body.seconds, runs + 1
            case CadenceOpened() | CadenceMoved() as body:
                asked.update(body.asks)
            case AskOpened() as body:
                asked.update(body.need_roles)
                opened[body.ask_id] = record.at
            case AskClosed() as body if body.ask_id in opened and body.status in ("approved", "rejected"):
                took.append(record.at - opened[body.ask_id])
            case ConsentOpened() as body:
                asked.update(body.right.get("roles", ()))
            case ReleaseRegistered() if record.release_id:
                releases.add(record.release_id)
            case ReleaseRefused() as body:
                delayed.add(body.release_id)
            case RolloutHeld() if record.release_id:
                delayed.add(record.release_id)
    return Balance(
        weeks=WEEKS,
        hours=round(minutes / 60, 1),
        runs=runs,
        machine_s=seconds,
        releases=len(releases | delayed),
        delayed=len(delayed),
        asks=tuple(
            Asks(role=role, count=count, per_week=round(count / WEEKS, 1))
            for role, count in sorted(asked.items(), key=lambda one: (-one[1], one[0]))
        ),
        on_time=sum(one.word in ("on_time", "coming") for one in found),
        duties=len(found),
        never=sum(one.last is None for one in found),
        findings=sum(one.last.findings for one in found if one.last is not None),
        to_decide=timedelta(seconds=median(one.total_seconds() for one in took)) if took else None,
    )
