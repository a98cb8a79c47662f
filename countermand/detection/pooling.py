"""Criteria whose blocks are longer than the watch's: few labels are pooled until there are enough (DET-22)."""

from __future__ import annotations

from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.models import Block, BlockState, Row

#: Unknown blocks that hold no outputs or no labels add what they have; any other reason makes the whole unknown.
_EMPTY = ("no_traffic", "empty")


def pooled(
    criterion: ToleranceRule, pending: tuple[Block, ...], row: Row, t: int
) -> tuple[Row | None, tuple[Block, ...]]:
    """(the criterion's own row when row t completes it, else None; what is pooled so far)."""
    if criterion.every == 1:
        return row, ()
    found = {(block.arm, block.segment): block for block in pending}
    for block in row.blocks:
        if block.signal == criterion.reads:
            key, part = (block.arm, block.segment), _part(block)
            found[key] = found[key] + part if key in found else part
    blocks = tuple(found.values())
    if (t + 1) % criterion.every:
        return None, blocks
    return row.model_copy(update={"blocks": tuple(_whole(block) for block in blocks)}), ()


def _part(block: Block) -> Block:
    if block.reason not in _EMPTY:
        return block
    return block.model_copy(update={"state": BlockState.ok, "reason": None})


def _whole(block: Block) -> Block:
    if block.state is BlockState.unknown or block.scored:
        return block
    reason = "empty" if block.served else "no_traffic"
    return block.model_copy(update={"state": BlockState.unknown, "reason": reason})
