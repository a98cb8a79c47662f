"""A mix of categories: did it change, and by enough to matter (detection.md §4.5).

Sums of a row: outputs per category of the candidate, then of the baseline; the last category is `other`.
Memory: guess holds (candidate, baseline) per category, fading and in thousandths; recent the same for the squared
weights of both arms, which say how many outputs the fading sums are worth; the baseline's last block.
"""

from __future__ import annotations

from math import log

from countermand.detection.coverage import missing as unusable
from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.evalue import micronats
from countermand.detection.guesses import learn_difference, tempering
from countermand.detection.kinds.kind import Seen
from countermand.detection.models import Arm, Row
from countermand.detection.state import Memory, made

_SCALE = 1_000


def start(criterion: ToleranceRule) -> Memory:
    return Memory(guess=((0, 0),) * (len(criterion.categories) + 1), recent=(0, 0))


def look(criterion: ToleranceRule, memory: Memory, row: Row) -> Seen | None:  # noqa: ARG001
    candidate, baseline = _counts(criterion, row, Arm.candidate), _counts(criterion, row, Arm.baseline)
    return None if candidate is None or baseline is None else (*candidate, *baseline)


def missing(criterion: ToleranceRule, row: Row) -> tuple[Arm, str] | None:
    for arm in criterion.arms:
        if _counts(criterion, row, arm) is None:
            return arm, unusable(criterion, row.find(criterion.signal, arm)) or "no_values"
    return None


def frequencies(memory: Memory) -> tuple[list[float], list[float]]:
    """How often each category came, candidate and baseline, with half an output added to each."""
    arms = []
    for side in (0, 1):
        counts = [pair[side] / _SCALE + 0.5 for pair in memory.guess]
        total = sum(counts)
        arms.append([count / total for count in counts])
    return arms[0], arms[1]


def log_evidence(q: list[float], p: list[float], candidate: tuple[int, ...], baseline: tuple[int, ...]) -> float:
    """ln E of the bet that the candidate's mix is q and the baseline's is p, in nats."""
    n_c, n_t = sum(candidate), sum(baseline)
    total = 0.0
    for x, y, c, t in zip(q, p, candidate, baseline, strict=True):
        mixed = (n_c * x + n_t * y) / (n_c + n_t)
        total += c * log(x / mixed) + t * log(y / mixed)
    return total


def gains(criterion: ToleranceRule, memory: Memory, seen: Seen, assumed: float) -> list[float] | None:  # noqa: ARG001
    q, p = frequencies(memory)
    nats = log_evidence(q, p, seen[: len(q)], seen[len(q) :])
    return [nats / tempering(memory.noise[0], assumed, zero_tolerance=False)]


def learn(criterion: ToleranceRule, memory: Memory, row: Row) -> Memory:
    arms = _counts(criterion, row, Arm.candidate), _counts(criterion, row, Arm.baseline)
    pairs, weights = [list(pair) for pair in memory.guess], list(memory.recent)
    for side, counts in enumerate(arms):
        if counts is None:
            continue
        for pair, count in zip(pairs, counts, strict=True):
            pair[side] = pair[side] * 29 // 30 + count * _SCALE
        weights[side] = weights[side] * 841 // 900 + sum(counts) * _SCALE
    noise, baseline = memory.noise[0], arms[1]
    if baseline is not None and memory.previous is not None:
        noise = _difference(noise, memory.previous, baseline)
    guess = tuple((pair[0], pair[1]) for pair in pairs)
    return made(Memory, guess=guess, previous=baseline, noise=(noise,), recent=tuple(weights))


def worst(criterion: ToleranceRule, seen: Seen, unscored: int) -> Seen | None:  # noqa: ARG001
    return None


def stability_index(memory: Memory) -> int:
    """Population stability index of the recent rows, corrected for chance, in millionths."""
    if 0 in memory.recent:
        return 0
    q, p = frequencies(memory)
    index = sum((x - y) * log(x / y) for x, y in zip(q, p, strict=True))
    chance = 0.0
    for side in (0, 1):
        total = sum(pair[side] for pair in memory.guess)
        # Fading sums are worth (Σ w)² / Σ w² outputs.
        chance += memory.recent[side] * _SCALE / (total * total) if total else 0.0
    return micronats(index - (len(q) - 1) * chance)


def shut(criterion: ToleranceRule, memory: Memory) -> bool:
    """The change must also be large: any true difference shows in the end, and most do not matter."""
    return criterion.size is not None and stability_index(memory) < criterion.size * 1_000_000


def _counts(criterion: ToleranceRule, row: Row, arm: Arm) -> tuple[int, ...] | None:
    block = row.find(criterion.signal, arm)
    if block is None or not block.counts or unusable(criterion, block) is not None:
        return None
    named = [block.counts.get(category, 0) for category in criterion.categories]
    return (*named, block.scored - sum(named))


def _difference(noise: tuple[int, int, int], before: tuple[int, ...], now: tuple[int, ...]) -> tuple[int, int, int]:
    n, k = sum(before), sum(now)
    square = sum((y / k - x / n) ** 2 * (n + k) / (x + y) for x, y in zip(before, now, strict=True) if x + y)
    return learn_difference(noise, square, (len(now) - 1) * (1 / n + 1 / k))
