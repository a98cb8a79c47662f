"""Simulated outputs of both arms, minute by minute: what every rule of the benchmark reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Minutes of one watch: a day.
DAY = 1_440


@dataclass(frozen=True)
class Traffic:
    """Counts of many watches; the arrays have one row per minute and one column per watch.

    candidate_bad, baseline_bad: bad outputs, 0 in unknown minutes. candidate, baseline: scored outputs of an arm in a
    known minute. known: minutes with data, one column if it is the same for all watches. usual: the baseline's mean bad
    rate, which every rule that needs a limit is told. excess: bad outputs per minute that harm adds, expected.
    """

    candidate_bad: Floats
    baseline_bad: Floats
    candidate: int
    baseline: int
    known: Bools
    usual: float
    excess: Floats

    @property
    def watches(self) -> int:
        return int(self.candidate_bad.shape[1])

    def part(self, watches: int) -> Traffic:
        """The first watches only."""
        if watches >= self.watches:
            return self
        return replace(
            self,
            candidate_bad=self.candidate_bad[:, :watches],
            baseline_bad=self.baseline_bad[:, :watches],
            known=self.known[:, :watches],
            excess=self.excess[:, :watches],
        )

    @cached_property
    def candidate_scored(self) -> Floats:
        """Scored outputs of the candidate per minute."""
        return self.known * float(self.candidate)

    @cached_property
    def baseline_scored(self) -> Floats:
        """Scored outputs of the baseline per minute."""
        return self.known * float(self.baseline)


def windowed(values: Floats, rows: int) -> Floats:
    """Sums over the last `rows` rows, over fewer at the beginning."""
    sums: Floats = np.cumsum(values, axis=0)
    sums[rows:] -= sums[:-rows].copy()
    return sums


def share(part: Floats, whole: Floats) -> Floats:
    """part / whole, and 0 where there is nothing."""
    empty: Floats = np.zeros(np.broadcast_shapes(part.shape, whole.shape))
    return np.divide(part, whole, out=empty, where=whole > 0)


def first(hit: Bools) -> Floats:
    """Minutes until the first hit of each watch, 1 for a hit in the first minute; infinite without one."""
    found: Floats = np.where(hit.any(axis=0), hit.argmax(axis=0) + 1.0, np.inf)
    return found
