"""Scores in a declared range, by their moments (detection.md §4.3).

Sums of a row: (outputs, Σ z, Σ z²) of the candidate, then of the baseline; z is badness in steps of 1/10,000.
Memory: the mean of the candidate, of the baseline, and the variance within blocks; the baseline's last block.
"""

from __future__ import annotations

from countermand.detection.blocks import SCORE_STEPS
from countermand.detection.coverage import missing as unusable
from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.evalue import MICRO
from countermand.detection.guesses import Pair, learn_difference, tempering
from countermand.detection.kinds.kind import Seen
from countermand.detection.models import Arm, Block, Row
from countermand.detection.moments import STEPS, largest_loss, log_evidence_of_moments
from countermand.detection.state import Memory, made

SQUARE = SCORE_STEPS * SCORE_STEPS


def start(criterion: ToleranceRule) -> Memory:  # noqa: ARG001
    return Memory()


def look(criterion: ToleranceRule, memory: Memory, row: Row) -> Seen | None:  # noqa: ARG001
    candidate, baseline = (
        sums(criterion, row.find(criterion.reads, Arm.candidate)),
        sums(criterion, row.find(criterion.reads, Arm.baseline)),
    )
    return None if candidate is None or baseline is None else (*candidate, *baseline)


def missing(criterion: ToleranceRule, row: Row) -> tuple[Arm, str] | None:
    for arm in criterion.arms:
        if sums(criterion, row.find(criterion.reads, arm)) is None:
            block = row.find(criterion.reads, arm)
            return arm, unusable(criterion, block) or "no_values"
    return None


def gains(criterion: ToleranceRule, memory: Memory, seen: Seen, assumed: float) -> list[float] | None:
    if not memory.guess:
        return None
    ratio, absolute = criterion.line
    n_c, n_t = seen[0], seen[3]
    mean_c, mean_t, variance = (min(max(x / n, 0.0), 1.0) for x, n in memory.guess)
    variance = max(variance, 1e-4)
    noise = variance / n_c + ratio * ratio * variance / n_t
    most = min(0.9 * n_c / largest_loss(1, mean_c), 0.9 * n_t / (ratio * largest_loss(-1, mean_t)))
    cells = (
        (1.0, n_c, seen[1] / SCORE_STEPS, seen[2] / SQUARE, mean_c),
        (-ratio, n_t, seen[4] / SCORE_STEPS, seen[5] / SQUARE, mean_t),
    )
    phi = tempering(memory.noise[0], assumed, criterion.zero)
    return [log_evidence_of_moments(min(step / noise, most), cells, absolute) / phi for step in STEPS]


def learn(criterion: ToleranceRule, memory: Memory, row: Row) -> Memory:
    candidate, baseline = (
        sums(criterion, row.find(criterion.reads, Arm.candidate)),
        sums(criterion, row.find(criterion.reads, Arm.baseline)),
    )
    if baseline is None and (candidate is None or not memory.guess):
        return made(Memory, guess=memory.guess, previous=None, noise=memory.noise, recent=())
    mean_c, mean_t, variance = memory.guess or ((0, 0), (0, 0), (0, 0))
    noise = memory.noise[0]
    if baseline is not None:
        mean_t = faded(mean_t, baseline[1] * (MICRO // SCORE_STEPS), baseline[0])
        variance = faded(variance, within(*baseline), baseline[0])
        if not memory.guess:
            # Until it has shown something of its own, the candidate is taken to be like the baseline.
            mean_c = 2 * mean_t[0], 2 * mean_t[1]
        if memory.previous is not None:
            noise = _difference(noise, memory.previous, baseline)
    if candidate is not None:
        mean_c = faded(mean_c, candidate[1] * (MICRO // SCORE_STEPS), candidate[0])
        variance = faded(variance, within(*candidate), candidate[0])
    return made(Memory, guess=(mean_c, mean_t, variance), previous=baseline, noise=(noise,), recent=())


def worst(criterion: ToleranceRule, seen: Seen, unscored: int) -> Seen | None:  # noqa: ARG001
    return seen[0] + unscored, seen[1] + unscored * SCORE_STEPS, seen[2] + unscored * SQUARE, *seen[3:]


def shut(criterion: ToleranceRule, memory: Memory) -> bool:  # noqa: ARG001
    return False


def sums(criterion: ToleranceRule, block: Block | None) -> tuple[int, int, int] | None:
    """(outputs, Σ z, Σ z²) of a block's badness; None when it cannot be used."""
    if block is None or block.sum is None or block.sumsq is None or unusable(criterion, block) is not None:
        return None
    n, z, zz = block.scored, block.sum, block.sumsq
    if criterion.bad == "lower":
        z, zz = n * SCORE_STEPS - z, n * SQUARE - 2 * SCORE_STEPS * z + zz
    return n, z, zz


def _both(criterion: ToleranceRule, row: Row) -> tuple[tuple[int, int, int] | None, tuple[int, int, int] | None]:
    candidate, baseline = (row.find(criterion.reads, arm) for arm in (Arm.candidate, Arm.baseline))
    return sums(criterion, candidate), sums(criterion, baseline)


def within(n: int, z: int, zz: int) -> int:
    """Σz² − (Σz)²/n in units of 10⁻⁶."""
    return (zz * n - z * z) // (n * (SQUARE // MICRO))


def faded(pair: Pair, sum_micro: int, n: int) -> Pair:
    """A guess after one more block; the past fades by 1/30 (DET-8)."""
    return pair[0] * 29 // 30 + sum_micro, pair[1] * 29 // 30 + n * MICRO


def _difference(
    noise: tuple[int, int, int], before: tuple[int, ...], now: tuple[int, int, int]
) -> tuple[int, int, int]:
    means = [z / n / SCORE_STEPS for n, z, _ in (before, now)]
    variance = sum(within(n, z, zz) / MICRO / n / n for n, z, zz in (before, now))
    return learn_difference(noise, (means[1] - means[0]) ** 2, variance)
