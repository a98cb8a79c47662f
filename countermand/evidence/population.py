"""Everything that happened in a period, also what came to nothing: what a reviewer samples (EVD-14, EVD-19)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from countermand.ledger.record import Kind, Record

#: What is no rollback and belongs to the population all the same: kind → how the list calls it.
_OTHERS = {
    Kind.release_refused: "denied release",
    Kind.rehearsal_passed: "rehearsal",
    Kind.glass_broken: "emergency",
    Kind.requarantine_breach: "quarantine breach",
}


@dataclass(frozen=True)
class Case:
    """One line of the population. `outcome`: as its record says, or `open`. seq: of the record that began it."""

    seq: int
    at: datetime
    what: str
    incident_id: str | None
    release_id: str | None
    severity: str
    outcome: str
    closed_at: datetime | None
    sentence: str
    rehearsal: bool


@dataclass(frozen=True)
class Population:
    """Cases oldest first, what the sequence lacks, how many records of each kind, and intents nobody answered."""

    cases: tuple[Case, ...]
    first_seq: int
    last_seq: int
    gaps: tuple[tuple[int, int], ...]
    counts: dict[str, int]
    unanswered: tuple[Record, ...] = field(default=())

    @property
    def outcomes(self) -> dict[str, int]:
        """How many cases ended how; those that are still open among them."""
        return dict(sorted(Counter(case.outcome for case in self.cases).items()))


def population(records: Sequence[Record], unanswered: Sequence[Record] = ()) -> Population:
    """The population of these records, which are all of a range of `seq`."""
    closed = {one.incident_id: one for one in records if one.kind is Kind.incident_closed}
    cases = [_incident(one, closed.get(one.incident_id)) for one in records if one.kind is Kind.incident_opened]
    cases += [_ramp(one) for one in records if one.kind is Kind.rollout_ended]
    cases += [_other(one) for one in records if one.kind in _OTHERS]
    sequence = [record.seq for record in records]
    return Population(
        cases=tuple(sorted(cases, key=lambda case: case.seq)),
        first_seq=sequence[0] if sequence else -1,
        last_seq=sequence[-1] if sequence else -1,
        gaps=tuple((before + 1, after - 1) for before, after in pairwise(sequence) if after != before + 1),
        counts=dict(sorted(Counter(record.kind.value for record in records).items())),
        unanswered=tuple(unanswered),
    )


def _incident(opened: Record, closed: Record | None) -> Case:
    return Case(
        seq=opened.seq,
        at=opened.at,
        what="incident",
        incident_id=opened.incident_id,
        release_id=opened.release_id,
        severity=opened.body["severity"],
        outcome=closed.body["outcome"] if closed else "open",
        closed_at=closed.at if closed else None,
        sentence=closed.body["sentence"] if closed else opened.body["sentence"],
        rehearsal=bool(opened.body.get("rehearsal", False)),
    )


def _ramp(ended: Record) -> Case:
    return Case(
        seq=ended.seq,
        at=ended.at,
        what=ended.body["kind"],
        incident_id=ended.incident_id,
        release_id=ended.release_id,
        severity="",
        outcome=ended.body["outcome"],
        closed_at=ended.at,
        sentence=ended.body["sentence"],
        rehearsal=ended.body["kind"] == "sandbox",
    )


def _other(record: Record) -> Case:
    body = record.body
    said = {
        Kind.release_refused: body.get("because"),
        Kind.rehearsal_passed: f"scenario {body.get('scenario')!r}",
    }.get(record.kind) or body.get("sentence", "")
    outcome = {Kind.release_refused: body.get("word"), Kind.rehearsal_passed: "pass"}.get(record.kind) or "recorded"
    return Case(
        seq=record.seq,
        at=record.at,
        what=_OTHERS[record.kind],
        incident_id=record.incident_id,
        release_id=record.release_id or body.get("release_id"),
        severity="",
        outcome=outcome,
        closed_at=record.at,
        sentence=said,
        rehearsal=record.kind is Kind.rehearsal_passed,
    )
