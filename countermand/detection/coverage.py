"""Can a criterion use a block? Missing data is unknown, never zero and never health (DET-6, DET-18, 19)."""

from __future__ import annotations

from countermand.detection.criterion_rules import CriterionRule
from countermand.detection.models import Arm, Block, BlockState, Row

# Reading a member of an enum is a slow detour, and every block is asked several times.
_UNKNOWN, _CANDIDATE = BlockState.unknown, Arm.candidate


def missing(criterion: CriterionRule, block: Block | None) -> str | None:
    """Why the block cannot be used: its own reason, `no_block`, `no_scored` or `coverage`. None: it can."""
    if block is None:
        return "no_block"
    if block.state is _UNKNOWN:
        return block.reason
    scored, served = block.scored, block.served
    if scored == 0:
        return "no_scored"
    if scored == served:
        return None
    least, of = criterion.coverage_ratio
    return "coverage" if scored * of < least * served else None


def usable(criterion: CriterionRule, row: Row, arm: Arm) -> Block | None:
    """The block of one arm, or None when it cannot be used."""
    block = row.both(criterion.reads)[arm is not _CANDIDATE]
    return block if missing(criterion, block) is None else None


def usable_pair(criterion: CriterionRule, row: Row) -> tuple[Block, Block] | None:
    """The blocks of the candidate and of the baseline; None when one of them cannot be used."""
    candidate, baseline = row.both(criterion.reads)
    if candidate is None or missing(criterion, candidate) is not None:
        return None
    if baseline is None or missing(criterion, baseline) is not None:
        return None
    return candidate, baseline


def first_missing(criterion: CriterionRule, row: Row) -> tuple[Arm, str] | None:
    """The first arm the criterion needs and cannot use, and why; None when the row counts for it."""
    for arm in criterion.arms:
        reason = missing(criterion, row.find(criterion.reads, arm))
        if reason is not None:
            return arm, reason
    return None
