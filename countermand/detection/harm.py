"""How much harm a trial plants for a criterion, and how that compares with what the criterion accepts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from countermand.detection.blocks import SCORE_STEPS, Arm, BlockState, Row
from countermand.detection.criterion_rules import CriterionRule, ThresholdRule
from countermand.detection.figures import rate
from countermand.detection.forecast import Traffic
from countermand.detection.planted import Harm, can_plant
from countermand.detection.tolerances import bad_value
from countermand.plan.target import Value
from countermand.playbook.criteria import Detection
from countermand.playbook.plain_words import words
from countermand.playbook.signals import SignalSpec

#: Planted when nothing is said: this many times the usual, or twice what is accepted if that is more.
TIMES, TWICE = 3.0, 2.0

#: Planted into a mix when nothing is said: this part of the outputs becomes `other`.
MIX = 0.5

#: Rates and traffic that differ by less than this factor are called alike.
ALIKE = 1.5


class Size(Value):
    """Badness of the candidate before and after; for a latency 1 and the factor, for a mix 0 and what is moved.

    accepted: the largest badness that is no harm by the criterion; None where that is not a number.
    """

    before: float
    after: float
    accepted: float | None

    @property
    def beyond(self) -> bool:
        """Is it more than the criterion accepts?"""
        return self.after > self.before and (self.accepted is None or self.after > self.accepted)


def size(
    rule: CriterionRule, spec: SignalSpec, usual: float | None, times: float | None, points: float | None
) -> Size | str:
    """What to plant for a criterion: `times` the usual badness, or `points` more, or what suits it by default.

    usual: badness of the baseline. points: a share, for a score in its own units. A text says why there is none.
    """
    if not can_plant(spec):
        return f"nothing can be planted into a signal of kind {spec.kind}"
    if spec.kind == "latency":
        accepted = None if isinstance(rule, ThresholdRule) or rule.slower_by is None else 1 + float(rule.slower_by)
        if points is not None:
            return "a latency has no points; say how many times longer it takes"
        return Size(before=1, after=times or max(TIMES, TWICE * (accepted or 1)), accepted=accepted)
    if spec.kind == "categories":
        if times is not None:
            return "a mix has no multiple; say how many points of it move"
        return Size(before=0, after=MIX if points is None else min(points, 1), accepted=None)
    if usual is None or (not usual and points is None):
        return "nobody knows what is usual: the playbook expects no value and the baseline shows none"
    accepted = _accepted(rule, usual)
    if points is not None:
        low, high = spec.range or (Decimal(0), Decimal(1))
        after = usual + points / float(high - low)
    elif times is not None:
        after = times * usual
    else:
        most = max(accepted or 0, usual)
        after = min(max(TIMES * usual, TWICE * (accepted or 0)), (1 + most) / 2)
    return Size(before=usual, after=min(after, 1.0), accepted=accepted)


def harm(signal: str, spec: SignalSpec, found: Size) -> Harm:
    """The size as what happens to each output."""
    if spec.kind == "latency":
        return Harm(signal=signal, part=1, factor=found.after / found.before)
    whole = 1 - found.before
    return Harm(signal=signal, part=max(found.after - found.before, 0) / whole if whole > 0 else 0)


def said(spec: SignalSpec, found: Size) -> str:
    """The size for people, in the signal's own direction: `0.5 % to 1.5 %`."""
    match spec.kind:
        case "latency":
            return f"{found.after:g} times longer"
        case "categories":
            return f"{100 * found.after:g} % become other"
        case _:
            return f"{value(spec, found.before)} to {value(spec, found.after)}"


def value(spec: SignalSpec, badness: float) -> str:
    """A badness as the signal shows it: a share, or a score in its units."""
    own = 1 - badness if spec.bad == "lower" else badness
    if spec.kind == "score" and spec.range is not None:
        low, high = map(float, spec.range)
        return f"{low + own * (high - low):.3g}"
    return rate(round(own * 10**9), 10**9, spec.show)


def expected(detection: Detection) -> dict[str, float]:
    """Usual badness by signal as the playbook expects it; a gap's is that of its groups."""
    found = {}
    for name, spec in detection.signals.items():
        usual = bad_value(detection.signals[spec.of] if spec.kind == "gap" and spec.of else spec)
        if usual is not None:
            found[name] = float(usual)
    return found


def observed(detection: Detection, rows: Sequence[Row]) -> dict[str, float]:
    """The same as the baseline of these rows shows it; without a baseline, as the candidate does."""
    found = {}
    for name, spec in detection.signals.items():
        arm = Arm.candidate if spec.baseline == "none" else Arm.baseline
        bad, scored = _sums(spec, name, rows, arm)
        if scored:
            found[name] = bad / scored
    return found


def differences(detection: Detection, rows: Sequence[Row]) -> Iterator[str]:
    """Where recorded rows are unlike what the playbook expects: what holds for them may not hold for production."""
    seen, promised = observed(detection, rows), expected(detection)
    minutes = detection.block.total_seconds() / 60
    for name, (n, _) in traffic_seen(detection, rows).items():
        spec = detection.signals[name]
        stated = (detection.signals[spec.of] if spec.of else spec).per_minute
        if name not in seen and spec.kind not in ("latency", "categories"):
            yield f"{words(name)}: these rows hold nothing of it"
        elif name in promised and not promised[name] / ALIKE <= seen[name] <= promised[name] * ALIKE:
            here, there = value(spec, seen[name]), value(spec, promised[name])
            yield f"{words(name)}: the baseline shows {here}, the playbook expects {there}"
        if stated and not stated / ALIKE <= n / minutes <= stated * ALIKE:
            yield f"{words(name)}: {n / minutes:,.0f} outputs a minute, the playbook states {stated:,}"


def traffic_seen(detection: Detection, rows: Sequence[Row]) -> dict[str, Traffic]:
    """Outputs per row on (candidate, baseline), on average: scored ones, for missing labels those that were due."""

    def mean(spec: SignalSpec, name: str, arm: Arm) -> int:
        blocks = [block for row in rows if (block := row.find(spec.of or name, arm))]
        return sum(b.served if spec.kind == "missing" else b.scored for b in blocks) // max(len(rows), 1)

    return {
        name: (mean(spec, name, Arm.candidate), mean(spec, name, Arm.baseline))
        for name, spec in detection.signals.items()
    }


def _accepted(rule: CriterionRule, usual: float) -> float | None:
    if not isinstance(rule, ThresholdRule):
        return usual + rule.line[1] if rule.kind == "gap" else rule.line[0] * usual + rule.line[1]
    limit = float(rule.limit)
    match rule.kind:
        case "burn_rate":
            return limit * min((float(factor) for *_, factor in rule.pairs), default=1.0)
        case "times_baseline":
            return limit * usual
        case _ if (rule.bad == "lower") != (rule.outside == "below"):
            return None
        case _:
            return 1 - limit if rule.outside == "below" else limit


def _sums(spec: SignalSpec, name: str, rows: Sequence[Row], arm: Arm) -> tuple[float, float]:
    """(badness, outputs) summed over the known blocks of an arm."""
    segments = [f"{spec.group_by}={group}" for group in spec.groups or ()] if spec.kind == "gap" else ["all"]
    blocks = [block for row in rows for part in segments if (block := row.find(spec.of or name, arm, part))]
    blocks = [block for block in blocks if block.state is BlockState.ok]
    if spec.kind == "missing":
        served = sum(block.served for block in blocks)
        return served - sum(block.scored for block in blocks), served
    scored = sum(block.scored for block in blocks)
    if spec.kind == "score":
        total = sum(block.sum or 0 for block in blocks) / SCORE_STEPS
        return (scored - total if spec.bad == "lower" else total), scored
    return sum(block.bad for block in blocks), scored
