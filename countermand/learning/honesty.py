"""How far the figures of a backtest carry: counts before rates, intervals, and what cannot be known (LRN-9)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from math import exp
from typing import NamedTuple

from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.figures import decimal, quotient
from countermand.detection.forecast import Traffic, forecast
from countermand.detection.rule import Rule
from countermand.learning.report import Detectable, Rate

WEEK = 7 * 86_400
DAY = timedelta(days=1)

#: Resamples of the bootstrap, and the fewest days it is made from.
RESAMPLES = 1_000
FEWEST_DAYS = 5

#: Multiples of the usual bad rate that are tried for the smallest effect that can be found.
EFFECTS = (1.1, 1.2, 1.3, 1.5, 2.0, 3.0, 5.0, 10.0)


class Watched(NamedTuple):
    """A quiet stretch and the instants in it at which a version would have asked people."""

    begins: datetime
    ends: datetime
    asks: tuple[datetime, ...]
    alarms: int


def rate(quiet: Sequence[Watched], draws: Iterator[float]) -> Rate:
    """False alarms of one version over all quiet stretches. draws: numbers between 0 and 1 for the bootstrap."""
    seconds = int(sum((one.ends - one.begins).total_seconds() for one in quiet))
    alarms, asks = sum(one.alarms for one in quiet), sum(len(one.asks) for one in quiet)
    if not seconds:
        nothing = {"per_week": None, "asks_per_week": None, "upper_per_week": None, "from_boot": None, "to_boot": None}
        return Rate(alarms=0, asks=0, weeks="0.00", **nothing)
    low, high = _bootstrap(_days(quiet), draws)
    return Rate(
        alarms=alarms,
        asks=asks,
        weeks=quotient(seconds, WEEK, 2),
        per_week=quotient(alarms * WEEK, seconds, 2),
        asks_per_week=quotient(asks * WEEK, seconds, 2),
        upper_per_week=quotient(round(upper(asks) * 1_000) * WEEK, 1_000 * seconds, 2),
        from_boot=low,
        to_boot=high,
    )


def upper(events: int) -> float:
    """Upper 95 % bound of a Poisson mean of which this many events were seen; 3 for none (rule of three)."""
    if events == 0:
        return 3.0
    low, high = float(events), 3.0 * events + 10
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(events, middle) > 0.05 else (low, middle)
    return high


def _at_most(events: int, mean: float) -> float:
    term = total = exp(-mean)
    for k in range(1, events + 1):
        term *= mean / k
        total += term
    return total


def _days(quiet: Sequence[Watched]) -> list[tuple[int, int]]:
    """(asks, seconds) of each day: neighbouring blocks hang together, days much less (Künsch, Ann. Statist. 1989)."""
    found = []
    for one in quiet:
        begin = one.begins
        while begin < one.ends:
            # What is left of less than half a day goes with the day before it.
            end = begin + DAY if one.ends - begin >= 1.5 * DAY else one.ends
            found.append((sum(begin < at <= end for at in one.asks), int((end - begin).total_seconds())))
            begin = end
    return found


def _bootstrap(days: Sequence[tuple[int, int]], draws: Iterator[float]) -> tuple[str | None, str | None]:
    """Middle 95 % of asks per week over resamples of whole days; nothing with too few days."""
    if len(days) < FEWEST_DAYS:
        return None, None
    rates = []
    for _ in range(RESAMPLES):
        chosen = [days[int(next(draws) * len(days))] for _ in days]
        rates.append(sum(asks for asks, _ in chosen) * WEEK * 100 // sum(seconds for _, seconds in chosen))
    rates.sort()
    return decimal(rates[RESAMPLES // 40], 2), decimal(rates[-RESAMPLES // 40 - 1], 2)


def detectable(rules: Sequence[Rule], traffic: Mapping[str, Traffic]) -> tuple[Detectable, ...]:
    """What these rules can find with this traffic. traffic: outputs per block on (candidate, baseline) by signal."""
    return tuple(_detectable(rule, traffic, place) for rule in rules for place in rule.main.node.places)


def _detectable(rule: Rule, traffic: Mapping[str, Traffic], place: int) -> Detectable:
    criterion = rule.criteria[place]
    fields = {
        "trigger": rule.trigger,
        "signal": criterion.signal,
        "smallest_times": None,
        "blocks_to_double": None,
        "block_s": int(rule.block.total_seconds()),
    }
    if not isinstance(criterion, ToleranceRule):
        return Detectable(**fields, why="a fixed limit fires when it is crossed")
    tolerant = [at for at in rule.main.node.places if isinstance(rule.criteria[at], ToleranceRule)]
    told = forecast(rule, traffic, EFFECTS).criteria[tolerant.index(place)]
    if not told.delays:
        return Detectable(**fields, why=told.why or "its traffic is not known")
    found = [one.times for one in told.delays if one.later is not None]
    double = next(one.later for one in told.delays if one.times == 2.0)
    smallest = f"{min(found):g}" if found else None
    why = None if found else "not even ten times the usual bad rate is found within the watch with this traffic"
    return Detectable(**fields | {"smallest_times": smallest, "blocks_to_double": double}, why=why)


def sentences(incidents: int, synthetic: int, current: Rate, proposed: Rate) -> Iterator[str]:
    """What a reader must know before believing a rate."""
    if incidents == 0:
        yield "No incident: nothing is known about what would be caught."
    elif incidents == 1:
        yield "1 incident: an anecdote, not a rate."
    else:
        yield (
            f"{incidents} incidents: too few for a rate of what would be caught."
            if incidents < 20
            else (f"{incidents} incidents.")
        )
    if synthetic:
        yield f"{synthetic} episodes are synthetic: they show that the arithmetic works, not how the service behaves."
    for name, found in (("current", current), ("proposed", proposed)):
        if found.per_week is None:
            yield f"No quiet stretch: nothing is known about false alarms of the {name} version."
        elif found.asks == 0:
            yield (
                f"The {name} version asked nobody for nothing in {found.weeks} weeks; that is compatible with up to "
                f"{found.upper_per_week} a week (95 %, rule of three)."
            )
        else:
            spread = f", bootstrap of days {found.from_boot} to {found.to_boot}" if found.from_boot else ""
            yield (
                f"The {name} version asked for nothing {found.asks} times in {found.weeks} weeks: "
                f"{found.asks_per_week} a week, at most {found.upper_per_week} (95 %{spread})."
            )
