"""Values of detection: verdicts and what they rest on (detection.md §11). Blocks and rows: `blocks`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import PrivateAttr, SerializerFunctionWrapHandler, model_serializer

from countermand.detection.blocks import Arm, Block, BlockState, Row, Sealed
from countermand.plan.target import Value
from countermand.playbook.terms import Severity

__all__ = [
    "CORE",
    "Arm",
    "ArmCounts",
    "Block",
    "BlockState",
    "Budget",
    "CriterionRecord",
    "Gap",
    "Guarantee",
    "Row",
    "Sealed",
    "Verdict",
    "VerdictWord",
    "WatchVerdict",
]

CORE = "detection/1"


class VerdictWord(StrEnum):
    """The closed set of verdicts, in the order in which a watch combines them."""

    trigger = "trigger"
    unknown = "unknown"
    watch = "watch"
    ok = "ok"


class Guarantee(Value):
    """What the false-alarm bound rests on (DET-25)."""

    word: Literal["bounded", "conditional", "none"]
    reasons: tuple[
        Literal[
            "clustering",
            "dispersion_assumed",
            "no_control",
            "clipped",
            "routing_not_random",
            "budget_overdrawn",
            "threshold_rule",
            "alert",
        ],
        ...,
    ] = ()


class ArmCounts(Value):
    """What one arm did, as far as its kind of signal counts it.

    per_10000: the bad rate as a decimal string; None when nothing was scored or nothing is counted as bad.
    interval: its 95 % Wilson interval per 10,000, for orientation; it is not what decides (DET-34). Only explanations
    carry it.
    value: a mean in the signal's own units.
    """

    bad: int | None
    scored: int
    per_10000: str | None
    interval: tuple[str, str] | None = None
    value: str | None = None


class Budget(Value):
    """The false-alarm budget as decimal strings: of the release, of this trigger, and kept for changes (DET-30).

    left: what no trigger had been given when this one was; below 0 if overdrawn. None in records from before it was
    kept.
    """

    per_release: str
    allotted: str
    reserve: str
    left: str | None = None


class Gap(Value):
    """Why a criterion cannot judge a row: which arm is missing, why, and in words with what would end it.

    The reason is the block's own, or `no_block`, `no_scored`, `coverage`, `no_values`, `no_group`, `no_history`,
    `training` or `warm_up`.
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
    `used_micronats`: what each bet added in this row. `pessimistic_odds`: the odds if every missing output of the
    candidate were bad; shown, never used. `gate`: a second condition that must hold before evidence counts.
    `sources`: who labelled this block, where it says so. `blocks`: digests of the sealed blocks that were read, the
    candidate's first, each arm's whole before its segments.
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
    kind: str = "rate"
    lane: Literal["main", "severe"] = "main"
    used_micronats: tuple[int, ...] = ()
    pessimistic_odds: str | None = None
    gate: Literal["open", "shut"] | None = None
    sources: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()


class Verdict(Value):
    """The verdict of one trigger after one row.

    `micronats` is the trigger's evidence in nats × 10⁶, `odds` the same as betting odds; both are None when a
    threshold rule decides alone. It fires at `limit_micronats`. `row` is the digest of the judged row.
    All these are of one lane: the main one, unless the severe one fired. `distance`: evidence as a part of what is
    needed, 1.00 fires. `standing`: after the declared length of the watch. A shadow never acts.

    Most verdicts are never read: what `step` leaves out is found when it is first read, compared or written.
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
    lane: Literal["main", "severe"] = "main"
    distance: str | None = None
    standing: bool = False
    shadow: bool = False
    budget: Budget | None = None

    _rest: Callable[[], dict[str, Any]] | None = PrivateAttr(None)

    def _whole(self) -> Self:
        if self._rest is not None:
            found = {**self._rest(), **self.__dict__}
            object.__setattr__(self, "__dict__", {name: found[name] for name in type(self).model_fields})
            self._rest = None
        return self

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in type(self).model_fields and self._rest is not None:
                return getattr(self._whole(), name)
            return super().__getattr__(name)

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self._whole())
        return written

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Verdict) and super(Verdict, self._whole()).__eq__(other._whole())

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return super(Verdict, self._whole()).__repr_args__()


class WatchVerdict(Value):
    """The verdict of a watch: the first of trigger > unknown > watch > ok over its triggers (DET-24)."""

    seq: int
    word: VerdictWord
    sentence: str
    leading: Verdict
    verdicts: tuple[Verdict, ...]
