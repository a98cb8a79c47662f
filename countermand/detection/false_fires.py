"""How often a fixed limit fires although nothing is wrong: what a rule without a bound costs (detection.md §6).

For outputs that are independent of each other, at the usual rate all day. Exact where measurements do not overlap;
else simulated with a counter-based generator, so that the same rule always gets the same answer.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import lru_cache
from itertools import accumulate
from math import ceil, exp, floor, lgamma, log, log1p, sqrt

from countermand.detection.criterion_rules import ThresholdRule
from countermand.detection.positive import at_most
from countermand.plan.target import Value

#: Simulated rows per rule: 208 days of one-minute blocks.
ROWS = 300_000

#: A bitmask of the last blocks is exact up to this length.
_MASK = 8
_64 = 2**64 - 1


class FalseFires(Value):
    """Of 1,000 days on which nothing is wrong, on how many the rule fires; `days`: how many were simulated, if any."""

    per_1000: float
    days: int | None = None

    @property
    def sentence(self) -> str:
        """`On about 630 of 1,000 days without any harm it fires all the same (simulated with 208 days)`."""
        how = "computed" if self.days is None else f"simulated with {self.days:,} days"
        few = 1.0 if self.days is None else 3000 / self.days
        often = f"about {self.per_1000:,.0f}" if self.per_1000 >= few else f"fewer than {ceil(few)}"
        return f"on {often} of 1,000 days without any harm it fires all the same ({how})"


@lru_cache
def false_fires(
    criterion: ThresholdRule, block: timedelta, usual: float, traffic: tuple[int, int]
) -> FalseFires | None:
    """How often the rule fires within a day of harmless traffic; None for alerts, which have no usual rate.

    usual: the usual bad rate, between 0 and 1. traffic: outputs scored per block on (candidate, baseline), both > 0.
    Answers are kept, because a playbook is checked whenever it is read.
    """
    if criterion.kind == "firing":
        return None
    rows = max(timedelta(days=1) // block, 1)
    chance = _computed(criterion, usual, traffic, rows)
    if chance is not None:
        return FalseFires(per_1000=1000 * chance)
    days = max(ROWS // rows, 30)
    fired = sum(fires(criterion, day, traffic) is not None for day in simulated_days(usual, traffic, rows, days))
    return FalseFires(per_1000=1000 * fired / days, days=days)


def fires(criterion: ThresholdRule, day: Sequence[Sequence[int]], traffic: tuple[int, int]) -> int | None:
    """The first row at which the rule is breached, from bad outputs per row of (candidate, baseline); None: never.

    It is the rule of `thresholds` on known blocks of constant size, by running sums. Raises ValueError for kinds whose
    measurements never overlap: they are computed.
    """
    sums = [list(accumulate(bad, initial=0)) for bad in day]
    n, m = traffic
    limit, of = criterion.limit_ratio
    outside, last = 0, [False] * criterion.window
    for t in range(len(day[0])):
        first = max(t + 1 - criterion.window, 0)
        rows, bad = t + 1 - first, sums[0][t + 1] - sums[0][first]
        match criterion.kind:
            case "burn_rate":
                if all_burn(criterion, sums[0], t, n):
                    return t
                continue
            case "times_baseline":
                if (t + 1) % criterion.interval:
                    continue
                usual = sums[1][t + 1] - sums[1][first]
                outside += bad * m * of > limit * usual * n
                breached = outside > criterion.times
            case "n_of_m":
                now = _is_outside(criterion, day[0][t], n)
                outside += now - last[t % criterion.window]
                last[t % criterion.window] = now
                breached = outside >= criterion.times
            case "bound":
                outside = outside + 1 if _is_outside(criterion, bad, n * rows) else 0
                breached = outside >= criterion.times
            case kind:
                raise ValueError(
                    f"a rule of kind {kind!r} is computed; burn_rate, times_baseline, n_of_m, bound are not"
                )
        if breached:
            return t
    return None


def all_burn(criterion: ThresholdRule, sums: Sequence[int], t: int, n: int) -> bool:
    """Do both windows of a pair burn the budget too fast after row t?"""
    for long, short, factor in criterion.pairs:
        starts = max(t + 1 - long, 0), max(t + 1 - short, 0)
        if all(sums[t + 1] - sums[i] > criterion.limit * factor * n * (t + 1 - i) for i in starts):
            return True
    return False


def _computed(criterion: ThresholdRule, usual: float, traffic: tuple[int, int], rows: int) -> float | None:
    """The probability of a breach within `rows` rows where measurements are independent; None where they overlap."""
    n, times = traffic[0], criterion.times
    match criterion.kind:
        case "cumulative" | "failed_checks" | "consecutive":
            looks, q = rows // criterion.window, _chance(criterion, usual, n * criterion.window)
            if criterion.kind == "consecutive":
                return _run(q, looks, times + 1)
            return _more_than(times if criterion.kind == "cumulative" else times - 1, looks, q)
        case "bound" if criterion.window == 1:
            return _run(_chance(criterion, usual, n), rows, times)
        case "n_of_m" if criterion.window <= _MASK:
            return _of_last(_chance(criterion, usual, n), rows, times, criterion.window)
        case "times_baseline" if criterion.window <= criterion.interval:
            return _more_than(times, rows // criterion.interval, _exceeds(criterion, usual, traffic))
    return None


def _is_outside(criterion: ThresholdRule, bad: int, scored: int) -> bool:
    limit, of = criterion.limit_ratio
    count = bad if criterion.bad == "higher" else scored - bad
    return count * of > limit * scored if criterion.outside == "above" else count * of < limit * scored


def _chance(criterion: ThresholdRule, usual: float, n: int) -> float:
    """The probability that one measurement of n outputs is outside."""
    limit, of = criterion.limit_ratio
    rate = usual if criterion.bad == "higher" else 1 - usual
    if criterion.outside == "above":
        return 1 - at_most(limit * n // of, n, rate)
    return at_most(-(-limit * n // of) - 1, n, rate)


def _exceeds(criterion: ThresholdRule, usual: float, traffic: tuple[int, int]) -> float:
    """The probability that one measurement of the candidate exceeds the limit times the baseline's."""
    limit, of = criterion.limit_ratio
    n, m = traffic[0] * criterion.window, traffic[1] * criterion.window
    first, candidate = _binomial(n, usual)
    start, baseline = _binomial(m, usual)
    below = list(accumulate(candidate, initial=0.0))
    total = 0.0
    for y, weight in enumerate(baseline, start):
        at_least = limit * y * n // (of * m) + 1
        total += weight * (1 - below[min(max(at_least - first, 0), len(candidate))])
    return total


def _more_than(k: int, n: int, p: float) -> float:
    if p <= 0 or p >= 1:
        return float(p >= 1 and n > k)
    return 1 - at_most(k, n, p)


def _run(q: float, n: int, length: int) -> float:
    """The probability of `length` successes in a row among n (Feller, An Introduction to Probability, XIII.7)."""
    full = q**length
    found = [0.0] * length
    for i in range(length, n + 1):
        found.append(full if i == length else found[-1] + (1 - found[i - length - 1]) * (1 - q) * full)
    return found[-1]


def _of_last(q: float, rows: int, n: int, m: int) -> float:
    """The probability that n of the last m blocks are outside at some time."""
    states, fired, mask = {0: 1.0}, 0.0, (1 << (m - 1)) - 1
    for _ in range(rows):
        after: dict[int, float] = {}
        for state, weight in states.items():
            for bit, chance in ((0, 1 - q), (1, q)):
                now = state << 1 | bit
                if now.bit_count() >= n:
                    fired += weight * chance
                else:
                    after[now & mask] = after.get(now & mask, 0.0) + weight * chance
        states = after
    return fired


def _binomial(n: int, p: float) -> tuple[int, list[float]]:
    """(first, probabilities from there on) of a binomial, cut off 12 standard deviations from its mean."""
    reach = 12 * sqrt(n * p * (1 - p)) + 12
    first, last = max(floor(n * p - reach), 0), min(ceil(n * p + reach), n)
    edge = lgamma(n + 1)
    return first, [
        exp(edge - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log1p(-p)) for k in range(first, last + 1)
    ]


def simulated_days(usual: float, traffic: tuple[int, int], rows: int, days: int) -> Iterator[list[list[int]]]:
    """Days of bad outputs per row, on both arms."""
    tables = [(first, list(accumulate(weights))) for first, weights in (_binomial(n, usual) for n in traffic)]
    for day in range(days):
        yield [
            [first + bisect(below, _uniform((day * rows + t) * 2 + arm), hi=len(below) - 1) for t in range(rows)]
            for arm, (first, below) in enumerate(tables)
        ]


def _uniform(counter: int) -> float:
    """A number in [0, 1) that depends on the counter alone (Steele, Lea & Flood, OOPSLA 2014: SplitMix)."""
    z = (counter + 1) * 0x9E3779B97F4A7C15 & _64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & _64
    z = (z ^ z >> 27) * 0x94D049BB133111EB & _64
    return ((z ^ z >> 31) >> 11) / 2**53
