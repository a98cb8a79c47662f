"""Counts from numbers between 0 and 1: whoever calls brings the numbers, so the rules themselves need no dice."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import exp, lgamma, log, log1p, sqrt


def binomial(n: int, p: float, u: float) -> int:
    """How many of `n` outputs come up with probability `p` each: the quantile `u` of that count, 0 ≤ u < 1."""
    if n == 0 or p <= 0:
        return 0
    if p >= 1:
        return n
    first, sums = _cumulative(n, p)
    return min(first + bisect(sums, u), n)


def split(n: int, shares: Sequence[float], draws: Iterator[float]) -> list[int]:
    """`n` outputs dealt out by `shares`, which add up to 1; takes a number from `draws` for each but the last."""
    counts, left, rest = [], n, 1.0
    for share in shares[:-1]:
        here = binomial(left, min(share / rest, 1.0), next(draws)) if rest > 0 else 0
        counts.append(here)
        left, rest = left - here, rest - share
    return [*counts, left]


@lru_cache(maxsize=4096)
def _cumulative(n: int, p: float) -> tuple[int, tuple[float, ...]]:
    """(first count, cumulated chances from there on), over all counts that matter: nine standard deviations."""
    mean, spread = n * p, sqrt(n * p * (1 - p))
    first, last = max(0, int(mean - 9 * spread - 9)), min(n, int(mean + 9 * spread + 9))
    ways = lgamma(n + 1) - lgamma(first + 1) - lgamma(n - first + 1)
    chance = exp(ways + first * log(p) + (n - first) * log1p(-p))
    odds, total, sums = p / (1 - p), 0.0, []
    for count in range(first, last + 1):
        total += chance
        sums.append(total)
        chance *= odds * (n - count) / (count + 1)
    return first, tuple(sums)
