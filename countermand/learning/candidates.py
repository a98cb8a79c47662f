"""Which value of one changed place the recorded past prefers. A suggestion: nobody but people adopts anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from countermand.learning.outcome import Outcome
from countermand.learning.versions import Place, Trial
from countermand.plan.target import Value
from countermand.playbook.weakening import number


class Suggestion(Value):
    """What the past prefers at one place, and what it comes to there."""

    path: str
    place: str
    value: str
    missed: tuple[str, ...]
    false_alarms: int


class _Rank(NamedTuple):
    """Catch all, then fewest false alarms, then earliest, then the smallest change of what is in force."""

    missed: int
    asks: int
    late: timedelta
    moved: float
    value: str


def best(place: Place, outcomes: Mapping[Trial, Outcome], without: str | None = None) -> tuple[Trial, Outcome] | None:
    """The value of this place that does best as if the incident `without` had never been, None if none can be had."""
    known = {trial: found for trial, found in outcomes.items() if trial.place == place and trial.can_be_chosen}
    seen = {trial: found if without is None else found.without(without) for trial, found in known.items()}
    if not seen:
        return None
    chosen = min(seen, key=lambda trial: _rank(place, trial, seen[trial], seen.values()))
    return chosen, known[chosen]


def suggestions(places: Iterable[Place], outcomes: Mapping[Trial, Outcome]) -> tuple[Suggestion, ...]:
    """One per changed place, the other places as proposed."""
    found = ((place, best(place, outcomes)) for place in places)
    return tuple(
        Suggestion(
            path=place.path, place=place.place, value=one[0].value, missed=one[1].missed, false_alarms=one[1].asks
        )
        for place, one in found
        if one is not None
    )


def _rank(place: Place, trial: Trial, own: Outcome, all_of: Iterable[Outcome]) -> _Rank:
    earliest: dict[str, datetime] = {}
    for other in all_of:
        for name, at in other.caught.items():
            earliest[name] = min(at, earliest.get(name, at))
    late = sum(((at - earliest[name]) for name, at in own.caught.items()), timedelta(0))
    before, value = number(place.before), number(trial.value)
    moved = 0.0 if before is None or value is None else abs(float(value - before))
    return _Rank(len(own.missed), own.asks, late, moved, trial.value)
