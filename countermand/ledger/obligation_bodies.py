"""Bodies of records about reporting clocks: what was declared, recorded, computed, filed and decided (obligations.md).

Everything that people say stands under the decision by which they said it; what was computed stands with its row as it
was then, so that later data never rewrites an old clock.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

from countermand.ledger.body import Body
from countermand.ledger.record import Kind
from countermand.plan.target import Value

Reportable = Literal["yes", "no", "undecided"]


class ProfileLeaf(Value):
    """One declared answer. `value` in words; `at` the day it was declared."""

    path: str
    value: str
    by: str
    at: str
    document: str


class ProfileDeclared(Body):
    """The organisation profile has a new content. `changed`: paths that say something else than before."""

    KIND: ClassVar[Kind] = Kind.profile_declared
    profile_sha256: str
    dataset_sha256: str
    declared: tuple[ProfileLeaf, ...]
    changed: tuple[str, ...]


class ObligationAct(Body):
    """Base of what people do about clocks."""

    decision_id: str
    subject: str
    name: str
    role: str


class ObligationFact(ObligationAct):
    """What somebody states about an incident; the newest statement counts."""

    KIND: ClassVar[Kind] = Kind.obligation_fact
    path: str
    value: bool | int | str | tuple[str, ...]


class ObligationAnchor(ObligationAct):
    """When an event happened. Either an instant or only a day; `zone` is the one it was recorded in."""

    KIND: ClassVar[Kind] = Kind.obligation_anchor
    event: str
    at: datetime | None
    on: str | None
    zone: str
    certainty: Literal["known", "estimated"]
    evidence_refs: tuple[str, ...]


class ObligationClock(Body):
    """A clock has a due time, or another one than before. `row` is the row as it was when the clock started;
    `dataset_sha256` names the data it was read from."""

    KIND: ClassVar[Kind] = Kind.obligation_clock
    row_id: str
    regime: str
    row_sha256: str
    row: dict[str, Any]
    anchor_event: str
    anchor_at: datetime
    due: datetime
    legal_latest: datetime | None
    notes: tuple[str, ...]
    rules: str
    rebased_from: str | None
    dataset_sha256: str = ""


class ObligationDataset(Body):
    """Other rows than before are in use. rows_changed: those that differ from the rows that come with the product."""

    KIND: ClassVar[Kind] = Kind.obligation_dataset
    dataset_sha256: str
    name: str
    version: int
    as_of: str
    rows_changed: tuple[str, ...]


class ObligationWarned(Body):
    """People were told that time runs. `told` empty: nobody holds the roles, or no channel reached anybody.

    role: that of the row. roles: all that were called; unheld: those of them that nobody holds. channels: those
    that took it.
    """

    KIND: ClassVar[Kind] = Kind.obligation_warned
    row_id: str
    point: str
    due: datetime
    role: str
    told: tuple[str, ...]
    sentence: str
    roles: tuple[str, ...] = ()
    unheld: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


class ObligationAcknowledged(ObligationAct):
    """Somebody looks after a clock: the next warning goes to the owner's role first again. It reports nothing."""

    KIND: ClassVar[Kind] = Kind.obligation_acknowledged
    row_id: str


class ObligationOverdue(Body):
    """Every lawful reading is over and nothing was filed. `unless`: what could still make it early."""

    KIND: ClassVar[Kind] = Kind.obligation_overdue
    row_id: str
    due: datetime
    legal_latest: datetime | None
    unless: str


class ObligationFiled(ObligationAct):
    """A report went out. `facts_root`: the newest record its text could rest on."""

    KIND: ClassVar[Kind] = Kind.obligation_filed
    row_id: str
    content_sha256: str
    channel: str
    reference: str
    receipt_sha256: str | None
    filed_at: datetime
    facts_root: int
    late: bool
    partial: bool


class ObligationSetAside(ObligationAct):
    """Somebody decided not to report under this row here."""

    KIND: ClassVar[Kind] = Kind.obligation_set_aside
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reasoning",)
    row_id: str
    reasoning: str


class ObligationOpened(ObligationAct):
    """Somebody opens a clock although the profile says that the regime does not reach the organisation (OBL-10)."""

    KIND: ClassVar[Kind] = Kind.obligation_opened
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reasoning",)
    row_id: str
    reasoning: str


class ObligationTolled(ObligationAct):
    """An authority's delay. `moves` False: a notice beside the clock."""

    KIND: ClassVar[Kind] = Kind.obligation_tolled
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reasoning",)
    row_id: str
    rule: str
    authority: str
    document_sha256: str | None
    until: datetime | None
    moves: bool
    reasoning: str


class ObligationDecided(ObligationAct):
    """Whether an incident is reported under a regime, and why (OBL-22); the newest one counts."""

    KIND: ClassVar[Kind] = Kind.obligation_decided
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reasoning",)
    regime: str
    rows: tuple[str, ...]
    reportable: Reportable
    reasoning: str
    facts_relied_on: tuple[str, ...]
    counsel_ref: str
    review_at: str | None


class ObligationClosed(Body):
    """Every regime in view is decided and no clock runs. `decided`: regime and answer."""

    KIND: ClassVar[Kind] = Kind.obligation_closed
    decided: tuple[str, ...]
    sentence: str
