"""Bodies of records about a rollout: what was planned, each step's intent and outcome, and how it ended."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import Field

from countermand.ledger.body import Body
from countermand.ledger.record import Kind
from countermand.plan.target import Split, TargetState
from countermand.playbook.units import Duration


class RolloutPlanned(Body):
    """What is to be done, and why a person has to start it; `asks` is empty where nobody has to.

    `until`: by when a person must start it.
    """

    KIND: ClassVar[Kind] = Kind.rollout_planned
    rollout_id: str
    plan_digest: str
    plan: dict[str, Any]
    asks: tuple[str, ...]
    until: datetime


class RolloutIntent(Body):
    """What is about to be set, and the state before it. Step 0 is the way back."""

    KIND: ClassVar[Kind] = Kind.rollout_intent
    rollout_id: str
    step: int
    desired: Split
    before: TargetState
    key: str
    fence: int
    plan_digest: str
    lease_id: str | None


class RolloutOutcome(Body):
    """`result` conflict: somebody else changed the split, and it was not overwritten. handed_over: an incident is at
    it, and nothing was set."""

    KIND: ClassVar[Kind] = Kind.rollout_outcome
    rollout_id: str
    step: int
    result: Literal["applied", "already", "conflict", "rejected", "ambiguous", "handed_over"]
    after: TargetState | None
    sentence: str


class RolloutTraffic(Body):
    """The target says the share of a step, and traffic shows it: only evidence from now on counts for the step.

    basis: `configured_only` where nobody can see traffic and the playbook takes that.
    """

    KIND: ClassVar[Kind] = Kind.rollout_traffic
    rollout_id: str
    step: int
    basis: Literal["verified", "configured_only"]
    sentence: str


class RolloutPromoted(Body):
    """A step was shown to be healthy: the certificate, the signals it covers, and what was seen."""

    KIND: ClassVar[Kind] = Kind.rollout_promoted
    rollout_id: str
    step: int
    plan_digest: str
    signals: tuple[str, ...]
    certificate: dict[str, Any]
    sentence: str


class RolloutHeld(Body):
    """A step was not shown to be healthy in time; people decide until `until`, then everybody goes back."""

    KIND: ClassVar[Kind] = Kind.rollout_held
    rollout_id: str
    step: int
    sentence: str
    until: datetime


class RolloutEnded(Body):
    """How a rollout ended. restored: whether the state it had to end with was read back, digest by digest, and traffic
    shows it; None where that was left to an incident, or nothing had been changed.

    candidate_bp: the share of users who keep the whole candidate, shown to be healthy; None for every other end.
    candidate_parts: digest of each part of the candidate by its name.
    """

    KIND: ClassVar[Kind] = Kind.rollout_ended
    rollout_id: str
    kind: Literal["sandbox", "ramp", "reintroduce"]
    environment: str
    member: str
    candidate_digest: str
    outcome: Literal["done", "doubtful", "trigger", "stopped", "handed_over", "lost", "not_started"]
    sentence: str
    restored: bool | None = None
    wanted_digest: str | None = None
    seen_digest: str | None = None
    signals: tuple[str, ...] = ()
    candidate_bp: int | None = None
    candidate_parts: dict[str, str] = Field(default_factory=dict)


class RolloutScheduled(Body):
    """From now on a sandbox of this release starts again and again; `every` None: no more. name: who wanted it so."""

    KIND: ClassVar[Kind] = Kind.rollout_scheduled
    environment: str
    every: Duration | None
    name: str
    sentence: str


class RolloutSkipped(Body):
    """A sandbox that was due by its schedule was not planned, and why."""

    KIND: ClassVar[Kind] = Kind.rollout_skipped
    rollout_id: str
    sentence: str
