"""Where the dot and the whiskers of a difference lie in its small plot. Pure."""

from __future__ import annotations

from typing import NamedTuple

from countermand.compare.measured import Delta

#: The plot is this wide; zero is in its middle.
WIDTH = 200
_MARGIN = 10


class Whisker(NamedTuple):
    """Positions from the left. `open_left`, `open_right`: nothing bounds the difference on that side."""

    left: float
    dot: float
    right: float
    open_left: bool
    open_right: bool


def whisker(delta: Delta) -> Whisker | None:
    """The plot of a difference with an interval; None when there is nothing to draw."""
    if delta.difference is None or not delta.method:
        return None
    reach = max(abs(value) for value in (delta.low, delta.difference, delta.high) if value is not None) or 1.0
    half = WIDTH / 2

    def at(value: float | None, unbounded: float) -> float:
        return unbounded if value is None else round(half + value / reach * (half - _MARGIN), 2)

    return Whisker(
        left=at(delta.low, 0),
        dot=at(delta.difference, half),
        right=at(delta.high, WIDTH),
        open_left=delta.low is None,
        open_right=delta.high is None,
    )
