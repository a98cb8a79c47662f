"""The duties as data: what is done how often, by whom, and what it costs when it is left out (LRN §4).

`duties.yaml` is shipped; an organisation changes intervals and roles in a file of its own and takes no row away.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from countermand.playbook.terms import Faults, Name, Strict, Text, repeated
from countermand.playbook.units import Positive, format_duration

#: A duty of a machine counts as late after this long, one of people after the time they have to answer.
GRACE = timedelta(hours=1)
#: People are asked on the day on which something is due: so often it is looked whether it is.
LOOK = timedelta(days=1)
SHORTEST, LONGEST = timedelta(hours=1), timedelta(days=400)


class CadenceInvalid(ValueError):
    """A file of duties that cannot be used; the message names it, what stands there and what is accepted."""


class Duty(Strict):
    """One row. asks: roles. per: once for each playbook in use. after_release: due too when a release is closed.

    answer_within: so long people have; then it is put off, twice at most, and then an executive is asked (LRN-18).
    """

    id: Name
    title: Text
    by: Literal["machine", "people"]
    every: Positive
    asks: Annotated[tuple[Name, ...], Field(min_length=1)]
    does: Text
    produces: Text
    if_missed: Text
    per: Literal["playbook"] | None = None
    after_release: bool = False
    answer_within: Positive | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        faults = Faults()
        if (self.by == "people") != (self.answer_within is not None):
            faults.add(f"{self.id!r}: people need `answer_within`, a machine has none", "answer_within")
        if self.by == "machine" and (self.per or self.after_release):
            faults.add(f"{self.id!r}: `per` and `after_release` are for duties of people", "per")
        if self.after_release and self.per != "playbook":
            faults.add(f"{self.id!r}: `after_release` needs `per: playbook`", "after_release")
        faults.refuse()
        return self

    @property
    def looks(self) -> timedelta:
        """How often its schedule starts a run: one of people only asks when it is due."""
        return self.every if self.by == "machine" else min(self.every, LOOK)

    @property
    def grace(self) -> timedelta:
        """How much later than due it may be done without being late."""
        return self.answer_within or GRACE


class Duties(Strict):
    """All rows, in the order in which people read them."""

    schema_: Literal["countermand.duties/v1"] = Field(alias="schema")
    duties: Annotated[tuple[Duty, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _once(self) -> Self:
        faults = Faults()
        for place in repeated([one.id for one in self.duties]):
            faults.add(f"{self.duties[place].id!r} stands twice; every duty has one row", "duties", place, "id")
        faults.refuse()
        return self


class Changed(Strict):
    """What an organisation does differently. because: needed for a longer interval than the shipped one."""

    every: Positive | None = None
    asks: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    because: Text | None = None


class OwnCadence(Strict):
    """`cadence.yaml` of an organisation; a duty it does not name stays as shipped."""

    schema_: Literal["countermand.cadence/v1"] = Field(alias="schema")
    duties: dict[Name, Changed]


class Planned(Strict):
    """A duty as it is in force, with the shipped interval and why it was made longer."""

    duty: Duty
    shipped: timedelta
    because: str = ""

    @property
    def longer(self) -> bool:
        """Whether it is done more rarely than shipped."""
        return self.duty.every > self.shipped


@cache
def shipped() -> tuple[Duty, ...]:
    """The rows that come with the product."""
    text = files("countermand.cadence").joinpath("duties.yaml").read_text("utf-8")
    return Duties.model_validate(YAML(typ="safe", pure=True).load(text)).duties


def as_shipped() -> tuple[Planned, ...]:
    """Every shipped duty, nothing changed."""
    return tuple(Planned(duty=duty, shipped=duty.every) for duty in shipped())


def in_force(text: str, name: str) -> tuple[Planned, ...]:
    """The shipped duties with what the organisation's file changes. Raises CadenceInvalid; `name` is that file."""
    try:
        own = OwnCadence.model_validate(YAML(typ="safe", pure=True).load(text))
    except (YAMLError, ValidationError) as error:
        raise CadenceInvalid(f"{name}: {error}") from error
    known = [duty.id for duty in shipped()]
    for duty_id in own.duties:
        if duty_id not in known:
            raise CadenceInvalid(f"{name}: duties.{duty_id} is not known; known are {', '.join(known)}")
    return tuple(_planned(duty, own.duties, name) for duty in shipped())


def _planned(duty: Duty, own: Mapping[str, Changed], name: str) -> Planned:
    said = own.get(duty.id, Changed())
    every = said.every or duty.every
    where = f"{name}: duties.{duty.id}.every"
    if not SHORTEST <= every <= LONGEST:
        raise CadenceInvalid(
            f"{where} = {format_duration(every)!r} is not accepted; "
            f"write {format_duration(SHORTEST)} to {format_duration(LONGEST)}"
        )
    if every > duty.every and said.because is None:
        raise CadenceInvalid(
            f"{where} = {format_duration(every)!r} is longer than the shipped {format_duration(duty.every)}; "
            "write `because` beside it"
        )
    changed = duty.model_copy(update={"every": every, "asks": said.asks or duty.asks})
    return Planned(duty=changed, shipped=duty.every, because=said.because or "")
