"""Values of detection: blocks, rows, states and verdicts (detection.md §2, §11)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from countermand.canonical import digest, instant
from countermand.plan.target import Value
from countermand.playbook.model import Severity
from countermand.playbook.units import Duration

CORE = "detection/1"


class Arm(StrEnum):
    """The two sides of a release."""

    candidate = "candidate"
    baseline = "baseline"


class BlockState(StrEnum):
    """`unknown` blocks give no evidence and no healthy credit."""

    ok = "ok"
    unknown = "unknown"


class Block(Value):
    """Sealed counts of one signal and arm over one block time; immutable and hashed."""

    signal: str
    arm: Arm
    segment: str = "all"
    state: BlockState
    reason: str | None = None
    served: int = Field(ge=0, lt=2**53)
    scored: int = Field(ge=0, lt=2**53)
    bad: int = Field(ge=0, lt=2**53)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.bad <= self.scored <= self.served:
            raise ValueError(f"bad {self.bad} ≤ scored {self.scored} ≤ served {self.served} does not hold")
        if (self.state is BlockState.unknown) != (self.reason is not None):
            raise ValueError("an unknown block has a reason, an ok block has none")
        return self


class Row(Value):
    """All sealed blocks of one block time."""

    seq: int = Field(ge=0)
    start: datetime
    block: Duration
    late_of: int | None = None
    blocks: tuple[Block, ...]

    @property
    def digest(self) -> str:
        fields = self.model_dump(mode="json")
        fields["start"] = instant(self.start)
        fields["blocks"] = sorted(fields["blocks"], key=lambda b: (b["signal"], b["arm"], b["segment"]))
        return digest(fields)

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        keys = [(block.signal, block.arm, block.segment) for block in self.blocks]
        if len(keys) != len(set(keys)):
            raise ValueError("a row holds at most one block per signal, arm and segment")
        return self


class VerdictWord(StrEnum):
    """The closed set of verdicts, in the order in which a watch combines them."""

    trigger = "trigger"
    unknown = "unknown"
    watch = "watch"
    ok = "ok"


class Guarantee(Value):
    """What the false-alarm bound rests on (DET-25)."""

    word: Literal["bounded", "conditional", "none"]
    reasons: tuple[str, ...] = ()


class ArmCounts(Value):
    """Counts of one arm, with the rate as a decimal string per 10,000."""

    bad: int
    scored: int
    per_10000: str | None


class CriterionRecord(Value):
    """What one criterion saw: in this block, and since the watch began."""

    signal: str
    form: Literal["tolerance", "threshold"]
    tolerance: dict[str, str]
    this_block: dict[Arm, ArmCounts]
    so_far: dict[Arm, ArmCounts]
    micronats: int | None
    odds: str | None
    breached: bool | None
    unknown_rows: int
    dispersion: str | None
    sentence: str


class Verdict(Value):
    """The verdict of one trigger after one row."""

    core: str
    rule: str
    trigger: str
    severity: Severity
    seq: int
    word: VerdictWord
    hold: bool
    blind: bool
    latched_at: int | None
    guarantee: Guarantee
    micronats: int | None
    limit_micronats: int | None
    odds: str | None
    limit_odds: str | None
    alpha: str | None
    criteria: tuple[CriterionRecord, ...]
    row: str
    sentence: str


class WatchVerdict(Value):
    """The verdict of a whole watch: the first of trigger > unknown > watch > ok over its triggers (DET-24)."""

    seq: int
    word: VerdictWord
    sentence: str
    leading: Verdict
    verdicts: tuple[Verdict, ...]
