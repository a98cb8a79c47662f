"""Outputs that were due and never scored: a candidate that crashes before it is judged looks clean otherwise (§4.5).

Sums and memory are those of a rate whose bad outputs are the unscored ones.
"""

from __future__ import annotations

from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.kinds.kind import Seen
from countermand.detection.kinds.rates import gains, learned, shut, start
from countermand.detection.models import Arm, Block, BlockState, Row
from countermand.detection.state import Memory

__all__ = ["gains", "learn", "look", "missing", "shut", "start", "worst"]

#: An unknown block whose outputs are counted but not scored is exactly what this kind is about.
_COUNTED = ("empty", "no_scored", "coverage")


def look(criterion: ToleranceRule, memory: Memory, row: Row) -> Seen | None:  # noqa: ARG001
    candidate, baseline = _due(criterion, row, Arm.candidate), _due(criterion, row, Arm.baseline)
    if candidate is None or baseline is None:
        return None
    return candidate.served - candidate.scored, candidate.served, baseline.served - baseline.scored, baseline.served


def missing(criterion: ToleranceRule, row: Row) -> tuple[Arm, str] | None:
    for arm in criterion.arms:
        if _due(criterion, row, arm) is None:
            block = row.find(criterion.reads, arm)
            return arm, (block.reason or "no_traffic") if block else "no_block"
    return None


def learn(criterion: ToleranceRule, memory: Memory, row: Row) -> Memory:
    baseline = _due(criterion, row, Arm.baseline)
    return learned(memory, None if baseline is None else (baseline.served - baseline.scored, baseline.served))


def worst(criterion: ToleranceRule, seen: Seen, unscored: int) -> Seen | None:  # noqa: ARG001
    return None


def _due(criterion: ToleranceRule, row: Row, arm: Arm) -> Block | None:
    block = row.find(criterion.reads, arm)
    if block is None or block.served == 0:
        return None
    return block if block.state is BlockState.ok or block.reason in _COUNTED else None
