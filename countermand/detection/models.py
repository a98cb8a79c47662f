"""Values of detection: blocks, rows and verdicts (detection.md §2, §11)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from countermand.canonical import digest, instant
from countermand.plan.target import Value
from countermand.playbook.terms import Severity
from countermand.playbook.units import Duration

CORE = "detection/1"


class Sealed(Value):
    """A value with parts derived once, such as its digest. A copy is checked and derives its own."""

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:  # noqa: ARG002
        """Validated like a new value, whatever `deep` says."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_validate({**fields, **(update or {})})


class Arm(StrEnum):
    """The two sides of a release."""

    candidate = "candidate"
    baseline = "baseline"


class BlockState(StrEnum):
    """`unknown` blocks give no evidence and no healthy credit."""

    ok = "ok"
    unknown = "unknown"


class Block(Value):
    """Sealed counts of one signal and arm over one block time; immutable and hashed.

    `bad` counts the outputs that were labelled bad, whichever way the signal's own value points: for a signal
    of correct answers (`bad: lower`) these are the incorrect ones.
    """

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


class Row(Sealed):
    """All sealed blocks of one block time."""

    seq: int = Field(ge=0)
    start: AwareDatetime
    block: Duration
    late_of: int | None = None
    blocks: tuple[Block, ...]

    @cached_property
    def digest(self) -> str:
        fields = self.model_dump(mode="json")
        fields["start"] = instant(self.start)
        fields["blocks"] = sorted(fields["blocks"], key=lambda b: (b["signal"], b["arm"], b["segment"]))
        return digest(fields)

    def find(self, signal: str, arm: Arm) -> Block | None:
        """The block of all traffic of one signal and arm."""
        return self._by_key.get((signal, arm, "all"))

    @cached_property
    def _by_key(self) -> dict[tuple[str, Arm, str], Block]:
        return {(block.signal, block.arm, block.segment): block for block in self.blocks}

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if len(self._by_key) != len(self.blocks):
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
    reasons: tuple[Literal["clustering", "dispersion_assumed", "threshold_rule"], ...] = ()


class ArmCounts(Value):
    """Counts of one arm, with the bad rate as a decimal string per 10,000; None when nothing was scored."""

    bad: int
    scored: int
    per_10000: str | None


class Gap(Value):
    """Why a criterion cannot judge a row: which arm is missing, why, and in words with what would end it.

    The reason is the block's own, or `no_block`, `no_scored` or `coverage`.
    """

    arm: Arm
    reason: str
    sentence: str


class CriterionRecord(Value):
    """What one criterion saw.

    `so_far` covers the known blocks from row `since` to this one. For a tolerance, `since` is where evidence
    began to build up: the last row at which all evidence before, uncapped, had been used up (Page, Biometrika
    1954). It is chosen after the fact and decides nothing (DET-34). In quiet times it is this row or one a
    few blocks back. For a threshold rule it is the window or interval whose value is compared; there only the
    candidate counts. `times` is the ratio of the two bad rates. `coverage` is scored / served in this block.
    `micronats` and `odds` are this criterion's own evidence, `dispersion` is the φ that will temper its next
    block; a threshold rule has `breached` instead. `unknown_rows`: rows of the watch that gave no evidence.
    """

    signal: str
    form: Literal["tolerance", "threshold"]
    tolerance: dict[str, str]
    this_block: dict[Arm, ArmCounts]
    coverage: dict[Arm, str]
    so_far: dict[Arm, ArmCounts]
    since: int
    times: str | None
    micronats: int | None
    odds: str | None
    breached: bool | None
    unknown: Gap | None
    unknown_rows: int
    dispersion: str | None
    sentence: str


class Verdict(Value):
    """The verdict of one trigger after one row.

    `micronats` is the trigger's evidence in nats × 10⁶, `odds` the same as betting odds; both are None when a
    threshold rule decides alone. It fires at `limit_micronats`. `row` is the digest of the judged row.
    """

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
    """The verdict of a watch: the first of trigger > unknown > watch > ok over its triggers (DET-24)."""

    seq: int
    word: VerdictWord
    sentence: str
    leading: Verdict
    verdicts: tuple[Verdict, ...]
