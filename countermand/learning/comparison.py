"""Predicted and actual false alarms after a change of thresholds, 30 days later (LRN-13)."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from countermand.detection.figures import count
from countermand.detection.positive import share_interval
from countermand.plan.target import Value

#: When it is compared.
AFTER = timedelta(days=30)
_CONFIDENCE = 0.95
_WEEK = 7 * 86_400


class Compared(Value):
    """Whether what happened fits what was predicted. `unknown`: one of the two sides has no time to count in."""

    word: Literal["inside", "outside", "unknown"]
    sentence: str

    @property
    def outside(self) -> bool:
        """Whether a person has to look: no data is no agreement."""
        return self.word != "inside"


def compare(predicted: int, predicted_s: int, actual: int, actual_s: int) -> Compared:
    """Counts of false alarms, each with the seconds in which they were counted.

    Two Poisson counts of one rate: given their sum, the actual one is binomial with the share of its time, and that
    share has to lie within the exact interval of what was seen (Clopper & Pearson 1934; Przyborowski & Wilenski 1940).
    """
    if predicted_s <= 0 or actual_s <= 0:
        blind = "No release was watched by it, or what watched was blind"
        lacking = "The backtest had no quiet period" if predicted_s <= 0 else blind
        return Compared(word="unknown", sentence=f"{lacking}: nothing can be compared. A person has to look.")
    share = actual_s / (predicted_s + actual_s)
    low, high = share_interval(actual, predicted + actual, _CONFIDENCE)
    fits = low <= share <= high
    numbers = (
        f"{count(actual, 'false alarm')} in {_long(actual_s)} of watching; the backtest had {predicted} in "
        f"{_long(predicted_s)}"
    )
    if fits:
        return Compared(word="inside", sentence=f"{numbers}. Chance can explain that (95 %).")
    more = "more" if actual * predicted_s > predicted * actual_s else "fewer"
    return Compared(
        word="outside", sentence=f"{numbers}. That is {more} than chance explains (95 %). A person has to look."
    )


def _long(seconds: int) -> str:
    """In weeks, or below one in days or hours."""
    for size, unit in ((_WEEK, "weeks"), (86_400, "days")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds / 3_600:.1f} hours"
