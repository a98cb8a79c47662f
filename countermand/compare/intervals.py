"""Intervals for the difference of two samples. For one look at a chosen time: no stopping rule may rest on them.

They treat outputs as independent. Standard library only.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

from countermand.detection.positive import at_most

CONFIDENCE = 0.95
#: Below this many outputs on a side means have no interval here: the normal approximation is not good enough.
LEAST_FOR_MEANS = 30

_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


class Interval(NamedTuple):
    """What the data do not rule out. None: nothing bounds it on that side."""

    low: float | None
    high: float | None


def wilson(k: int, n: int) -> tuple[float, float]:
    """The score interval of one share, two-sided 95 %; n > 0 (Wilson, JASA 22, 1927)."""
    p, z2 = k / n, _Z * _Z
    middle, half = p + z2 / (2 * n), _Z * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    low, high = (middle - half) / (1 + z2 / n), (middle + half) / (1 + z2 / n)
    # Exact where the formula is, but not its floating point.
    return (0.0 if k == 0 else low), (1.0 if k == n else high)


def of_shares(k_a: int, n_a: int, k_b: int, n_b: int) -> Interval:
    """The difference of two shares, b − a, two-sided 95 %; both n > 0.

    Newcombe, Statistics in Medicine 17 (1998) 873–890, method 10: hybrid of two score intervals.
    """
    a, b = k_a / n_a, k_b / n_b
    (low_a, high_a), (low_b, high_b) = wilson(k_a, n_a), wilson(k_b, n_b)
    return Interval(
        b - a - sqrt((b - low_b) ** 2 + (high_a - a) ** 2), b - a + sqrt((high_b - b) ** 2 + (a - low_a) ** 2)
    )


def of_means(sums_a: tuple[int, int, int], sums_b: tuple[int, int, int]) -> Interval | None:
    """The difference of two means, b − a, two-sided 95 %, from (n, sum, sum of squares) of each.

    Welch, Biometrika 34 (1947), with the normal quantile; None when a side has fewer than LEAST_FOR_MEANS.
    """
    if min(sums_a[0], sums_b[0]) < LEAST_FOR_MEANS:
        return None
    difference = sums_b[1] / sums_b[0] - sums_a[1] / sums_a[0]
    half = _Z * sqrt(_variance_of_mean(*sums_a) + _variance_of_mean(*sums_b))
    return Interval(difference - half, difference + half)


def of_mean(n: int, total: int, squares: int) -> tuple[float, float] | None:
    """The mean of one sample, two-sided 95 % by the normal approximation; None for fewer than LEAST_FOR_MEANS."""
    if n < LEAST_FOR_MEANS:
        return None
    half = _Z * sqrt(_variance_of_mean(n, total, squares))
    return total / n - half, total / n + half


def _variance_of_mean(n: int, total: int, squares: int) -> float:
    # In integers: the difference of two large numbers would lose its digits in floating point.
    return (n * squares - total * total) / (n * n * (n - 1))


def ranks(n: int, quantile: float, confidence: float) -> tuple[int, int]:
    """Which ordered values, from 1 to n, enclose the quantile; 0 or n + 1: none does on that side.

    Exact for any distribution (David & Nagaraja, Order Statistics, 2003, §7.1).
    """
    tail = (1 - confidence) / 2
    low = bisect_left(range(n + 1), True, key=lambda r: at_most(r, n, quantile) > tail)
    high = bisect_left(range(n + 1), True, key=lambda r: at_most(r, n, quantile) >= 1 - tail) + 1
    return low, high


def of_quantiles(
    hist_a: Mapping[int, int], hist_b: Mapping[int, int], quantile: float
) -> tuple[tuple[int | None, int | None], tuple[int | None, int | None]]:
    """(lowest, highest) bucket of the quantile of each side, so that both hold together with 95 % confidence.

    None: below the first or above the last value. Each side has half of the 5 % (Bonferroni).
    """
    return _buckets(hist_a, quantile), _buckets(hist_b, quantile)


def _buckets(hist: Mapping[int, int], quantile: float) -> tuple[int | None, int | None]:
    buckets = sorted(hist)
    reached = list(accumulate(hist[bucket] for bucket in buckets))
    n = reached[-1]
    low, high = ranks(n, quantile, 1 - (1 - CONFIDENCE) / 2)
    return (
        buckets[bisect_left(reached, low)] if low >= 1 else None,
        buckets[bisect_left(reached, high)] if high <= n else None,
    )
