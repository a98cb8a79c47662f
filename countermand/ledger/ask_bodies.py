"""Bodies of records about what people are asked and what they decide."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar, Literal

from countermand.governance.decision import Decision, SignatureClass
from countermand.ledger.body import Body
from countermand.ledger.record import Kind

#: Names under which documents that people sign hold what somebody typed.
_TYPED = ("reason", "because", "harm", "matter", "expected_effect", "rollback_condition")


class AskOpened(Body):
    KIND: ClassVar[Kind] = Kind.ask_opened
    ask_id: str
    workflow_id: str
    plan_digest: str
    evidence_digest: str
    approval_digest: str
    requester: str
    excluded: tuple[str, ...]
    need_roles: tuple[str, ...]
    need_people: int
    asked: tuple[str, ...]
    opened_at: datetime
    expires_at: datetime
    default: Literal["proceed", "hold", "abort"]
    ladder: tuple[str, ...]
    governance_digest: str
    rules: str
    supersedes: str | None
    signature_class: SignatureClass = SignatureClass.standard
    rungs_due: tuple[datetime, ...] = ()
    threshold_flags: tuple[str, ...] = ()


class AskRung(Body):
    KIND: ClassVar[Kind] = Kind.ask_rung
    ask_id: str
    rung: int
    do: str
    to: tuple[str, ...]


class AskAcknowledged(Body):
    """Somebody is looking at it: no vote, and the ladder goes on (GOV-25)."""

    KIND: ClassVar[Kind] = Kind.ask_acknowledged
    ask_id: str
    subject: str
    name: str
    channel: str


class AskExtended(Body):
    """People took more time, once; `until` replaces the time limit."""

    KIND: ClassVar[Kind] = Kind.ask_extended
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason",)
    AUTHOR: ClassVar[str] = "subject"
    ask_id: str
    decision_id: str
    subject: str
    name: str
    reason: str
    until: datetime


class AskVote(Body):
    KIND: ClassVar[Kind] = Kind.ask_vote
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason",)
    AUTHOR: ClassVar[str] = "subject"
    ask_id: str
    decision_id: str
    vote: Literal["approve", "reject", "retract"]
    subject: str
    name: str
    roles: tuple[str, ...]
    reason: str
    channel: str
    have: int
    need: int
    missing: tuple[str, ...]


class AskClosed(Body):
    KIND: ClassVar[Kind] = Kind.ask_closed
    ask_id: str
    status: str
    because: str
    have: int
    need: int


class DecisionMade(Body):
    """A signed decision as submitted; whether it counted is the next record of the workflow it was for."""

    KIND: ClassVar[Kind] = Kind.decision
    decision: Decision

    def private(self) -> dict[str, str]:
        """With the salts that its signature covers."""
        return {f"/decision{one.pointer}": one.salt for one in self.decision.bound}


class DecisionRefused(Body):
    KIND: ClassVar[Kind] = Kind.decision_refused
    PRIVATE: ClassVar[tuple[str, ...]] = ("/detail",)
    AUTHOR: ClassVar[str] = "subject"
    decision_kind: str
    ask_id: str | None
    subject: str
    channel: str
    code: str
    detail: str


class ConsentOpened(Body):
    """People are asked to sign `document` under a row of the rights table; `approval_digest` covers what it says.

    `overdue`: `lapse` at `expires_at`, or `escalate_daily` from then on until somebody decides (a ratification).
    """

    KIND: ClassVar[Kind] = Kind.consent_opened
    AUTHOR: ClassVar[str] = "requester"
    consent_id: str
    workflow_id: str
    subject: str
    document: dict[str, Any]
    right: dict[str, Any]
    approval_digest: str
    requester: str
    excluded: tuple[str, ...]
    environment: str
    asked: tuple[str, ...]
    opened_at: datetime
    expires_at: datetime
    overdue: Literal["lapse", "escalate_daily"]
    governance_digest: str
    rules: str

    def private(self) -> dict[str, str]:
        """What people typed into the document."""
        return dict.fromkeys(_typed(self.document, "/document"), "")


def _typed(value: Any, where: str) -> Iterator[str]:
    """Pointers to the texts of people in a document."""
    for key, item in value.items() if isinstance(value, dict) else ():
        if key in _TYPED and isinstance(item, str):
            yield f"{where}/{key}"
        else:
            yield from _typed(item, f"{where}/{key}")


class ConsentVote(Body):
    KIND: ClassVar[Kind] = Kind.consent_vote
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason",)
    AUTHOR: ClassVar[str] = "subject"
    consent_id: str
    decision_id: str
    vote: Literal["approve", "reject", "retract"]
    subject: str
    name: str
    roles: tuple[str, ...]
    reason: str
    channel: str
    have: int
    need: int
    missing: tuple[str, ...]


class ConsentOverdue(Body):
    """Nobody decided in time on what cannot lapse; `number` counts the reminders."""

    KIND: ClassVar[Kind] = Kind.consent_overdue
    consent_id: str
    number: int
    due: datetime
    missing: tuple[str, ...]


class ConsentClosed(Body):
    KIND: ClassVar[Kind] = Kind.consent_closed
    consent_id: str
    status: Literal["given", "refused", "lapsed"]
    because: str


class StandingIssued(Body):
    """`authorisation` is a StandingAuthorisation with its signers; the register checks it against the signatures."""

    KIND: ClassVar[Kind] = Kind.standing_issued
    authorisation: dict[str, Any]
    consent_id: str


class StandingRevoked(Body):
    KIND: ClassVar[Kind] = Kind.standing_revoked
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason",)
    authorisation_id: str
    consent_id: str
    reason: str
    decision_id: str
    name: str


class AskDefaulted(Body):
    """Which branch is taken because nobody decided; `degraded` says why it is not the declared one (GOV-24)."""

    KIND: ClassVar[Kind] = Kind.ask_defaulted
    ask_id: str
    plan_digest: str
    declared: Literal["proceed", "hold", "abort"]
    action: Literal["proceed", "hold", "abort"]
    degraded: tuple[str, ...]
    triggers: tuple[str, ...]
    authorisation_id: str | None
    facts_sha256: str
    rules: str


class AskSentTo(Body):
    """How one person is reached about one request, decided once (GOV-50): `batch` means that it is only listed."""

    KIND: ClassVar[Kind] = Kind.ask_sent
    ask_id: str
    subject: str
    name: str
    severity: str
    lane: Literal["own", "now", "batch"]
