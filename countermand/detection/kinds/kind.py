"""What the watch asks of a kind of signal. Every module of this folder that judges rows has these functions."""

from __future__ import annotations

from typing import Protocol

from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.models import Arm, Row
from countermand.detection.state import Memory

#: Sums of both arms in one row, in the order of the kind; sums of rows add up.
Seen = tuple[int, ...]


class Kind(Protocol):
    """A kind of signal."""

    def start(self, criterion: ToleranceRule) -> Memory:
        """What is known before the first row."""
        ...

    def look(self, criterion: ToleranceRule, memory: Memory, row: Row) -> Seen | None:
        """What both arms did in a row; None when one of them cannot be used."""
        ...

    def missing(self, criterion: ToleranceRule, row: Row) -> tuple[Arm, str] | None:
        """The first arm that cannot be used and why; None exactly when `look` gives sums."""
        ...

    def gains(self, criterion: ToleranceRule, memory: Memory, seen: Seen, assumed: float) -> list[float] | None:
        """ln E of every bet on the row divided by its φ, in nats; None while the first row trains.

        The memory is of the rows before, so that no bet knows the outcomes it is about.
        """
        ...

    def learn(self, criterion: ToleranceRule, memory: Memory, row: Row) -> Memory:
        """The memory after a row, from every arm that has data."""
        ...

    def worst(self, criterion: ToleranceRule, seen: Seen, unscored: int) -> Seen | None:
        """The sums if the candidate's `unscored` outputs were all bad; None when the kind cannot say."""
        ...

    def shut(self, criterion: ToleranceRule, memory: Memory) -> bool:
        """Does a second condition fail, so that the evidence must not count yet?"""
        ...
