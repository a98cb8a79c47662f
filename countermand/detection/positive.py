"""Exact answers from counts alone: how bad can it be at most, and how much must be seen (GOV-31, TGT-11).

Clopper & Pearson, Biometrika 26 (1934). Standard library only.
"""

from __future__ import annotations

from bisect import bisect_right
from decimal import Decimal
from math import ceil, exp, lgamma, log, log1p


def upper_bound(bad: int, scored: int, confidence: Decimal) -> float:
    """The largest bad rate that `bad` of `scored` does not rule out, one-sided; 1.0 when nothing was scored.

    Raises ValueError unless 0 ≤ bad ≤ scored and 0 < confidence < 1.
    """
    _check(bad, scored, float(confidence))
    return _upper(bad, scored, float(1 - confidence))


def share_interval(k: int, n: int, confidence: float = 0.999) -> tuple[float, float]:
    """The shares that k of n does not rule out, two-sided and exact; (0, 1) when n = 0.

    Raises ValueError unless 0 ≤ k ≤ n and 0 < confidence < 1.
    """
    _check(k, n, confidence)
    tail = (1 - confidence) / 2
    return 1 - _upper(n - k, n, tail), _upper(k, n, tail)


def n_min(residual: float, confidence: float = 0.999) -> int:
    """How many must be seen so that a share of `residual` shows at least once with that probability.

    Raises ValueError unless both are between 0 and 1.
    """
    if not (0 < residual < 1 and 0 < confidence < 1):
        raise ValueError(f"residual {residual!r} and confidence {confidence!r} must lie between 0 and 1")
    # The tiny shift undoes float noise where the quotient is a whole number.
    return max(ceil(log1p(-confidence) / log1p(-residual) - 1e-9), 1)


def missed(usual: float, accepted: float, scored: int, confidence: Decimal) -> float:
    """The probability that a service whose bad rate is `usual` does not show, on `scored` outputs, at most `accepted`.

    Raises ValueError unless 0 ≤ usual < 1, 0 < accepted < 1 and 0 < confidence < 1.
    """
    _check(0, scored, float(confidence))
    if not (0 <= usual < 1 and 0 < accepted < 1):
        raise ValueError(f"usual {usual!r} and accepted {accepted!r} must lie between 0 and 1")
    tail = float(1 - confidence)
    # How many bad outputs are still few enough: `upper_bound` of one more would be above `accepted`.
    few = bisect_right(range(scored), tail, key=lambda bad: at_most(bad, scored, accepted)) - 1
    return 1 - at_most(few, scored, usual) if usual else float(few < 0)


def enough_to_pass(usual: float, accepted: float, above: int, confidence: Decimal, chance: float) -> int | None:
    """How many outputs, more than `above` and round, make `missed` at most `chance`. None: more than ten million.

    Raises ValueError as `missed` does.
    """
    sizes = (digits * 10**power for power in range(1, 6) for digits in range(10, 100) if digits * 10**power > above)
    return next((size for size in sizes if missed(usual, accepted, size, confidence) <= chance), None)


def _check(bad: int, scored: int, confidence: float) -> None:
    if not 0 <= bad <= scored:
        raise ValueError(f"{bad!r} of {scored!r} is not a share; 0 ≤ part ≤ whole is accepted")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence!r} must lie between 0 and 1")


def _upper(k: int, n: int, tail: float) -> float:
    """The share p at which k or fewer of n still has probability `tail`, by bisection; rounded up."""
    if k == n:
        return 1.0
    low, high = 0.0, 1.0
    while high - low > 1e-15 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if at_most(k, n, middle) > tail else (low, middle)
    return high


def at_most(k: int, n: int, p: float) -> float:
    """P(X ≤ k) for X ~ Binomial(n, p), 0 < p < 1, summed on the shorter side of k."""
    if k < 0 or k >= n:
        return 0.0 if k < 0 else 1.0
    if k < n * p:
        return _sum_from(k, n, p)
    return 1 - _sum_from(n - k - 1, n, 1 - p)


def _sum_from(k: int, n: int, p: float) -> float:
    """P(X = k) + P(X = k − 1) + … down to where nothing more is added."""
    odds = (1 - p) / p
    term = exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log1p(-p))
    total = term
    while k and term > total * 1e-17:
        term *= k * odds / (n - k + 1)
        total += term
        k -= 1
    return total
