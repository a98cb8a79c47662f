"""The bet of one block: how surprising would a harmless release make these counts (detection.md §4.2).

Standard library only. Every libm result is rounded down to micronats at once, so that a stranger's recount
gives the same integers (DET-37).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, floor, fsum, log, log1p

#: How much worse, as factors on the odds, the seven bets assume the candidate to be.
ODDS = (1.06, 1.15, 1.3, 1.6, 2.2, 3.5, 7.0)

MICRO = 1_000_000
_EDGE = 1e-9
_GUESS = 1e-6


def micronats(nats: float) -> int:
    """Nats × 10⁶, rounded down."""
    return floor(nats * MICRO)


def log_add_all(values: Sequence[int], y: int) -> list[int]:
    """ln(eˣ + eʸ) in micronats for each value x."""
    return [
        x + floor(log1p(exp((y - x) / MICRO)) * MICRO) if x >= y else y + floor(log1p(exp((x - y) / MICRO)) * MICRO)
        for x in values
    ]


def log_mean(values: Sequence[int | float], count: int) -> int:
    """ln of the sum of e^value, divided by `count`, in micronats; values may hold minus infinities."""
    top = int(max(values))
    return top + floor(log(fsum([exp((value - top) / MICRO) for value in values]) / count) * MICRO)


Bet = tuple[float, float, float, float]


def bets(candidate: int, baseline: int, guess: float, ratio: float, absolute: float) -> list[Bet]:
    """(λ_c, a, λ_t, m) of the seven bets, chosen from the block's sizes and the past alone.

    candidate, baseline: scored outputs per arm, both > 0. guess: the baseline's bad rate as the past shows.
    (a, m) is the harmless pair of rates closest to the assumed harm; a bet without an edge has λ = 0.
    Source: detection.md §4.2; k-sample e-values of Turner, Ly & Grünwald, JSPI 2024.
    """
    b = min(max(guess, _GUESS), 1 - _GUESS)
    usual = min(max(ratio * b + absolute, _GUESS), 1 - _GUESS)
    odds = usual / (1 - usual)
    assumed = [(factor * odds / (1 + factor * odds), b) for factor in ODDS]
    return bets_on(assumed, candidate, baseline, ratio, absolute)


def bets_on(
    assumed: Sequence[tuple[float, float]], candidate: int, baseline: int, ratio: float, absolute: float
) -> list[Bet]:
    """As `bets`, on stated pairs of rates (candidate, baseline) that are not harmless."""
    low = max(_EDGE, (_EDGE - absolute) / ratio)
    high = min(1 - _EDGE, (1 - _EDGE - absolute) / ratio)
    if low > high:
        return [(0.0, 0.0, 0.0, 0.0)] * len(assumed)
    total = ratio * candidate + baseline
    per_candidate = baseline / (ratio * candidate)
    chosen = []
    for worse, b in assumed:
        m = (candidate * (worse - absolute) + baseline * b) / total
        m = low if m < low else high if m > high else m
        a = ratio * m + absolute
        stake_t = (m - b) / (m * (1 - m)) if m > b else 0.0
        stake_c = per_candidate * stake_t
        # The most a block can lose is bounded: every factor stays ≥ 0.05.
        loss_t, loss_c = stake_t * (1 - m), stake_c * a
        most = loss_t if loss_t > loss_c else loss_c
        if most > 0.95:
            stake_t *= 0.95 / most
            stake_c *= 0.95 / most
        chosen.append((stake_c, a, stake_t, m))
    return chosen


def log_evidence(
    candidate_bad: int,
    candidate: int,
    baseline_bad: int,
    baseline: int,
    guess: float,
    ratio: float,
    absolute: float,
) -> list[float]:
    """ln E of one block for each of the seven bets, in nats.

    If bad rate of the candidate ≤ ratio × bad rate of the baseline + absolute, the mean of every E is ≤ 1.
    """
    b = min(max(guess, _GUESS), 1 - _GUESS)
    usual = min(max(ratio * b + absolute, _GUESS), 1 - _GUESS)
    odds = usual / (1 - usual)
    low = max(_EDGE, (_EDGE - absolute) / ratio)
    high = min(1 - _EDGE, (1 - _EDGE - absolute) / ratio)
    if low > high:
        return [0.0] * len(ODDS)
    total, expected = ratio * candidate + baseline, baseline * b
    per_candidate = baseline / (ratio * candidate)
    candidate_good, baseline_good = candidate - candidate_bad, baseline - baseline_bad
    found = []
    # `pay_off(bets(…))` in one pass, because most of the time of a block is spent here; a test keeps them equal.
    for factor in ODDS:
        worse = factor * odds
        m = (candidate * (worse / (1 + worse) - absolute) + expected) / total
        m = low if m < low else high if m > high else m
        a = ratio * m + absolute
        good = 1 - m
        stake_t = (m - b) / (m * good) if m > b else 0.0
        stake_c = per_candidate * stake_t
        loss_t, loss_c = stake_t * good, stake_c * a
        most = loss_t if loss_t > loss_c else loss_c
        if most > 0.95:
            stake_t *= 0.95 / most
            stake_c *= 0.95 / most
            loss_t, loss_c = stake_t * good, stake_c * a
        found.append(
            candidate_bad * log1p(stake_c * (1 - a))
            + candidate_good * log1p(-loss_c)
            + baseline_bad * log1p(-loss_t)
            + baseline_good * log1p(stake_t * m)
        )
    return found


def pay_off(chosen: Sequence[Bet], candidate_bad: int, candidate: int, baseline_bad: int, baseline: int) -> list[float]:
    """ln E of stated bets on one block, in nats."""
    candidate_good, baseline_good = candidate - candidate_bad, baseline - baseline_bad
    return [
        candidate_bad * log1p(stake_c * (1 - a))
        + candidate_good * log1p(-stake_c * a)
        + baseline_bad * log1p(-stake_t * (1 - m))
        + baseline_good * log1p(stake_t * m)
        for stake_c, a, stake_t, m in chosen
    ]
