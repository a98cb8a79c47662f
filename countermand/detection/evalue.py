"""The bet of one block: how surprising would a harmless release make these counts (detection.md §4.2, §4.7).

Standard library only. Every libm result is rounded down to micronats at once, so that a stranger's recount
gives the same integers (DET-37).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import exp, floor, fsum, log, log1p

#: How much worse, as factors on the odds, the seven bets assume the candidate to be.
ODDS = (1.06, 1.15, 1.3, 1.6, 2.2, 3.5, 7.0)

MICRO = 1_000_000
_EDGE = 1e-9
_GUESS = 1e-6

Pair = tuple[int, int]


def micronats(nats: float) -> int:
    """Nats × 10⁶, rounded down."""
    return floor(nats * MICRO)


def log_add(x: int, y: int) -> int:
    """ln(eˣ + eʸ) of two micronat integers."""
    if x < y:
        x, y = y, x
    return x + floor(log1p(exp((y - x) / MICRO)) * MICRO)


def log_mean(values: Sequence[int | float], count: int) -> int:
    """ln of the sum of e^value, divided by `count`, in micronats; values may hold minus infinities."""
    top = int(max(values))
    return top + floor(log(fsum([exp((value - top) / MICRO) for value in values]) / count) * MICRO)


def bets(
    candidate: int, baseline: int, guess: float, ratio: float, absolute: float
) -> list[tuple[float, float, float, float]]:
    """(λ_c, a, λ_t, m) of the seven bets, chosen from the block's sizes and the past alone.

    candidate, baseline: scored outputs per arm, both > 0. guess: the baseline's bad rate as the past shows.
    (a, m) is the harmless pair of rates closest to the assumed harm; a bet without an edge has λ = 0.
    Source: detection.md §4.2; k-sample e-values of Turner, Ly & Grünwald, JSPI 2024.
    """
    b = min(max(guess, _GUESS), 1 - _GUESS)
    usual = min(max(ratio * b + absolute, _GUESS), 1 - _GUESS)
    odds = usual / (1 - usual)
    low = max(_EDGE, (_EDGE - absolute) / ratio)
    high = min(1 - _EDGE, (1 - _EDGE - absolute) / ratio)
    if low > high:
        return [(0.0, 0.0, 0.0, 0.0)] * len(ODDS)
    total = ratio * candidate + baseline
    per_candidate = baseline / (ratio * candidate)
    past = baseline * b
    chosen = []
    for factor in ODDS:
        worse = factor * odds
        m = (candidate * (worse / (1 + worse) - absolute) + past) / total
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
    candidate_good, baseline_good = candidate - candidate_bad, baseline - baseline_bad
    return [
        candidate_bad * log1p(stake_c * (1 - a))
        + candidate_good * log1p(-stake_c * a)
        + baseline_bad * log1p(-stake_t * (1 - m))
        + baseline_good * log1p(stake_t * m)
        for stake_c, a, stake_t, m in bets(candidate, baseline, guess, ratio, absolute)
    ]


def seed_guess(expect: Decimal) -> Pair:
    """The guess before the first row: the expected bad rate with the weight of ten bad outputs (DET-8)."""
    numerator, denominator = expect.as_integer_ratio()
    return 10 * MICRO, 10 * MICRO * denominator // numerator


def learn_guess(guess: Pair, bad: int, scored: int) -> Pair:
    """The guess after one more baseline block; the past fades by 1/30 per block (DET-8)."""
    return guess[0] * 29 // 30 + bad * MICRO, guess[1] * 29 // 30 + scored * MICRO


#: Successive differences needed before the measured dispersion replaces the assumed one (DET-9).
MIN_DIFFERENCES = 30

#: Above this measured dispersion, outputs count as clustered (DET-9).
CLUSTERED = 1.25

Dispersion = tuple[int, int, int]


def learn_dispersion(dispersion: Dispersion, before: Pair, now: Pair) -> Dispersion:
    """(Σ squared difference, Σ binomial variance, both × 10¹² and fading by 1/120; number of differences).

    before, now: (bad, scored) of two successive baseline blocks (DET-9).
    """
    x, y = before[0] / before[1], now[0] / now[1]
    variance = x * (1 - x) / before[1] + y * (1 - y) / now[1]
    squares, variances, count = dispersion
    return (
        squares * 119 // 120 + round((y - x) * (y - x) * 1e12),
        variances * 119 // 120 + round(variance * 1e12),
        min(count + 1, MIN_DIFFERENCES),
    )


def measured_dispersion(dispersion: Dispersion) -> float | None:
    """How much noisier baseline blocks are than independent outputs; None while too little was seen."""
    squares, variances, count = dispersion
    return squares / variances if count >= MIN_DIFFERENCES and variances else None


def tempering(dispersion: Dispersion, assumed: float, zero_tolerance: bool) -> float:
    """φ ≥ 1, by which ln E is divided (DET-9). `assumed` serves until the dispersion is measured."""
    measured = measured_dispersion(dispersion)
    phi = assumed if measured is None else measured
    if zero_tolerance:
        phi = CLUSTERED * max(1.0, phi)
    elif phi <= CLUSTERED:
        phi = 1.0
    return min(phi, 20.0)
