"""Bodies of records about what is done again and again: planned, asked, put off, done, skipped, missed (LRN §4)."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from countermand.ledger.body import Body
from countermand.ledger.record import Kind
from countermand.plan.target import Value

#: What is decided about a criterion in a threshold review.
Verdict = Literal["keep", "change", "shadow"]


class Finding(Value):
    """Something that a person has to look at. about: what it is about, in a word or a name."""

    about: str
    sentence: str


class Decided(Value):
    """What a threshold review decided on one criterion, which is named by its trigger and its signal."""

    criterion: str
    verdict: Verdict


class CadencePlanned(Body):
    """From now on a duty is done this often. because: why more rarely than shipped."""

    KIND: ClassVar[Kind] = Kind.cadence_planned
    PRIVATE: ClassVar[tuple[str, ...]] = ("/because",)
    duty: str
    every_s: int
    shipped_s: int
    asks: tuple[str, ...]
    because: str | None


class CadenceOpened(Body):
    """People are asked to do a duty. subject: the playbook it is about, or empty."""

    KIND: ClassVar[Kind] = Kind.cadence_opened
    duty: str
    subject: str
    workflow_id: str
    asks: tuple[str, ...]
    deadline: datetime


class CadenceMoved(Body):
    """Nobody was free. times: how often it was put off by now; escalated: an executive is asked from now on."""

    KIND: ClassVar[Kind] = Kind.cadence_moved
    duty: str
    subject: str
    workflow_id: str
    times: int
    escalated: bool
    asks: tuple[str, ...]
    deadline: datetime
    sentence: str


class CadenceDone(Body):
    """It was done. result: `done` is what people say; `unknown`: something could not be looked at.

    minutes: of people, as they say; seconds: of the machine. left_out: findings that did not fit here. criteria:
    what a threshold review decided on each. report_sha256: what the machine found, in full.
    """

    KIND: ClassVar[Kind] = Kind.cadence_done
    PRIVATE: ClassVar[tuple[str, ...]] = ("/note",)
    duty: str
    subject: str
    workflow_id: str
    result: Literal["clean", "findings", "unknown", "done"]
    sentence: str
    findings: tuple[Finding, ...] = ()
    left_out: int = 0
    minutes: int = 0
    seconds: int = 0
    criteria: tuple[Decided, ...] = ()
    note: str | None = None
    decision_id: str | None = None
    name: str = ""
    report_sha256: str | None = None


class CadenceSkipped(Body):
    """A person decided to leave it out this time."""

    KIND: ClassVar[Kind] = Kind.cadence_skipped
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason",)
    duty: str
    subject: str
    workflow_id: str
    reason: str
    decision_id: str
    name: str


class CadenceMissed(Body):
    """It did not take place: nobody did it, or no run was started when it was due."""

    KIND: ClassVar[Kind] = Kind.cadence_missed
    duty: str
    subject: str
    workflow_id: str
    due: datetime
    sentence: str
