"""Bodies of records about stages: intent, outcome, life and checks."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from countermand.ledger.body import Body
from countermand.ledger.record import Kind
from countermand.plan.target import Measured, Split, TargetState

#: Life of a stage. `partial`: members of the bundle differ from each other now; `compensated`: those that had moved
#: were brought back.
StageWord = Literal[
    "started", "soaking", "completed", "held", "resumed", "stopped", "aborted", "reversed", "partial", "compensated"
]


class StageIntent(Body):
    """What is about to be done, and the state before it, enough to restore it (TGT-6).

    member: which of the plan's followers; None: the member that moves in stages.
    """

    KIND: ClassVar[Kind] = Kind.stage_intent
    revert: int
    stage: int
    desired: Split
    before: TargetState
    key: str
    fence: int
    plan_digest: str
    member: str | None = None


class StageOutcome(Body):
    KIND: ClassVar[Kind] = Kind.stage_outcome
    revert: int
    stage: int
    result: Literal["applied", "already", "conflict", "rejected", "ambiguous"]
    by: str
    recovered: bool
    after: TargetState | None
    sentence: str
    member: str | None = None
    #: The answer with which the target refused it, kept as evidence.
    raw_sha256: str | None = None


class StageState(Body):
    """Life of a stage and of the revert around it. `by` and `subject`: the person that it came of; the sentence quotes
    them."""

    KIND: ClassVar[Kind] = Kind.stage_state
    AUTHOR: ClassVar[str] = "subject"
    revert: int
    stage: int
    state: StageWord
    sentence: str
    by: str | None = None
    until: datetime | None = None
    subject: str | None = None

    def private(self) -> dict[str, str]:
        """The sentence of what a person commanded quotes them."""
        return {"/sentence": ""} if self.by else {}


class CheckDone(Body):
    KIND: ClassVar[Kind] = Kind.check_result
    revert: int
    stage: int
    phase: Literal["before", "traffic", "between", "after", "verification"]
    name: str
    word: Literal["pass", "fail", "unknown"]
    sentence: str
    member: str | None = None
    #: The raw answer behind it, kept as evidence, and what later phases of the same revert compare with.
    raw_sha256: str | None = None
    measured: tuple[Measured, ...] = ()
