"""How large a difference is, for people: what the sums of a kind say about each arm. It decides nothing (DET-34)."""

from __future__ import annotations

from math import sqrt

from countermand.detection.blocks import SCORE_STEPS
from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.evalue import log_mean
from countermand.detection.figures import per_10000, quotient
from countermand.detection.models import Arm, ArmCounts
from countermand.detection.state import ToleranceState

#: Two-sided 95 %.
_NORMAL = 1.959963984540054


def of(criterion: ToleranceRule, state: ToleranceState, sums: tuple[int, ...]) -> dict[Arm, ArmCounts]:
    """What both arms did, from sums as the kind sees rows; empty before anything was seen."""
    if not sums:
        return {}
    match criterion.kind:
        case "score":
            return {
                Arm.candidate: _mean(criterion, sums[0], sums[1]),
                Arm.baseline: _mean(criterion, sums[3], sums[4]),
            }
        case "score_gap":
            part = 12 * leading(criterion, state)
            return {
                Arm.candidate: _mean(criterion, sums[part], sums[part + 1]),
                Arm.baseline: _mean(criterion, sums[part + 6], sums[part + 7]),
            }
        case "categories":
            half = len(sums) // 2
            return {
                Arm.candidate: ArmCounts(bad=None, scored=sum(sums[:half]), per_10000=None),
                Arm.baseline: ArmCounts(bad=None, scored=sum(sums[half:]), per_10000=None),
            }
        case "past_weeks":
            return {Arm.candidate: counted(sums[0], sums[1])}
        case _:
            candidate_bad, candidate, bad, scored = leading_rates(criterion, state, sums)
            return {Arm.candidate: counted(candidate_bad, candidate), Arm.baseline: counted(bad, scored)}


def counted(bad: int, scored: int) -> ArmCounts:
    """Bad outputs of one arm with their rate."""
    return ArmCounts(bad=bad, scored=scored, per_10000=per_10000(bad, scored))


def with_interval(counts: ArmCounts) -> ArmCounts:
    """The same with the Wilson interval of the rate (JASA 22, 1927), where something is counted as bad."""
    if counts.bad is None:
        return counts
    return counts.model_copy(update={"interval": _wilson(counts.bad, counts.scored)})


def leading(criterion: ToleranceRule, state: ToleranceState) -> int:
    """The quantile or group with the most evidence."""
    parts = max(len(criterion.quantiles), len(criterion.groups), 1)
    if parts == 1 or not state.evidence:
        return 0
    size = len(state.evidence) // parts
    found = [log_mean(state.evidence[size * i : size * (i + 1)], size) for i in range(parts)]
    return found.index(max(found))


def leading_rates(criterion: ToleranceRule, state: ToleranceState, sums: tuple[int, ...]) -> tuple[int, int, int, int]:
    """(bad, scored) of candidate and baseline, for the quantile or group with the most evidence."""
    part = leading(criterion, state)
    if criterion.kind == "latency":
        width = len(criterion.quantiles)
        return sums[1 + part], sums[0], sums[2 + width + part], sums[1 + width]
    if criterion.kind == "gap":
        cells = sums[8 * part : 8 * part + 8]
        return cells[0], cells[1], cells[4], cells[5]
    return sums[0], sums[1], sums[2], sums[3]


def mean_value(criterion: ToleranceRule, n: int, badness: int) -> str:
    """The mean of n scores in their own units, three decimals, from Σ badness in steps; n > 0."""
    low, high = criterion.range or (0, 1)
    share = badness / (n * SCORE_STEPS)
    part = 1 - share if criterion.bad == "lower" else share
    return f"{float(low) + part * float(high - low):.3f}"


def _mean(criterion: ToleranceRule, n: int, badness: int) -> ArmCounts:
    return ArmCounts(bad=None, scored=n, per_10000=None, value=mean_value(criterion, n, badness) if n else None)


def _wilson(bad: int, scored: int) -> tuple[str, str] | None:
    if not scored:
        return None
    p, z = bad / scored, _NORMAL * _NORMAL
    middle = p + z / (2 * scored)
    half = _NORMAL * sqrt(p * (1 - p) / scored + z / (4 * scored * scored))
    low, high = (round(10_000_000 * (middle + side * half) / (1 + z / scored)) for side in (-1, 1))
    return quotient(max(low, 0), 1_000, 1), quotient(min(high, 10_000_000), 1_000, 1)
