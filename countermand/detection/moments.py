"""Bets on means and contrasts of several cells: groups of arms, by counts or by moments (detection.md §4.1).

Harmless: Σ κ·μ ≤ ε over the cells. Standard library only.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log1p

#: Assumed growth of the mean or of a gap, as parts of the range.
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)

#: A cell by counts: (κ, bad outputs, outputs, centre).
CountCell = tuple[int, int, int, float]

#: A cell by moments: (κ, outputs, Σ z, Σ z², centre), z in [0, 1].
MomentCell = tuple[float, int, float, float, float]


def log_evidence_of_counts(stake: float, cells: Sequence[CountCell], accepted: float) -> float:
    """ln E of one bet on counts, in nats; `stake` is Λ ≥ 0 with Λ ≤ 0.9 · outputs of every cell."""
    total = -accepted
    for kappa, _, _, centre in cells:
        total += kappa * centre
    total *= stake
    for kappa, bad, n, centre in cells:
        part = kappa * stake / n
        total += bad * log1p(part * (1 - centre)) + (n - bad) * log1p(-part * centre)
    return total


def log_evidence_of_moments(stake: float, cells: Sequence[MomentCell], accepted: float) -> float:
    """ln E of one bet on means, in nats, from exp(λy − ψ(λ, c)y²) ≤ 1 + λy for y ≥ −c (Fan, Grama & Liu 2015)."""
    total = -accepted
    for kappa, n, z, _, _ in cells:
        total += kappa * (z / n)
    total *= stake
    for kappa, n, z, zz, centre in cells:
        spread = max(0.0, zz - 2 * centre * z + n * centre * centre)
        total -= _psi(abs(kappa) * stake / n, largest_loss(kappa, centre)) * spread
    return total


def largest_loss(kappa: float, centre: float) -> float:
    """How far below its centre an outcome can fall against the bet (c of §4.1)."""
    return max(0.02, centre if kappa > 0 else 1 - centre)


def _psi(stake: float, c: float) -> float:
    return (-log1p(-c * stake) - c * stake) / (c * c)
