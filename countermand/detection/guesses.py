"""What the past says about usual rates and their noise (detection.md §4.7). It steers power, never validity.

Guesses are pairs of integers (numerator, denominator) that fade; they use rows before the judged one only.
"""

from __future__ import annotations

from decimal import Decimal

from countermand.detection.evalue import MICRO

Pair = tuple[int, int]


def seed_guess(expect: Decimal) -> Pair:
    """The guess before the first row: the expected bad rate with the weight of ten bad outputs (DET-8)."""
    numerator, denominator = expect.as_integer_ratio()
    return 10 * MICRO, 10 * MICRO * denominator // numerator


def learn_guess(guess: Pair, bad: int, scored: int) -> Pair:
    """The guess after one more block; the past fades by 1/30 per block (DET-8)."""
    return guess[0] * 29 // 30 + bad * MICRO, guess[1] * 29 // 30 + scored * MICRO


#: Successive differences needed before the measured dispersion replaces the assumed one (DET-9).
MIN_DIFFERENCES = 30

#: Above this measured dispersion, outputs count as clustered (DET-9).
CLUSTERED = 1.25

#: Σ squared difference and Σ independent variance, both × 10¹² and fading by 1/120; number of differences.
Dispersion = tuple[int, int, int]


def learn_dispersion(dispersion: Dispersion, before: Pair, now: Pair) -> Dispersion:
    """The dispersion after one more difference of rates.

    before, now: (bad, scored) of two successive baseline blocks (DET-9).
    """
    x, y = before[0] / before[1], now[0] / now[1]
    return learn_difference(dispersion, (y - x) * (y - x), x * (1 - x) / before[1] + y * (1 - y) / now[1])


def learn_difference(dispersion: Dispersion, square: float, variance: float) -> Dispersion:
    """After one more squared difference of successive baseline values whose independent variance is known."""
    squares, variances, count = dispersion
    return (
        squares * 119 // 120 + round(square * 1e12),
        variances * 119 // 120 + round(variance * 1e12),
        count + 1 if count < MIN_DIFFERENCES else count,
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
        return 1.0
    return min(phi, 20.0)
