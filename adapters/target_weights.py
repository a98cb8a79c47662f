"""Whole weights and shares: what routers hold, and what crosses the port."""

from __future__ import annotations

from activities.ports import TargetRejected
from countermand.plan.target import WHOLE, Split


def split_of(candidate: int, baseline: int) -> Split:
    """The share of each weight; the candidate's is rounded up, so that exposure is never understated.

    Raises TargetRejected when both are 0: then nobody is served, and there is no split.
    """
    if candidate + baseline == 0:
        raise TargetRejected("both weights are 0; a split needs at least one that is not")
    return Split.candidate(-(-WHOLE * candidate // (candidate + baseline)))


def not_restorable(candidate: int, baseline: int, granularity_bp: int) -> list[str]:
    """Why weights could not be set again as they are, if so (TGT-6)."""
    if WHOLE * candidate % ((candidate + baseline) * granularity_bp) == 0:
        return []
    return [
        f"the weights of now, {candidate} and {baseline}, could not be restored: "
        f"shares in steps of {granularity_bp} basis points can"
    ]
