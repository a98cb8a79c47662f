"""Fairness of scores: did the gap between a group's mean and everybody else's grow (detection.md §4.5, by moments).

Sums of a row, per group: (outputs, Σ z, Σ z²) of candidate·group, candidate·rest, baseline·group, baseline·rest; z is
badness in steps of 1/10,000. Memory: per group the means of these four cells and the variance within them, and the
dispersion of the baseline's gap; the last row's baseline.
"""

from __future__ import annotations

from countermand.detection.blocks import SCORE_STEPS
from countermand.detection.coverage import missing as unusable
from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.evalue import MICRO
from countermand.detection.guesses import learn_difference, tempering
from countermand.detection.kinds.gaps import KAPPA, shut, worst
from countermand.detection.kinds.kind import Seen
from countermand.detection.kinds.scores import SQUARE, faded, sums, within
from countermand.detection.models import Arm, Row
from countermand.detection.moments import STEPS, largest_loss, log_evidence_of_moments
from countermand.detection.state import Memory, made

__all__ = ["gains", "learn", "look", "missing", "shut", "start", "worst"]


def start(criterion: ToleranceRule) -> Memory:
    return Memory(noise=((0, 0, 0),) * len(criterion.groups))


def look(criterion: ToleranceRule, memory: Memory, row: Row) -> Seen | None:  # noqa: ARG001
    candidate, baseline = _cells(criterion, row, Arm.candidate), _cells(criterion, row, Arm.baseline)
    if candidate is None or baseline is None:
        return None
    return tuple(
        value
        for g in range(len(criterion.groups))
        for value in (*candidate[6 * g : 6 * g + 6], *baseline[6 * g : 6 * g + 6])
    )


def missing(criterion: ToleranceRule, row: Row) -> tuple[Arm, str] | None:
    for arm in criterion.arms:
        if _cells(criterion, row, arm) is None:
            block = row.find(criterion.reads, arm)
            values = "no_values" if block is not None and block.sum is None else "no_group"
            return arm, unusable(criterion, block) or values
    return None


def centres(means: list[float], sizes: list[int], accepted: float) -> list[float]:
    """The centres of the four cells: harmless means that are closest to the guessed ones, for one common variance."""
    excess = accepted - sum(k * m for k, m in zip(KAPPA, means, strict=True))
    weight = sum(1 / n for n in sizes)
    return [min(max(m + k / n / weight * excess, 0.0), 1.0) for k, m, n in zip(KAPPA, means, sizes, strict=True)]


def most(middle: list[float], sizes: list[int]) -> float:
    """The largest stake at which no output can cost more than 90 %."""
    return min(0.9 * n / largest_loss(k, m) for k, m, n in zip(KAPPA, middle, sizes, strict=True))


def gains(criterion: ToleranceRule, memory: Memory, seen: Seen, assumed: float) -> list[float] | None:
    if not memory.guess:
        return None
    accepted = criterion.line[1]
    found: list[float] = []
    for g in range(len(criterion.groups)):
        cells = [seen[i : i + 3] for i in range(12 * g, 12 * g + 12, 3)]
        sizes = [n for n, _, _ in cells]
        *means, variance = (min(max(x / n, 0.0), 1.0) for x, n in memory.guess[5 * g : 5 * g + 5])
        middle = centres(means, sizes, accepted)
        noise = max(variance, 1e-4) * sum(1 / n for n in sizes)
        moments = [
            (float(k), n, z / SCORE_STEPS, zz / SQUARE, m)
            for k, (n, z, zz), m in zip(KAPPA, cells, middle, strict=True)
        ]
        phi, limit = tempering(memory.noise[g], assumed, criterion.zero), most(middle, sizes)
        found.extend(log_evidence_of_moments(min(step / noise, limit), moments, accepted) / phi for step in STEPS)
    return found


def learn(criterion: ToleranceRule, memory: Memory, row: Row) -> Memory:
    arms = _cells(criterion, row, Arm.candidate), _cells(criterion, row, Arm.baseline)
    if not memory.guess and None in arms:
        return memory
    guess = list(memory.guess or ((0, 0),) * 5 * len(criterion.groups))
    for side, found in enumerate(arms):
        for i in range(0, len(found or ()), 3):
            n, z, zz = (found or ())[i : i + 3]
            g, cell = divmod(i // 3, 2)
            place = 5 * g + 2 * side + cell
            guess[place] = faded(guess[place], z * (MICRO // SCORE_STEPS), n)
            guess[5 * g + 4] = faded(guess[5 * g + 4], within(n, z, zz), n)
    baseline, noise = arms[1], list(memory.noise)
    if baseline is not None and memory.previous is not None:
        for g in range(len(criterion.groups)):
            before, now = memory.previous[6 * g : 6 * g + 6], baseline[6 * g : 6 * g + 6]
            square = (_gap(now) - _gap(before)) ** 2
            noise[g] = learn_difference(noise[g], square, _variance(before) + _variance(now))
    return made(Memory, guess=tuple(guess), previous=baseline, noise=tuple(noise), recent=())


def _cells(criterion: ToleranceRule, row: Row, arm: Arm) -> tuple[int, ...] | None:
    """The sums of every group and of the rest of its arm; None when one of them has no outputs."""
    whole = sums(criterion, row.find(criterion.reads, arm))
    if whole is None:
        return None
    cells: list[int] = []
    for group in criterion.groups:
        part = sums(criterion, row.find(criterion.reads, arm, f"{criterion.group_by}={group}"))
        if part is None:
            return None
        n, z, zz = (x - y for x, y in zip(whole, part, strict=True))
        if n <= 0 or not 0 <= z * z <= n * zz or z > n * SCORE_STEPS:
            return None
        cells += (*part, n, z, zz)
    return tuple(cells)


def _gap(cells: tuple[int, ...]) -> float:
    return (cells[1] / cells[0] - cells[4] / cells[3]) / SCORE_STEPS


def _variance(cells: tuple[int, ...]) -> float:
    return sum(within(*cells[i : i + 3]) / MICRO / cells[i] / cells[i] for i in (0, 3))
