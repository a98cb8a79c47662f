"""What the Ledger says about the clocks of one incident, folded into one value: facts, anchors, reports, decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from pydantic import Field

from countermand.ledger.bodies import (
    Body,
    ObligationAcknowledged,
    ObligationAnchor,
    ObligationClock,
    ObligationDecided,
    ObligationFact,
    ObligationFiled,
    ObligationOpened,
    ObligationSetAside,
    ObligationTolled,
    ObligationWarned,
    parse_body,
)
from countermand.ledger.record import Record
from countermand.obligations.anchor import Anchor, Moment
from countermand.obligations.dataset import Row
from countermand.obligations.own_facts import OwnFacts, own_facts
from countermand.obligations.predicates import Answer
from countermand.plan.target import Value


class Said(Value):
    """Who did something, when, and the record it stands in."""

    seq: int
    at: datetime
    by: str


class Filing(Value):
    """A report that went out, or a record of ours that shows that a service level was kept."""

    row_id: str
    at: datetime
    partial: bool
    said: Said
    reference: str = ""
    channel: str = ""
    receipt_sha256: str | None = None
    content_sha256: str = ""
    facts_root: int = 0


class Toll(Value):
    row_id: str
    rule: str
    authority: str
    until: datetime | None
    moves: bool
    reasoning: str
    said: Said


class Computed(Value):
    """One computation of a clock, as it is kept."""

    row_id: str
    row: dict[str, Any]
    due: datetime
    legal_latest: datetime | None
    anchor_event: str
    anchor_at: datetime
    rebased_from: str | None
    said: Said


class Choice(Value):
    """A decision about a regime, or about one row."""

    subject: str
    reportable: str
    reasoning: str
    said: Said
    role: str = ""
    facts_relied_on: tuple[str, ...] = ()
    counsel_ref: str = ""
    review_at: str | None = None


class Book(Value):
    """Everything that clocks of one incident rest on. Later statements come last; the newest one counts."""

    facts: Mapping[str, Answer] = Field(default_factory=dict)
    stated: tuple[tuple[str, Answer, Said], ...] = ()
    anchors: tuple[Anchor, ...] = ()
    filings: tuple[Filing, ...] = ()
    tolls: tuple[Toll, ...] = ()
    computed: tuple[Computed, ...] = ()
    set_aside: Mapping[str, Choice] = Field(default_factory=dict)
    opened: Mapping[str, Choice] = Field(default_factory=dict)
    decisions: tuple[Choice, ...] = ()
    warned: tuple[tuple[str, int], ...] = ()
    acknowledged: tuple[tuple[str, Said], ...] = ()
    recorded: frozenset[str] = frozenset()
    seq: int = -1

    def fact(self, path: str) -> Answer:
        return self.facts.get(path)

    def anchor(self, event: str) -> Anchor | None:
        """The newest record of an event."""
        return next((one for one in reversed(self.anchors) if one.event == event), None)

    def filed(self, *rows: str) -> tuple[Filing, ...]:
        """Reports under these rows in the order in which they went out."""
        return tuple(sorted((one for one in self.filings if one.row_id in rows), key=lambda one: one.at))

    def clocks_of(self, row_id: str) -> tuple[Computed, ...]:
        return tuple(one for one in self.computed if one.row_id == row_id)

    def unanswered(self, row: Row) -> int:
        """How many warnings about a row were given since somebody last did anything about it."""
        done = [
            *(one.said.seq for one in self.filings if one.row_id == row.id),
            *(one.said.seq for one in self.tolls if one.row_id == row.id),
            *(who.seq for row_id, who in self.acknowledged if row_id == row.id),
            *(one.said.seq for one in self.decisions if one.subject == row.regime),
            *(one.seq for one in self.anchors if one.event == row.anchor),
        ]
        return sum(row_id == row.id and seq > max(done, default=-1) for row_id, seq in self.warned)

    def looked_after(self, row_id: str) -> Said | None:
        """Who said last that they look after a row."""
        return next((who for known, who in reversed(self.acknowledged) if known == row_id), None)

    def decision(self, regime: str) -> Choice | None:
        """The current decision about a regime."""
        return next((one for one in reversed(self.decisions) if one.subject == regime), None)


def book(records: Iterable[Record]) -> Book:
    """Fold the records of one incident, in their order."""
    kept = list(records)
    bodies = [(record, parse_body(record)) for record in kept]
    own = own_facts(bodies)
    stated = [
        (body.path, body.value, _said(record, body)) for record, body in bodies if isinstance(body, ObligationFact)
    ]
    people = [_anchor(record, body) for record, body in bodies if isinstance(body, ObligationAnchor)]
    filed = [_filing(record, body) for record, body in bodies if isinstance(body, ObligationFiled)]
    return Book(
        facts=own.facts | {path: value for path, value, _ in stated},
        stated=tuple(stated),
        anchors=(*own.anchors, *people),
        filings=(*_proofs(own), *_classified(bodies), *filed),
        tolls=tuple(_toll(record, body) for record, body in bodies if isinstance(body, ObligationTolled)),
        computed=tuple(_computed(record, body) for record, body in bodies if isinstance(body, ObligationClock)),
        set_aside={
            body.row_id: _choice(record, body, body.row_id, "no", body.reasoning)
            for record, body in bodies
            if isinstance(body, ObligationSetAside)
        },
        opened={
            body.row_id: _choice(record, body, body.row_id, "yes", body.reasoning)
            for record, body in bodies
            if isinstance(body, ObligationOpened)
        },
        decisions=tuple(
            _choice(record, body, body.regime, body.reportable, body.reasoning).model_copy(
                update={
                    "role": body.role,
                    "facts_relied_on": body.facts_relied_on,
                    "counsel_ref": body.counsel_ref,
                    "review_at": body.review_at,
                }
            )
            for record, body in bodies
            if isinstance(body, ObligationDecided)
        ),
        warned=tuple((body.row_id, record.seq) for record, body in bodies if isinstance(body, ObligationWarned)),
        acknowledged=tuple(
            (body.row_id, _said(record, body)) for record, body in bodies if isinstance(body, ObligationAcknowledged)
        ),
        recorded=frozenset(record.idem_key for record in kept),
        seq=max((record.seq for record in kept), default=-1),
    )


def _said(record: Record, body: Any) -> Said:
    return Said(seq=record.seq, at=record.at, by=getattr(body, "name", record.actor))


def _anchor(record: Record, body: ObligationAnchor) -> Anchor:
    return Anchor(
        event=body.event,
        moment=Moment(at=body.at, on=date.fromisoformat(body.on) if body.on else None, zone=body.zone),
        by=body.name,
        seq=record.seq,
        certainty=body.certainty,
        evidence_refs=body.evidence_refs,
    )


def _filing(record: Record, body: ObligationFiled) -> Filing:
    return Filing(
        row_id=body.row_id,
        at=body.filed_at,
        partial=body.partial,
        said=_said(record, body),
        reference=body.reference,
        channel=body.channel,
        receipt_sha256=body.receipt_sha256,
        content_sha256=body.content_sha256,
        facts_root=body.facts_root,
    )


def _proofs(own: OwnFacts) -> list[Filing]:
    return [
        Filing(row_id=row_id, at=at, partial=False, said=Said(seq=seq, at=at, by=f"record {seq}"), reference=f"#{seq}")
        for row_id, at, seq in own.kept
    ]


def _classified(bodies: Iterable[tuple[Record, Body | None]]) -> list[Filing]:
    """The prompt to classify an incident ends with either answer."""
    for record, body in bodies:
        recorded = isinstance(body, ObligationAnchor) and body.event == "classified.major_ict_incident"
        if recorded or (isinstance(body, ObligationFact) and body.path == "major_ict_incident"):
            said = _said(record, body)
            return [Filing(row_id="internal-dora-classify", at=record.at, partial=False, said=said)]
    return []


def _toll(record: Record, body: ObligationTolled) -> Toll:
    return Toll(
        row_id=body.row_id,
        rule=body.rule,
        authority=body.authority,
        until=body.until,
        moves=body.moves,
        reasoning=body.reasoning,
        said=_said(record, body),
    )


def _computed(record: Record, body: ObligationClock) -> Computed:
    return Computed(
        row_id=body.row_id,
        row=body.row,
        due=body.due,
        legal_latest=body.legal_latest,
        anchor_event=body.anchor_event,
        anchor_at=body.anchor_at,
        rebased_from=body.rebased_from,
        said=_said(record, body),
    )


def _choice(record: Record, body: Body, subject: str, reportable: str, reasoning: str) -> Choice:
    return Choice(subject=subject, reportable=reportable, reasoning=reasoning, said=_said(record, body))
