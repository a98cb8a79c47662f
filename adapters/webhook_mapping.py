"""From the JSON of another system to outputs, counted blocks or alerts: pointers with type and range checks (SRC-28).

A mapping is data. It can take a value from a place (RFC 6901), check it, look it up in a table, or state a constant;
it cannot compute, and it has no templates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from activities.signal_ports import CountedBlock, LabelledOutput
from adapters.alert_values import Alert
from countermand.canonical import digest
from countermand.plan.target import Value
from countermand.playbook.units import Positive

#: Items that one payload may hold.
MAX_ITEMS = 5_000

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
            raise Misfit(f"{pointer}: {_said(value)} is not one of {', '.join(map(repr, self.choices))}")
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
            raise Misfit(f"{pointer}: {_said(value)} is not of type {self.type}")
        if isinstance(value, int | float) and not isinstance(value, bool):
            if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
                raise Misfit(f"{pointer}: {_said(value)} is outside {self.low} to {self.high}")
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


class Mapped(NamedTuple):
    """What a payload holds, and why parts of it were not understood. about_alerts: those could have been alerts."""

    outputs: tuple[LabelledOutput, ...] = ()
    counted: tuple[CountedBlock, ...] = ()
    alerts: tuple[Alert, ...] = ()
    misfits: tuple[str, ...] = ()
    about_alerts: bool = False


def mapped(rules: tuple[MappingRule, ...], payload: object) -> Mapped:
    """What the first rule that fits makes of a payload; items that do not fit are told, the others count."""
    rule = next((rule for rule in rules if rule.fits(payload)), None)
    if rule is None:
        return Mapped(misfits=("no rule of the mapping fits this payload",))
    try:
        items = [payload] if rule.each is None else value_at(payload, rule.each)
    except Misfit as absent:
        return Mapped(misfits=(str(absent),), about_alerts=rule.alert is not None)
    if not isinstance(items, list) or not 0 < len(items) <= MAX_ITEMS:
        misfit = f"{rule.each}: {_said(items)} is not a list of 1 to {MAX_ITEMS} items"
        return Mapped(misfits=(misfit,), about_alerts=rule.alert is not None)
    outputs, counted, alerts, misfits = [], [], [], []
    for index, item in enumerate(items):
        try:
            if rule.output is not None:
                outputs.append(LabelledOutput(**_fields(rule.output, item, payload)))
            elif rule.counted is not None:
                counted.append(CountedBlock(**_fields(rule.counted, item, payload)))
            elif rule.alert is not None:
                alerts.append(_alert(rule.alert, item, payload))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            where = "/".join(str(part) for part in first["loc"])
            misfits.append(f"item {index}: {where}: {first['msg']} (got {_said(first['input'])})")
        except Misfit as misfit:
            misfits.append(f"item {index}: {misfit}")
    return Mapped(tuple(outputs), tuple(counted), tuple(alerts), tuple(misfits), rule.alert is not None)


def _fields(rule: OutputRule | CountedRule, item: object, payload: object) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in type(rule).model_fields:
        source = getattr(rule, name)
        if isinstance(source, Taken):
            fields[name] = source.take(item, payload)
        elif source:
            fields[name] = _texts(source, item, payload)
    return {name: value for name, value in fields.items() if value is not None}


def _texts(sources: Mapping[str, Taken], item: object, payload: object) -> dict[str, str]:
    taken = {name: source.take(item, payload) for name, source in sources.items()}
    return {name: value if isinstance(value, str) else str(value) for name, value in taken.items() if value is not None}


def _alert(rule: AlertRule, item: object, payload: object) -> Alert:
    labels = {"alertname": str(rule.name.take(item, payload)), **_texts(rule.labels, item, payload)}
    identity = rule.id.take(item, payload) if rule.id else None
    starts_at = rule.starts_at.take(item, payload)
    status = rule.status.take(item, payload)
    ends_at = rule.ends_at.take(item, payload) if rule.ends_at else None
    if ends_at is None and rule.fires_for and status == "firing":
        ends_at = starts_at + rule.fires_for
    return Alert(
        fingerprint=digest(sorted(labels.items())) if identity is None else str(identity),
        status=status,
        starts_at=starts_at,
        ends_at=ends_at,
        labels=labels,
        annotations=_texts(rule.annotations, item, payload),
    )


def _time(value: object, pointer: str) -> datetime:
    try:
        found = _TIME.validate_python(value) if isinstance(value, str) else None
    except ValidationError:
        found = None
    if found is None or found.tzinfo is None:
        raise Misfit(f"{pointer}: {_said(value)} is not a time with its zone, such as 2026-11-20T03:14:07Z")
    return found


def _unix(value: float, per_second: int, pointer: str) -> datetime:
    try:
        return datetime.fromtimestamp(value / per_second, UTC)
    except (OverflowError, ValueError, OSError):
        raise Misfit(f"{pointer}: {_said(value)} is not a time since 1970") from None


def _said(value: object) -> str:
    return repr(value)[:100]
