"""How the JSON of another system is mapped: pointers with type and range checks, tables, constants (SRC-28).

A mapping is data. It can take a value from a place (RFC 6901), check it, look it up in a table, or state a constant;
it cannot compute, and it has no templates.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from math import isfinite
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from countermand.plan.target import Value
from countermand.playbook.units import Positive

Pointer = Annotated[str, Field(pattern=r"^(/([^~/]|~[01])*)*$", max_length=500)]
Constant = str | bool | int | float

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_TIME: TypeAdapter[datetime] = TypeAdapter(datetime)


class Misfit(ValueError):
    """A payload that a mapping does not fit; the message names the place and the value."""


def value_at(document: object, pointer: str) -> object:
    """The value at an RFC 6901 pointer. Raises Misfit when there is none."""
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict) and name in document:
            document = document[name]
        elif isinstance(document, list) and _INDEX.fullmatch(name) and int(name) < len(document):
            document = document[int(name)]
        else:
            raise Misfit(f"{pointer}: there is no {name[:100]!r}")
    return document


class Taken(Value):
    """Where one value comes from: a constant, or a place with the type that it must have there.

    at: a pointer into the item; payload_at: into the whole payload, when the rule has `each`.
    low, high: the accepted range of a number. choices: the accepted texts and what each becomes; true and false are
    written "true" and "false". optional: may be absent or null; then the field is left out.
    """

    const: Constant | None = None
    at: Pointer | None = None
    payload_at: Pointer | None = None
    type: Literal["text", "number", "integer", "boolean", "time", "unix_seconds", "unix_milliseconds"] = "text"
    low: float | None = None
    high: float | None = None
    choices: Annotated[dict[str, Constant], Field(min_length=1, max_length=100)] | None = None
    optional: bool = False

    def take(self, item: object, payload: object) -> Any:
        """The value, or None when it is optional and absent. Raises Misfit."""
        if self.const is not None:
            return self.const
        pointer, document = (self.at, item) if self.at is not None else (self.payload_at or "", payload)
        try:
            found = value_at(document, pointer)
        except Misfit:
            if self.optional:
                return None
            raise
        if found is None and self.optional:
            return None
        value = self._typed(found, pointer)
        if self.choices is None:
            return value
        chosen = self.choices.get(str(value).lower() if isinstance(value, bool) else str(value))
        if chosen is None:
            raise Misfit(f"{pointer}: {said(value)} is not one of {', '.join(map(repr, self.choices))}")
        return chosen

    def _typed(self, value: object, pointer: str) -> Any:
        number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
        match self.type:
            case "text":
                fits = isinstance(value, str)
            case "boolean":
                fits = isinstance(value, bool)
            case "time":
                return _time(value, pointer)
            case "number":
                fits = number
            case _:
                fits = number and isinstance(value, int)
        if not fits:
            raise Misfit(f"{pointer}: {said(value)} is not of type {self.type}")
        if isinstance(value, int | float) and not isinstance(value, bool):
            if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
                raise Misfit(f"{pointer}: {said(value)} is outside {self.low} to {self.high}")
            if self.type.startswith("unix"):
                return _unix(value, 1_000 if self.type == "unix_milliseconds" else 1, pointer)
        return value

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(place is not None for place in (self.const, self.at, self.payload_at)) != 1:
            raise ValueError("exactly one of `const`, `at` and `payload_at` is needed")
        return self


class OutputRule(Value):
    """One LabelledOutput per item."""

    observation_id: Taken
    release_id: Taken
    arm: Taken
    signal: Taken
    event_time: Taken
    outcome: Taken | None = None
    value: Taken | None = None
    category: Taken | None = None
    groups: dict[str, Taken] = Field(default_factory=dict)


class CountedRule(Value):
    """One CountedBlock per item."""

    release_id: Taken
    arm: Taken
    signal: Taken
    start: Taken
    served: Taken
    scored: Taken
    bad: Taken | None = None
    sum: Taken | None = None
    sumsq: Taken | None = None


class AlertRule(Value):
    """One alert per item. `id`: what stays the same while it fires; without it its labels are its identity.

    fires_for: for senders that never say that an alert is over.
    """

    name: Taken
    starts_at: Taken
    status: Taken = Taken(const="firing")
    ends_at: Taken | None = None
    fires_for: Positive | None = None
    id: Taken | None = None
    labels: dict[str, Taken] = Field(default_factory=dict)
    annotations: dict[str, Taken] = Field(default_factory=dict)


class MappingRule(Value):
    """One form of payload. `when`: constants that must stand at these places. `each`: where the list of items is."""

    when: dict[Pointer, Constant] = Field(default_factory=dict)
    each: Pointer | None = None
    output: OutputRule | None = None
    counted: CountedRule | None = None
    alert: AlertRule | None = None

    def fits(self, payload: object) -> bool:
        """Do the constants of `when` stand where they should?"""
        try:
            found = [(value_at(payload, pointer), constant) for pointer, constant in self.when.items()]
        except Misfit:
            return False
        return all(type(value) is type(constant) and value == constant for value, constant in found)

    @model_validator(mode="after")
    def _one_product(self) -> Self:
        if sum(product is not None for product in (self.output, self.counted, self.alert)) != 1:
            raise ValueError("exactly one of `output`, `counted` and `alert` is needed")
        return self


def _time(value: object, pointer: str) -> datetime:
    try:
        found = _TIME.validate_python(value) if isinstance(value, str) else None
    except ValidationError:
        found = None
    if found is None or found.tzinfo is None:
        raise Misfit(f"{pointer}: {said(value)} is not a time with its zone, such as 2026-11-20T03:14:07Z")
    return found


def _unix(value: float, per_second: int, pointer: str) -> datetime:
    try:
        return datetime.fromtimestamp(value / per_second, UTC)
    except (OverflowError, ValueError, OSError):
        raise Misfit(f"{pointer}: {said(value)} is not a time since 1970") from None


def said(value: object) -> str:
    """A value of a stranger in a message."""
    return repr(value)[:100]
