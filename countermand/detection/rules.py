"""What is decided before the first block arrives: one Rule per trigger, with every default filled in."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field

from countermand import canonical
from countermand.detection.evalue import micronats
from countermand.detection.models import CORE, Arm, Sealed
from countermand.playbook import criteria
from countermand.playbook.criteria import (
    Bound,
    Criterion,
    Detection,
    FailureLimit,
    SignalSpec,
    Tolerance,
    Trigger,
)
from countermand.playbook.terms import Severity
from countermand.playbook.units import Duration, Number


class SignalRule(Sealed):
    """The parts of a signal that a criterion needs. `expect` is the usual share of bad outputs."""

    signal: str
    bad: Literal["higher", "lower"]
    unit: str
    show: Literal["percent", "per_10000"]
    expect: Number
    min_coverage: Number

    @cached_property
    def coverage_ratio(self) -> tuple[int, int]:
        """`min_coverage` as exact integers (numerator, denominator)."""
        return self.min_coverage.as_integer_ratio()


class ToleranceRule(SignalRule):
    """Harmless: bad rate of the candidate ≤ `ratio` × bad rate of the baseline + `absolute` (§3)."""

    form: Literal["tolerance"] = "tolerance"
    ratio: Number
    absolute: Number
    arms: tuple[Arm, ...] = (Arm.candidate, Arm.baseline)

    @cached_property
    def line(self) -> tuple[float, float]:
        """(ratio, absolute) as the floats the arithmetic uses."""
        return float(self.ratio), float(self.absolute)

    @property
    def zero(self) -> bool:
        """Nothing worse than the baseline is tolerated."""
        return self.ratio == 1 and self.absolute == 0


class ThresholdRule(SignalRule):
    """The candidate's own value against a fixed limit, in the signal's own direction (§6); lengths in blocks.

    bound: breached when the value over `window` was outside in `times` successive blocks.
    failure_limit: breached when more than `times` measurements, one per `window`, were outside.
    """

    form: Literal["threshold"] = "threshold"
    kind: Literal["bound", "cumulative", "consecutive"]
    outside: Literal["above", "below"]
    limit: Number
    window: int
    times: int
    arms: tuple[Arm, ...] = (Arm.candidate,)

    @cached_property
    def limit_ratio(self) -> tuple[int, int]:
        """`limit` as exact integers (numerator, denominator)."""
        return self.limit.as_integer_ratio()


class Rule(Sealed):
    """One trigger, ready to run. At least `k` of its criteria must show harm: 1 is any, all of them is all.

    `alpha` is the allowed probability that it ever fires wrongly during the watch; None when it has no
    criterion with a tolerance, because then nothing bounds it.
    """

    core: str = CORE
    trigger: str
    severity: Severity
    block: Duration
    watch_blocks: int
    sustain_blocks: int
    blind_after: int
    w0: Number
    dispersion: Number
    alpha: Number | None
    k: int
    criteria: tuple[Annotated[ToleranceRule | ThresholdRule, Field(discriminator="form")], ...]

    @cached_property
    def digest(self) -> str:
        return canonical.digest(self)

    @cached_property
    def nats_to_fire(self) -> float:
        """ln(1/α); infinite when only threshold rules can fire."""
        return math.inf if self.alpha is None else -math.log(float(self.alpha))

    @cached_property
    def limit(self) -> int | float:
        """Evidence at which the trigger fires, in micronats."""
        return math.inf if self.alpha is None else math.ceil(self.nats_to_fire * 1_000_000)

    @cached_property
    def hold_limit(self) -> int | float:
        """Evidence at which the ramp is held: α^(−1/2), in micronats (DET-24)."""
        return math.inf if self.alpha is None else math.ceil(self.nats_to_fire * 500_000)

    @cached_property
    def cap(self) -> int:
        """The most one block can add, in micronats: harm must last `sustain_blocks` blocks (§5.1)."""
        return micronats((self.nats_to_fire - math.log(float(self.w0))) / self.sustain_blocks)

    @cached_property
    def assumed_dispersion(self) -> float:
        return float(self.dispersion)

    @cached_property
    def first_weight(self) -> int:
        """Mass staked on harm from the first row on, in micronats."""
        return micronats(math.log(float(self.w0) + (1 - float(self.w0)) / self.watch_blocks))

    @cached_property
    def later_weight(self) -> int:
        """Mass staked in each later row on harm that begins there, in micronats."""
        return micronats(math.log((1 - float(self.w0)) / self.watch_blocks))

    @property
    def bounded(self) -> bool:
        """Can it fire only with evidence? False when its threshold rules alone are enough (DET-23)."""
        return sum(criterion.form == "threshold" for criterion in self.criteria) < self.k


def compile_rules(detection: Detection) -> tuple[Rule, ...]:
    """One Rule per trigger, in playbook order; α = per_release · (1 − reserve) · share (DET-30)."""
    return tuple(_rule(detection, trigger) for trigger in detection.triggers)


def _rule(detection: Detection, trigger: Trigger) -> Rule:
    budget = detection.false_alarms
    spends = any(criterion.tolerate for criterion in trigger.criteria)
    return Rule(
        trigger=trigger.id,
        severity=trigger.severity,
        block=detection.block,
        watch_blocks=detection.watch_blocks,
        sustain_blocks=detection.sustain_blocks,
        blind_after=detection.blind_after,
        w0=detection.w0,
        dispersion=detection.dispersion,
        alpha=budget.per_release * (1 - budget.reserve) * trigger.share if spends else None,
        k=trigger.needed,
        criteria=tuple(
            _criterion(criterion, detection.signals[criterion.signal], detection.block)
            for criterion in trigger.criteria
        ),
    )


def _criterion(criterion: Criterion, spec: SignalSpec, block: timedelta) -> ToleranceRule | ThresholdRule:
    signal: dict[str, Any] = {
        "signal": criterion.signal,
        "bad": spec.bad,
        "unit": spec.unit,
        "show": spec.show,
        "expect": spec.expect if spec.bad == "higher" else 1 - spec.expect,
        "min_coverage": spec.min_coverage,
    }
    match criterion:
        case Criterion(tolerate=Tolerance() as tolerate):
            # Blocks count bad outputs whichever way the signal points: one mapping for both (§4.6, DET-7).
            return ToleranceRule(
                **signal,
                ratio=Decimal(1) if tolerate.ratio is None else tolerate.ratio,
                absolute=Decimal(0) if tolerate.absolute is None else tolerate.absolute,
            )
        case Criterion(rule=criteria.ThresholdRule(bound=Bound() as bound)):
            return ThresholdRule(
                **signal,
                **_limit(bound),
                kind="bound",
                window=bound.window // block,
                times=max(bound.hold_for // block, 1),
            )
        case Criterion(rule=criteria.ThresholdRule(failure_limit=FailureLimit() as failures)):
            return ThresholdRule(
                **signal,
                **_limit(failures),
                kind=failures.count,
                window=failures.interval // block,
                times=failures.limit,
            )
        case _:
            raise ValueError(f"{criterion!r} has neither a tolerance nor a threshold rule")


def _limit(rule: Bound | FailureLimit) -> dict[str, Any]:
    if rule.above is not None:
        return {"outside": "above", "limit": rule.above}
    return {"outside": "below", "limit": rule.below}
