"""Would the value still have been chosen without the incident it was made for, and catch it? (LRN-9)

A value that only the incident itself justifies is fitted to it: the next incident is another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from countermand.learning.candidates import best
from countermand.learning.outcome import Outcome
from countermand.learning.report import LeftOut
from countermand.learning.versions import Place, Trial


def left_out(
    places: Sequence[Place], outcomes: Mapping[Trial, Outcome], incidents: Sequence[str]
) -> tuple[LeftOut, ...]:
    """One row per incident and changed place."""
    return tuple(_rows(places, outcomes, incidents))


def _rows(places: Sequence[Place], outcomes: Mapping[Trial, Outcome], incidents: Sequence[str]) -> Iterator[LeftOut]:
    for episode_id in incidents:
        for place in places:
            found = best(place, outcomes, without=episode_id)
            value = None if found is None else found[0].value
            caught = found is not None and episode_id in found[1].caught
            if found is None:
                said = "no value of it can be tried, so nothing is known"
            elif len(incidents) == 1:
                said = f"no incident is left to derive it from; {value} is then best, and it "
                said += "still catches it" if caught else "misses it"
            else:
                said = f"the others lead to {value}, which " + ("still catches it" if caught else "misses it")
            yield LeftOut(
                episode_id=episode_id,
                path=place.path,
                place=place.place,
                value=value,
                caught=caught,
                sentence=f"Without {episode_id}, {place.place}: {said}.",
            )
