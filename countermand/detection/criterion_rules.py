"""One criterion, ready to run: what it reads, what is tolerated, and how it differs by kind."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from countermand.detection.blocks import Arm, Sealed
from countermand.playbook.units import Number

LaneName = Literal["main", "severe"]


class SignalRule(Sealed):
    """The parts of a signal that a criterion needs. `expect` is the usual badness between 0 and 1.

    reads: the signal whose blocks are read, which differs from the signal itself for what is derived.
    """

    signal: str
    reads: str
    bad: Literal["higher", "lower"]
    unit: str
    show: Literal["percent", "per_10000"]
    expect: Number | None
    min_coverage: Number
    required: bool = True
    lane: LaneName = "main"

    @cached_property
    def coverage_ratio(self) -> tuple[int, int]:
        """`min_coverage` as exact integers (numerator, denominator)."""
        return self.min_coverage.as_integer_ratio()


class ToleranceRule(SignalRule):
    """Harmless: badness of the candidate ≤ `ratio` × badness of the baseline + `absolute` (§3).

    tolerance: what was written. warm_up: rows that give no evidence yet. every: rows that form one block of the
    criterion. bounds: of a kind without a concurrent
    baseline, see kinds.past_weeks. The other fields belong to one kind each.
    """

    form: Literal["tolerance"] = "tolerance"
    kind: Literal["rate", "judgement", "score", "latency", "gap", "score_gap", "categories", "missing", "past_weeks"]
    tolerance: dict[str, Number]
    ratio: Number
    absolute: Number
    warm_up: int = 0
    every: int = 1
    arms: tuple[Arm, ...] = (Arm.candidate, Arm.baseline)
    range: tuple[Number, Number] | None = None
    clipped: bool = False
    slower_by: Number | None = None
    quantiles: tuple[Number, ...] = ()
    edges: tuple[Number, ...] | None = None
    measured_in: str = ""
    group_by: str = ""
    groups: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    size: Number | None = None
    bounds: tuple[int, ...] = ()

    @cached_property
    def line(self) -> tuple[float, float]:
        """(ratio, absolute) as the floats the arithmetic uses."""
        return float(self.ratio), float(self.absolute)

    @cached_property
    def zero(self) -> bool:
        """Nothing worse than the baseline is tolerated."""
        moved = self.slower_by is not None and self.slower_by > 0
        return self.ratio == 1 and self.absolute == 0 and not moved


class ThresholdRule(SignalRule):
    """A fixed rule without a bound on false alarms, in the signal's own direction (§6); lengths in blocks.

    bound: breached when the value over `window` was outside in `times` successive blocks.
    cumulative, consecutive: when more than `times` measurements, one per `window`, were outside.
    failed_checks: when `times` measurements were outside. n_of_m: when `times` of the last `window` blocks were.
    burn_rate: when both windows of a pair (long, short, factor) hold more than factor · `limit` bad outputs.
    times_baseline: when more than `times` measurements over `window`, one per `interval`, found the candidate's bad
    share above `limit` times the baseline's.
    firing: when an alert fired in `times` successive blocks; `bad` of a block is how many instances of it fire.
    """

    form: Literal["threshold"] = "threshold"
    kind: Literal[
        "bound", "cumulative", "consecutive", "failed_checks", "n_of_m", "burn_rate", "times_baseline", "firing"
    ]
    outside: Literal["above", "below"] = "above"
    limit: Number
    window: int
    interval: int = 1
    times: int
    pairs: tuple[tuple[int, int, Number], ...] = ()
    arms: tuple[Arm, ...] = (Arm.candidate,)

    @cached_property
    def limit_ratio(self) -> tuple[int, int]:
        """`limit` as exact integers (numerator, denominator)."""
        return self.limit.as_integer_ratio()


CriterionRule = ToleranceRule | ThresholdRule
