"""Latency: how many outputs exceed what used to be the baseline's quantiles (detection.md §4.4).

Sums of a row: outputs of the candidate, how many of them exceed each moved threshold, then the same of the baseline.
Memory: per quantile, the baseline's share above its threshold and the dispersion of that share; the baseline's last
block; the buckets of the quantiles in its last ten rows, the newest row last.
"""

from __future__ import annotations

from bisect import bisect_left
from decimal import Decimal

from countermand.detection.coverage import missing as unusable
from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.evalue import log_evidence
from countermand.detection.guesses import learn_dispersion, learn_guess, tempering
from countermand.detection.kinds.kind import Seen
from countermand.detection.models import Arm, Block, Row
from countermand.detection.state import Memory, made

#: Edge k of the buckets, unless others are declared, is 1.05^k.
GROWTH = Decimal("1.05")
_ROWS = 10


def edge(criterion: ToleranceRule, index: int) -> float:
    """Upper edge of a bucket; infinite for the one above the last declared edge."""
    if criterion.edges is None:
        return float(GROWTH**index)
    return float(criterion.edges[index]) if index < len(criterion.edges) else float("inf")


def thresholds(criterion: ToleranceRule, memory: Memory) -> tuple[int, ...]:
    """The bucket of each quantile, as the mean over the last rows of the baseline; empty before the first row."""
    width = len(criterion.quantiles)
    rows = len(memory.recent) // width
    return tuple((2 * sum(memory.recent[q::width]) + rows) // (2 * rows) for q in range(width)) if rows else ()


def moved(criterion: ToleranceRule, index: int) -> int:
    """The first bucket whose edge is at least (1 + `slower_by`) times the edge of bucket `index`."""
    if criterion.slower_by is None:
        return index
    factor = 1 + criterion.slower_by
    if criterion.edges is None:
        steps = 0
        while GROWTH**steps < factor:
            steps += 1
        return index + steps
    if index >= len(criterion.edges):
        return index
    return bisect_left(criterion.edges, factor * criterion.edges[index])


def start(criterion: ToleranceRule) -> Memory:
    return Memory(noise=((0, 0, 0),) * len(criterion.quantiles))


def look(criterion: ToleranceRule, memory: Memory, row: Row) -> Seen | None:
    candidate, baseline = _block(criterion, row, Arm.candidate), _block(criterion, row, Arm.baseline)
    if candidate is None or baseline is None:
        return None
    at = thresholds(criterion, memory) or (0,) * len(criterion.quantiles)
    return (
        candidate.scored,
        *(_above(candidate, moved(criterion, index)) for index in at),
        baseline.scored,
        *(_above(baseline, index) for index in at),
    )


def missing(criterion: ToleranceRule, row: Row) -> tuple[Arm, str] | None:
    for arm in criterion.arms:
        if _block(criterion, row, arm) is None:
            return arm, unusable(criterion, row.find(criterion.signal, arm)) or "no_values"
    return None


def gains(criterion: ToleranceRule, memory: Memory, seen: Seen, assumed: float) -> list[float] | None:
    if not memory.recent:
        return None
    width = len(criterion.quantiles)
    ratio = criterion.line[0]
    found: list[float] = []
    for q in range(width):
        guess = memory.guess[q]
        nats = log_evidence(seen[1 + q], seen[0], seen[2 + width + q], seen[1 + width], guess[0] / guess[1], ratio, 0.0)
        phi = tempering(memory.noise[q], assumed, criterion.zero)
        found.extend(value / phi for value in nats)
    return found


def learn(criterion: ToleranceRule, memory: Memory, row: Row) -> Memory:
    baseline = _block(criterion, row, Arm.baseline)
    if baseline is None:
        return made(Memory, guess=memory.guess, previous=None, noise=memory.noise, recent=memory.recent)
    width = len(criterion.quantiles)
    now = tuple(_quantile(baseline, q) for q in criterion.quantiles)
    recent = (*memory.recent, *now)[-_ROWS * width :]
    before = thresholds(criterion, memory)
    after = made(Memory, guess=(), previous=None, noise=memory.noise, recent=recent)
    at = thresholds(criterion, after)
    counts = tuple(_above(baseline, index) for index in at)
    guess = tuple(
        learn_guess(memory.guess[q] if memory.guess else (0, 0), counts[q], baseline.scored) for q in range(width)
    )
    noise = list(memory.noise)
    for q in range(width):
        # A share above another threshold than last time says nothing about noise.
        if memory.previous is not None and before[q] == at[q]:
            last = memory.previous[1 + q], memory.previous[0]
            noise[q] = learn_dispersion(noise[q], last, (counts[q], baseline.scored))
    return made(Memory, guess=guess, previous=(baseline.scored, *counts), noise=tuple(noise), recent=recent)


def worst(criterion: ToleranceRule, seen: Seen, unscored: int) -> Seen | None:
    width = len(criterion.quantiles)
    return tuple(value + unscored if i <= width else value for i, value in enumerate(seen))


def shut(criterion: ToleranceRule, memory: Memory) -> bool:  # noqa: ARG001
    return False


def _block(criterion: ToleranceRule, row: Row, arm: Arm) -> Block | None:
    block = row.find(criterion.signal, arm)
    return block if block is not None and block.hist and unusable(criterion, block) is None else None


def _above(block: Block, index: int) -> int:
    return sum(count for bucket, count in block.hist.items() if bucket > index)


def _quantile(block: Block, share: Decimal) -> int:
    """The bucket that holds the quantile: the first with at least that share at or below its edge."""
    part, of = share.as_integer_ratio()
    below = 0
    for bucket in sorted(block.hist):
        below += block.hist[bucket]
        if below * of >= part * block.scored:
            return bucket
    return max(block.hist)
