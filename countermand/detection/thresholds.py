"""Rules people already have: a fixed limit on the candidate's own value, no bound on false alarms (§6)."""

from __future__ import annotations

from countermand.detection.coverage import usable
from countermand.detection.models import Arm, Row
from countermand.detection.rules import ThresholdRule
from countermand.detection.state import ThresholdState


def advance(criterion: ThresholdRule, state: ThresholdState, row: Row) -> tuple[ThresholdState, bool]:
    """(state after the row, did the row count).

    An unknown block adds nothing to the value and neither breaches nor resets; an interval without any known
    block is no measurement.
    """
    block = usable(criterion, row, Arm.candidate)
    now = (block.bad, block.scored) if block else (0, 0)
    if criterion.kind == "bound":
        window = (*state.window, now)[-criterion.window :]
        measured = block is not None
    else:
        window = (now,) if len(state.window) == criterion.window else (*state.window, now)
        measured = len(window) == criterion.window
    bad, scored = sum(pair[0] for pair in window), sum(pair[1] for pair in window)
    outside = state.outside
    if measured and scored:
        if _is_outside(criterion, bad, scored):
            outside += 1
        elif criterion.kind != "cumulative":
            outside = 0
    after = ThresholdState(
        window=window,
        outside=outside,
        breached=outside >= criterion.times if criterion.kind == "bound" else outside > criterion.times,
        unknown_rows=state.unknown_rows + (block is None),
    )
    return after, block is not None


def _is_outside(criterion: ThresholdRule, bad: int, scored: int) -> bool:
    count = bad if criterion.bad == "higher" else scored - bad
    limit, of = criterion.limit_ratio
    return count * of > limit * scored if criterion.outside == "above" else count * of < limit * scored
