"""Numbers the way people read them. Integer arithmetic where a number comes from counts."""

from __future__ import annotations

from datetime import timedelta
from math import exp

from countermand.detection.evalue import MICRO

#: Odds are not shown beyond this; more says nothing to a person.
MOST_ODDS = 10**9


def decimal(units: int, places: int) -> str:
    """A count of 10^−places as a decimal string: (505, 2) → `5.05`."""
    whole, rest = divmod(units, 10**places)
    return f"{whole}.{rest:0{places}}" if places else str(whole)


def quotient(part: int, whole: int, places: int) -> str:
    """part / whole as a decimal string, rounded half up; whole > 0."""
    return decimal((2 * part * 10**places + whole) // (2 * whole), places)


def odds(micronats: int) -> str:
    """Betting odds, rounded down, at most 10⁹: 4874211 → `130`, 956000 → `2.6`, −3000000 → `0.04`."""
    value = min(exp(min(micronats / MICRO, 21)), MOST_ODDS)
    if value >= 10:
        return str(int(value))
    return decimal(int(value * 10), 1) if value >= 1 else decimal(int(value * 100), 2)


def spoken_odds(micronats: int) -> str:
    """`130 to 1`; below one there is no evidence worth a number."""
    if micronats < 0:
        return "less than 1 to 1"
    text = odds(micronats)
    if text == str(MOST_ODDS):
        return f"more than {MOST_ODDS:,} to 1"
    return f"{int(text):,} to 1" if text.isdigit() else f"{text} to 1"


def per_10000(bad: int, scored: int) -> str | None:
    """Bad outputs per 10,000 with one decimal; None when nothing was scored."""
    return quotient(bad * 10_000, scored, 1) if scored else None


def rate(bad: int, scored: int, show: str) -> str:
    """`505 per 10,000` or `5.05 %`, to about three figures; scored > 0."""
    if show == "per_10000":
        return f"{quotient(bad * 10_000, scored, 0 if bad * 100 >= scored else 1)} per 10,000"
    return f"{quotient(bad * 100, scored, 1 if bad * 10 >= scored else 2)} %"


def span(length: timedelta) -> str:
    """A length of time in the largest unit that fits: `3 minutes`, `90 seconds`, `1 hour`."""
    seconds = length / timedelta(seconds=1)
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds % size == 0:
            return count(int(seconds // size), unit)
    return f"{seconds:g} seconds"


def count(number: int, noun: str) -> str:
    """`1 block`, `3 blocks`."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """The plural of a unit name: `output` → `outputs`, `query` → `queries`, `day` → `days`."""
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else f"{noun}s"
