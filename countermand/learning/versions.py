"""What a backtest judges: both versions, and the proposed one with a changed value moved. Equal rules are one rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from pydantic import ValidationError

from countermand.canonical import digest
from countermand.detection.rule import Rule
from countermand.detection.rules import compile_rules
from countermand.playbook.criteria import Detection
from countermand.playbook.differences import compare
from countermand.playbook.model import Playbook
from countermand.playbook.units import format_duration, parse_number, plain
from countermand.playbook.weakening import number

#: The proposed value is moved by these percentages of itself (LRN-9).
SWEEP = (-20, -10, 10, 20)


class Place(NamedTuple):
    """A value of the detection that the proposal changes. path: a JSON pointer; place: the same in words."""

    path: str
    place: str
    before: str
    after: str


class Trial(NamedTuple):
    """The proposed version with one other value. rules: its rules by name, or `refused` says why there is none."""

    place: Place
    value: str
    percent: int | None
    rules: tuple[str, ...] = ()
    refused: str | None = None

    @property
    def can_be_chosen(self) -> bool:
        """May a search choose it? Not what cannot be written, nor a ratio that calls the usual worse than it is."""
        if self.refused is not None:
            return False
        below = self.place.path.endswith("/ratio") and (number(self.value) or 0) < 1
        return not below or min(number(self.place.before) or 0, number(self.place.after) or 0) < 1


class Versions:
    """Both versions and all trials over one set of rules. `rules`: every different rule by its name."""

    def __init__(self, current: Playbook, proposed: Playbook) -> None:
        """Raises ValueError when the two count in blocks of different length: rows fit only one of them."""
        if current.detection.block != proposed.detection.block:
            raise ValueError(
                f"the proposed version counts in blocks of {format_duration(proposed.detection.block)!r}; recorded "
                f"rows have blocks of {format_duration(current.detection.block)!r}, and only those can be judged"
            )
        self.rules: dict[str, Rule] = {}
        self._proposed = proposed
        self.detection: Detection = proposed.detection
        self.current = self._named(current.detection)
        self.proposed = self._named(proposed.detection)
        changes = [one for one in compare(current, proposed).changes if one.path.startswith("/detection/")]
        self.change = tuple(f"{one.place}: {one.before or '–'} → {one.after or '–'}" for one in changes)
        self.places = tuple(
            Place(one.path, one.place, one.before, one.after)
            for one in changes
            if number(one.before) is not None and number(one.after) is not None
        )
        self.trials = tuple(trial for place in self.places for trial in self._trials(place))

    @property
    def changed(self) -> tuple[str, ...]:
        """The rules of the proposed version that the current one does not have."""
        return tuple(name for name in self.proposed if name not in self.current)

    def acting(self, names: Iterable[str]) -> list[str]:
        """Without those in shadow, which never act."""
        return [name for name in names if not self.rules[name].shadow]

    def _named(self, detection: Detection) -> tuple[str, ...]:
        names = []
        for rule in compile_rules(detection):
            # What other triggers were given says nothing about how this one judges.
            name = digest(rule.model_copy(update={"spent": Decimal(0)}))
            self.rules.setdefault(name, rule)
            names.append(name)
        return tuple(names)

    def _trials(self, place: Place) -> Iterator[Trial]:
        for value, percent in _grid(place, self.detection).items():
            if value == place.after and percent is not None:
                yield Trial(place, value, percent, refused="the next value it can have is further away")
                continue
            try:
                moved = Playbook.model_validate(_with(self._proposed.model_dump(mode="json"), place.path, value))
                yield Trial(place, value, percent, self._named(moved.detection))
            except ValidationError as error:
                yield Trial(place, value, percent, refused=error.errors()[0]["msg"])
            except ValueError as error:
                yield Trial(place, value, percent, refused=str(error))


def _grid(place: Place, detection: Detection) -> Mapping[str, int | None]:
    """Values to try, with the percentage where it is one of the sweep: around the proposed value, and on the way from
    the current one to it and as far beyond."""
    before, after = number(place.before) or Decimal(0), number(place.after) or Decimal(0)
    values: dict[str, int | None] = {}
    for percent in SWEEP:
        values.setdefault(_written(place, after * (100 + percent) / 100, detection), percent)
    step = (after - before) / 2
    for value in (before, before + step, after, after + step, after + 2 * step):
        values.setdefault(_written(place, value, detection), None)
    return values


def _written(place: Place, value: Decimal, detection: Detection) -> str:
    """A value in the form in which the place has it: lengths in whole blocks, counts as whole numbers."""
    try:
        parse_number(place.after)
    except ValueError:
        blocks = max(round(value / Decimal(detection.block.total_seconds())), 1)
        return format_duration(blocks * detection.block)
    if place.path.rpartition("/")[2] in _WHOLE:
        return str(max(round(value), 1))
    # Six digits are enough for a tolerance, and keep what people read short.
    return plain(value.quantize(Decimal("0.000001")))


#: Numbers that count something.
_WHOLE = frozenset({"k", "m", "n", "limit", "threshold", "blind_after"})


def _with(document: dict[str, Any], path: str, value: str) -> dict[str, Any]:
    """The document with another value at a JSON pointer; a number stays a number."""
    *parts, last = path.split("/")[1:]
    here: Any = document
    for part in parts:
        here = here[int(part)] if isinstance(here, list) else here[part]
    key: Any = int(last) if isinstance(here, list) else last
    here[key] = int(value) if isinstance(here[key], int) else value
    return document
