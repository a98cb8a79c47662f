"""Bodies of records about an incident, from its opening to its review."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

from countermand.ledger.body import Body
from countermand.ledger.record import Kind
from countermand.ledger.release_bodies import DECLARED
from countermand.plan.target import Value


class IncidentOpened(Body):
    KIND: ClassVar[Kind] = Kind.incident_opened
    AUTHOR: ClassVar[str] = "opened_by"
    workflow_id: str
    environment: str
    service: str
    candidate_name: str
    baseline_name: str
    severity: str
    trigger: str
    sentence: str
    evidence_digest: str
    opened_by: str
    ends_by: datetime

    def private(self) -> dict[str, str]:
        """The sentence of an incident that a person declared quotes them."""
        return {"/sentence": ""} if self.trigger in DECLARED else {}


class IncidentPhase(Body):
    """What the incident is doing or waiting for, and until when; `commands_to` takes people's commands now."""

    KIND: ClassVar[Kind] = Kind.incident_phase
    phase: Literal[
        "freezing",
        "planning",
        "asking",
        "paused_for_investigation",
        "reverting",
        "verifying",
        "held",
        "not_verified",
    ]
    sentence: str
    until: datetime | None
    commands_to: str
    commands: tuple[str, ...]


class IncidentClosed(Body):
    KIND: ClassVar[Kind] = Kind.incident_closed
    outcome: Literal[
        "reverted",
        "reverted_not_verified",
        "rejected",
        "withdrawn",
        "expired",
        "aborted",
        "reversed",
        "unresolved",
        "adjusted",
        "continued",
    ]
    sentence: str


class IncidentUnattended(Body):
    """The record says that it is open, and no workflow runs for it: somebody ended or deleted it from outside (T22).

    found: what the service says of the workflow now.
    """

    KIND: ClassVar[Kind] = Kind.incident_unattended
    workflow_id: str
    found: str
    sentence: str


class FrozenItem(Value):
    """One item of frozen evidence; of one that is not complete there are no bytes, and `why` says why."""

    name: str
    sha256: str
    size: int
    source: str
    read_at: datetime
    complete: bool
    why: str = ""


class FreezeCompleted(Body):
    KIND: ClassVar[Kind] = Kind.freeze_completed
    inventory_sha256: str
    items: tuple[FrozenItem, ...]


class FreezeIncomplete(Body):
    """What could be copied in time, and what could not."""

    KIND: ClassVar[Kind] = Kind.freeze_incomplete
    inventory_sha256: str
    items: tuple[FrozenItem, ...]


class FreezeWaived(Body):
    """Somebody decided to go on although evidence is missing (GOV-42); the decision with their signature is a record of
    its own."""

    KIND: ClassVar[Kind] = Kind.freeze_waived
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason",)
    AUTHOR: ClassVar[str] = "subject"
    decision_id: str
    subject: str
    name: str
    missing: str
    reason: str


class FreezeFailed(Body):
    KIND: ClassVar[Kind] = Kind.freeze_failed
    reason: str
    branch: Literal["wait", "ask", "parallel"]


class PlanMade(Body):
    KIND: ClassVar[Kind] = Kind.plan
    plan_digest: str
    plan: dict[str, Any]


class FreezeStarted(Body):
    """The copying of evidence began and runs beside what is done, because the glass was broken (GOV-39)."""

    KIND: ClassVar[Kind] = Kind.freeze_started
    decision_id: str


class GlassBroken(Body):
    """Somebody acts first and answers for it: who, against which harm, what is done, and until when others must have
    ratified it. `plan_digest` None: no user is moved."""

    KIND: ClassVar[Kind] = Kind.glass_broken
    PRIVATE: ClassVar[tuple[str, ...]] = ("/harm", "/reason")
    AUTHOR: ClassVar[str] = "subject"
    decision_id: str
    subject: str
    name: str
    emergency: Literal["stop", "disable", "last_known_good"]
    harm: str
    reason: str
    environment: str
    plan_digest: str | None
    sentence: str
    ratify_by: datetime


class GateDecided(Body):
    """What the verdicts of an incident lead to for one plan (GOV-27). `because` names every clause that does not hold.

    `triggers` are those that fired and are not about fairness; `fairness` are the others, and a person's report of a
    pattern. `facts_sha256`: the facts it rests on, kept as evidence.
    """

    KIND: ClassVar[Kind] = Kind.gate_decided
    plan_digest: str
    act: Literal["automatic", "ask", "ask_if_blind", "notify", "investigate", "none"]
    clear: bool
    triggers: tuple[str, ...]
    people: int | None
    window_seconds: int | None
    next_working_window: bool
    hold_ramp: bool
    because: tuple[str, ...]
    authorisation_id: str | None
    facts_sha256: str
    rules: str
    fairness: tuple[str, ...] = ()
