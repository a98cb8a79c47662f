"""Values that cross the Target port (targets.md §1, §2, §4). Shares are integer basis points, never floats."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

WHOLE = 10_000


class Value(BaseModel):
    """Base of immutable values that travel between rooms and processes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Capabilities(Value):
    """What a release-control system can do; each flag is proved by the conformance suite.

    leases: it caps a share and takes it back by itself when nobody renews (`activities.ports.Leases`).
    """

    kind: Literal["split", "alias"]
    granularity_bp: int
    compare_and_swap: Literal["native", "content", "none"]
    durable: bool
    stores_fence: bool
    observes: Literal["counters", "headers", "client_evaluation", "none"]
    dry_run: Literal["server", "client"]
    leases: bool = False


class Member(Value):
    """One controllable thing in a Target, and the digest each arm must serve."""

    target: str
    name: str
    candidate_digest: str
    baseline_digest: str


class Split(Value):
    """Share of users per arm in basis points; the sum is exactly 10,000."""

    candidate_bp: Annotated[int, Field(ge=0, le=WHOLE)]
    baseline_bp: Annotated[int, Field(ge=0, le=WHOLE)]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.candidate_bp + self.baseline_bp != WHOLE:
            raise ValueError(f"shares {self.candidate_bp} + {self.baseline_bp} do not add up to 10,000 basis points")
        return self

    @classmethod
    def candidate(cls, basis_points: int) -> Split:
        return cls(candidate_bp=basis_points, baseline_bp=WHOLE - basis_points)


class TargetState(Value):
    """What the system says it does, as read now."""

    split: Split
    revision: str
    idempotency_key: str | None
    fence: int
    read_at: datetime
    raw_sha256: str


class Preflight(Value):
    """May and can this destination take the traffic? `problems` is empty when it can."""

    ready: bool
    problems: tuple[str, ...]
    destination_digest: str | None
    write_permitted: bool


class SetOutcome(Value):
    """What one `set` did. Success is only ever reported after a read-back (TGT-2)."""

    result: Literal["applied", "already", "conflict"]
    by: Literal["our_key", "external", "unknown"] = "our_key"
    before: TargetState
    after: TargetState
    resolved_by: Literal["response", "read_back"] = "response"
    dry_run: Literal["server", "client"] | None = None


class LeaseState(Value):
    """A share that the target itself holds down and takes back: no more than `cap_bp` while it is on, and back to
    `returns_to` when it is not renewed before `expires_at`."""

    lease_id: str
    cap_bp: int
    returns_to: Split
    expires_at: datetime


class Observation(Value):
    """Who was seen per arm since the current revision took effect, and errors among requests.

    counts: what the numbers per arm are; requests stand for users only where each request is routed for itself, and
    probes are requests of ours, not of users.
    unknown: why nothing can be said of the arms, in a sentence; requests and errors count all the same.
    neither: a digest that was served and belongs to neither arm.
    """

    revision: str
    candidate_users: int
    baseline_users: int
    requests: int
    errors: int
    at: datetime
    counts: Literal["users", "requests", "probes"] = "users"
    unknown: str | None = None
    neither: str | None = None


class CheckWord(StrEnum):
    """`unknown` never becomes `pass`."""

    passed = "pass"
    failed = "fail"
    unknown = "unknown"


class Measured(Value):
    """A count or a checksum that a check took before the first stage, for later ones to compare with."""

    name: str
    value: str


class CheckResult(Value):
    """One test with its answer in words and the numbers behind it."""

    name: str
    word: CheckWord
    sentence: str
    raw_sha256: str | None = None
