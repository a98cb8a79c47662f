"""The evidence of a trigger from the evidence of its criteria (detection.md §5.4).

Valid under any dependence between the signals: if fewer than k criteria are harmed, n − k + 1 harmless ones
exist, and the mean of the smallest n − k + 1 is at most theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from countermand.detection.evalue import log_mean
from countermand.detection.state import ThresholdState, ToleranceState


def value(state: ToleranceState | ThresholdState) -> int | float:
    """Evidence of one criterion in micronats; a threshold rule counts as all or nothing (DET-23)."""
    if isinstance(state, ToleranceState):
        return state.micronats
    return inf if state.breached else -inf


def at_least(k: int, values: Sequence[int | float]) -> int | float:
    """Evidence that at least k of the criteria are harmed: 1 is any (mean), all of them is all (minimum)."""
    if k == len(values):
        return min(values)
    smallest = sorted(values)[: len(values) - k + 1]
    return log_mean(smallest, len(smallest)) if abs(smallest[-1]) != inf else smallest[-1]
