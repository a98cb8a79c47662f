"""Fairness: did the gap between a group and everybody else grow (detection.md §4.5).

Sums of a row, per group: (bad, scored) of candidate·group, candidate·rest, baseline·group, baseline·rest.
Memory: per group the rates of these four cells and the dispersion of the baseline's gap; the last row's baseline.
"""

from __future__ import annotations

from countermand.detection.coverage import missing as unusable
from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.guesses import learn_difference, learn_guess, seed_guess, tempering
from countermand.detection.kinds.kind import Seen
from countermand.detection.models import Arm, Row
from countermand.detection.moments import STEPS, log_evidence_of_counts
from countermand.detection.state import Memory, made

#: candidate·group, candidate·rest, baseline·group, baseline·rest
KAPPA = (1, -1, -1, 1)


def start(criterion: ToleranceRule) -> Memory:
    guess = (seed_guess(criterion.expect),) * 4 * len(criterion.groups) if criterion.expect else ()
    return Memory(guess=guess, noise=((0, 0, 0),) * len(criterion.groups))


def look(criterion: ToleranceRule, memory: Memory, row: Row) -> Seen | None:  # noqa: ARG001
    candidate, baseline = _cells(criterion, row, Arm.candidate), _cells(criterion, row, Arm.baseline)
    if candidate is None or baseline is None:
        return None
    return tuple(
        value
        for g in range(len(criterion.groups))
        for value in (*candidate[4 * g : 4 * g + 4], *baseline[4 * g : 4 * g + 4])
    )


def missing(criterion: ToleranceRule, row: Row) -> tuple[Arm, str] | None:
    for arm in criterion.arms:
        if _cells(criterion, row, arm) is None:
            whole = unusable(criterion, row.find(criterion.reads, arm))
            return arm, whole or "no_group"
    return None


def centres(guesses: list[float], sizes: list[int], accepted: float) -> tuple[list[float], float]:
    """The centres of the four cells, closest to the guesses among harmless rates, and D (detection.md §4.5)."""
    variances = [max(m * (1 - m), 1e-4) for m in guesses]
    noise = sum(v / n for v, n in zip(variances, sizes, strict=True))
    excess = accepted - sum(k * m for k, m in zip(KAPPA, guesses, strict=True))
    moved = [m + k * (v / n) / noise * excess for k, m, v, n in zip(KAPPA, guesses, variances, sizes, strict=True)]
    return [min(max(m, 0.001), 0.999) for m in moved], noise


def gains(criterion: ToleranceRule, memory: Memory, seen: Seen, assumed: float) -> list[float] | None:
    if not memory.guess:
        return None
    accepted = criterion.line[1]
    found: list[float] = []
    for g in range(len(criterion.groups)):
        bad, sizes = list(seen[8 * g : 8 * g + 8 : 2]), list(seen[8 * g + 1 : 8 * g + 8 : 2])
        middle, noise = centres([x / n for x, n in memory.guess[4 * g : 4 * g + 4]], sizes, accepted)
        cells = list(zip(KAPPA, bad, sizes, middle, strict=True))
        phi = tempering(memory.noise[g], assumed, criterion.zero)
        most = 0.9 * min(sizes)
        found.extend(log_evidence_of_counts(min(step / noise, most), cells, accepted) / phi for step in STEPS)
    return found


def learn(criterion: ToleranceRule, memory: Memory, row: Row) -> Memory:
    arms = _cells(criterion, row, Arm.candidate), _cells(criterion, row, Arm.baseline)
    groups = len(criterion.groups)
    guess = list(memory.guess or ((0, 0),) * 4 * groups)
    if not memory.guess and None in arms:
        return memory
    for side, cells in enumerate(arms):
        for i, (bad, scored) in enumerate(zip(cells[::2], cells[1::2], strict=True) if cells else ()):
            place = 4 * (i // 2) + 2 * side + i % 2
            guess[place] = learn_guess(guess[place], bad, scored)
    baseline, noise = arms[1], list(memory.noise)
    if baseline is not None and memory.previous is not None:
        for g in range(groups):
            before, now = memory.previous[4 * g : 4 * g + 4], baseline[4 * g : 4 * g + 4]
            noise[g] = learn_difference(noise[g], (_gap(now) - _gap(before)) ** 2, _variance(before) + _variance(now))
    return made(Memory, guess=tuple(guess), previous=baseline, noise=tuple(noise), recent=())


def worst(criterion: ToleranceRule, seen: Seen, unscored: int) -> Seen | None:  # noqa: ARG001
    return None


def shut(criterion: ToleranceRule, memory: Memory) -> bool:  # noqa: ARG001
    return False


def _cells(criterion: ToleranceRule, row: Row, arm: Arm) -> tuple[int, ...] | None:
    """(bad, scored) of every group and of the rest of its arm; None when one of them has no outputs."""
    whole = row.find(criterion.reads, arm)
    if whole is None or unusable(criterion, whole) is not None:
        return None
    cells: list[int] = []
    for group in criterion.groups:
        part = row.find(criterion.reads, arm, f"{criterion.group_by}={group}")
        if part is None or unusable(criterion, part) is not None:
            return None
        rest_bad, rest = whole.bad - part.bad, whole.scored - part.scored
        if not 0 <= rest_bad <= rest or rest == 0:
            return None
        cells += (part.bad, part.scored, rest_bad, rest)
    return tuple(cells)


def _gap(cells: tuple[int, ...]) -> float:
    return cells[0] / cells[1] - cells[2] / cells[3]


def _variance(cells: tuple[int, ...]) -> float:
    return sum((x / n) * (1 - x / n) / n for x, n in zip(cells[::2], cells[1::2], strict=True))
