"""A rate without a concurrent baseline, against what past weeks say about this hour (detection.md §7).

Sums of a row: (bad, scored) of the candidate, then of nobody. The guarantee is about the bound, not about the world.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from math import ceil, floor, log
from statistics import mean, pstdev, stdev

from countermand.detection.coverage import missing as unusable
from countermand.detection.coverage import usable
from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.evalue import ODDS
from countermand.detection.kinds.kind import Seen
from countermand.detection.kinds.rates import shut
from countermand.detection.models import Arm, BlockState, Row
from countermand.detection.state import Memory

__all__ = [
    "gains",
    "hour_of",
    "learn",
    "log_evidence_of_less",
    "look",
    "missing",
    "needed_ratio",
    "seasonal",
    "seasonal_low",
    "shut",
    "start",
    "worst",
]

HOURS = 168
_BILLION = 10**9
_EDGE = 1e-6


def seasonal(history: Iterable[Row], signal: str) -> tuple[int, ...]:
    """The bound of each hour of the week (Monday 0:00 UTC first) in billionths: mean + 2 standard errors over weeks.

    −1 where fewer than two weeks are known; () when there is no history at all.
    """
    hours = _by_hour(history, signal)
    return tuple(min(ceil((middle + error) * _BILLION), _BILLION) if middle >= 0 else -1 for middle, error in hours)


def seasonal_low(history: Iterable[Row], signal: str) -> tuple[tuple[int, int], ...]:
    """For each hour of the week the mean − 2 standard errors, at least 0, and the mean, in billionths (DET-29).

    (−1, −1) where fewer than two weeks are known; () when there is no history at all.
    """
    hours = _by_hour(history, signal)
    return tuple(
        (max(floor((middle - error) * _BILLION), 0), floor(middle * _BILLION)) if middle >= 0 else (-1, -1)
        for middle, error in hours
    )


def needed_ratio(history: Sequence[Row], signal: str) -> float:
    """The smallest sensible `ratio`: 1 + 3 times the coefficient of variation of whole days; 1 without history."""
    days: dict[object, list[int]] = defaultdict(lambda: [0, 0])
    for bad, scored, start in _past(history, signal):
        days[start.date()][0] += bad
        days[start.date()][1] += scored
    rates = [bad / scored for bad, scored in days.values()]
    return 1 + 3 * pstdev(rates) / mean(rates) if rates and mean(rates) else 1.0


def start(criterion: ToleranceRule) -> Memory:  # noqa: ARG001
    return Memory()


def look(criterion: ToleranceRule, memory: Memory, row: Row) -> Seen | None:  # noqa: ARG001
    block = usable(criterion, row, Arm.candidate)
    bound = _bound(criterion, row)
    # The third sum is how many bad outputs the bound allows, in billionths.
    return None if block is None or bound is None else (block.bad, block.scored, bound * block.scored, block.scored)


def missing(criterion: ToleranceRule, row: Row) -> tuple[Arm, str] | None:
    reason = unusable(criterion, row.find(criterion.signal, Arm.candidate))
    if reason is None and _bound(criterion, row) is None:
        reason = "no_history"
    return None if reason is None else (Arm.candidate, reason)


def log_evidence(bad: int, scored: int, bound: float, ratio: float, absolute: float) -> list[float]:
    """ln E of the seven bets against every rate up to ratio · bound + absolute, in nats."""
    a = min(max(ratio * bound + absolute, _EDGE), 1 - _EDGE)
    odds = a / (1 - a)
    found = []
    for factor in ODDS:
        worse = factor * odds / (1 + factor * odds)
        found.append(bad * log(worse / a) + (scored - bad) * log((1 - worse) / (1 - a)))
    return found


def log_evidence_of_less(bad: int, scored: int, boundary: float, usual: float, parts: Sequence[float]) -> list[float]:
    """ln E of bets against every rate from `boundary` up, in nats: one per part of the way down to `usual`."""
    if not _EDGE < usual < boundary < 1 - _EDGE:
        return [0.0] * len(parts)
    found = []
    for part in parts:
        less = boundary - part * (boundary - usual)
        found.append(bad * log(less / boundary) + (scored - bad) * log((1 - less) / (1 - boundary)))
    return found


def gains(criterion: ToleranceRule, memory: Memory, seen: Seen, assumed: float) -> list[float] | None:  # noqa: ARG001
    bound = seen[2] / (seen[3] * _BILLION)
    return [nats / assumed for nats in log_evidence(seen[0], seen[1], bound, *criterion.line)]


def learn(criterion: ToleranceRule, memory: Memory, row: Row) -> Memory:  # noqa: ARG001
    return memory


def worst(criterion: ToleranceRule, seen: Seen, unscored: int) -> Seen | None:  # noqa: ARG001
    return seen[0] + unscored, seen[1] + unscored, seen[2] * (seen[1] + unscored) // seen[1], seen[1] + unscored


def _by_hour(history: Iterable[Row], signal: str) -> list[tuple[float, float]]:
    """Mean and 2 standard errors over weeks of every hour of the week; (−1, 0) where fewer than two are known."""
    weeks: dict[tuple[int, tuple[int, int]], list[int]] = defaultdict(lambda: [0, 0])
    for bad, scored, start in _past(history, signal):
        cell = weeks[hour_of(start), start.isocalendar()[:2]]
        cell[0] += bad
        cell[1] += scored
    found = []
    for hour in range(HOURS):
        rates = [bad / scored for (at, _), (bad, scored) in weeks.items() if at == hour]
        found.append((mean(rates), 2 * stdev(rates) / len(rates) ** 0.5) if len(rates) > 1 else (-1.0, 0.0))
    return found if any(middle >= 0 for middle, _ in found) else []


def _bound(criterion: ToleranceRule, row: Row) -> int | None:
    bound = criterion.bounds[hour_of(row.start)] if criterion.bounds else -1
    return bound if bound >= 0 else None


def hour_of(start: datetime) -> int:
    """The hour of the week, 0 for Monday 0:00 UTC."""
    return start.weekday() * 24 + start.hour


def _past(history: Iterable[Row], signal: str) -> Iterable[tuple[int, int, datetime]]:
    for row in history:
        block = row.find(signal, Arm.baseline)
        if block is not None and block.state is BlockState.ok and block.scored:
            yield block.bad, block.scored, row.start
