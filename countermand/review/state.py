"""A review as it stands: a pure fold over its records."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pydantic import Field

from countermand.canonical import digest
from countermand.ledger.record import Kind, Record
from countermand.ledger.review_bodies import (
    Publication,
    ReviewClosed,
    ReviewDrafted,
    ReviewEscalated,
    ReviewForm,
    ReviewPart,
    ReviewSigned,
)
from countermand.plan.target import Value
from countermand.review.actions import called_key
from countermand.review.parts import Part

#: Records about reviews, without those about actions.
REVIEWS = (
    Kind.review_drafted,
    Kind.review_part,
    Kind.review_signed,
    Kind.review_escalated,
    Kind.review_closed,
)


class Written(Value):
    """A part as somebody wrote it last; `times` counts how often it was written."""

    text: str
    factors: tuple[str, ...]
    name: str
    at: datetime
    seq: int
    times: int


class Signature(Value):
    """Who signed what. `publication`: how far this person lets it go out."""

    subject: str
    name: str
    roles: tuple[str, ...]
    at: datetime
    publication: Publication
    content_sha256: str


class ReviewState(Value):
    """Everything about one review but its actions. `dismissed`: remarks about wording that people left as they were."""

    incident_id: str
    release_id: str
    drafted: ReviewDrafted
    drafted_at: datetime
    parts: dict[Part, Written] = Field(default_factory=dict)
    dismissed: int = 0
    signed: tuple[Signature, ...] = ()
    called: tuple[str, ...] = ()
    closed: ReviewClosed | None = None
    closed_at: datetime | None = None

    @property
    def form(self) -> ReviewForm:
        return self.drafted.form

    @property
    def status(self) -> str:
        """pending, or how it ended."""
        return self.closed.outcome if self.closed else "pending"

    @property
    def missing(self) -> tuple[Part, ...]:
        """Required parts that nobody wrote."""
        return tuple(Part(name) for name in self.drafted.required if Part(name) not in self.parts)

    @property
    def content_sha256(self) -> str:
        """What a signature is about: the draft, and every part as it stands (each by its record)."""
        written = {part.value: one.seq for part, one in self.parts.items()}
        return digest({"draft": self.drafted.draft_sha256, "parts": written})

    @property
    def signatures(self) -> tuple[Signature, ...]:
        """Those that count: for what stands now."""
        return tuple(one for one in self.signed if one.content_sha256 == self.content_sha256)

    @property
    def outdated(self) -> tuple[Signature, ...]:
        """Those for another text; these people have to sign again."""
        fresh = {one.subject for one in self.signatures}
        old = {one.subject: one for one in self.signed if one.subject not in fresh}
        return tuple(old.values())

    @property
    def factors(self) -> tuple[str, ...]:
        """Contributing factors as people named them."""
        found = self.parts.get(Part.factors)
        return found.factors if found else ()

    @property
    def publication(self) -> Publication:
        """How far it may go out: what the most careful of those who signed chose."""
        order: tuple[Publication, ...] = ("internal", "customers", "public")
        return min((one.publication for one in self.signatures), key=order.index, default="internal")

    def overdue(self, now: datetime) -> bool:
        return self.closed is None and now > self.drafted.due


def reviews(records: Iterable[Record]) -> dict[str, ReviewState]:
    """Reviews by incident, oldest first. records: in order; other kinds are passed over."""
    found: dict[str, ReviewState] = {}
    for record in records:
        name = record.incident_id or ""
        if record.kind is Kind.review_drafted:
            body = ReviewDrafted.model_validate(record.body)
            found[name] = ReviewState(
                incident_id=name, release_id=record.release_id or "", drafted=body, drafted_at=record.at
            )
        elif name in found and record.kind in REVIEWS:
            found[name] = found[name].model_copy(update=_changes(found[name], record))
    return found


def review(records: Iterable[Record], incident_id: str) -> ReviewState | None:
    """The review of one incident; None before it is drafted."""
    return reviews(records).get(incident_id)


def _changes(state: ReviewState, record: Record) -> dict[str, object]:
    match record.kind:
        case Kind.review_part:
            body = ReviewPart.model_validate(record.body)
            part = Part(body.part)
            before = state.parts.get(part)
            written = Written(
                text=body.text,
                factors=(*body.factors, *body.others),
                name=body.name,
                at=record.at,
                seq=record.seq,
                times=before.times + 1 if before else 1,
            )
            return {"parts": {**state.parts, part: written}, "dismissed": state.dismissed + body.dismissed}
        case Kind.review_signed:
            signed = ReviewSigned.model_validate(record.body)
            signature = Signature(
                subject=signed.subject,
                name=signed.name,
                roles=signed.roles,
                at=record.at,
                publication=signed.publication,
                content_sha256=signed.content_sha256,
            )
            return {"signed": (*state.signed, signature)}
        case Kind.review_escalated:
            called = ReviewEscalated.model_validate(record.body)
            return {"called": (*state.called, called_key(called.due, called.point))}
        case _:
            return {"closed": ReviewClosed.model_validate(record.body), "closed_at": record.at}
