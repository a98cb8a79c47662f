"""When a row is due, as data: a period, a chain of periods, or the due time of another row."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Discriminator, Field, Tag, model_validator

from countermand.playbook.terms import Strict

Count = Annotated[int, Field(ge=1, le=3650)]


class Span(Strict):
    """A number of seconds, minutes, hours, days or months."""

    kind: Literal["seconds", "minutes", "hours", "days", "months"]
    n: Count

    @property
    def length(self) -> timedelta:
        """Its fixed length. Raises ValueError for months, which have none."""
        if self.kind == "months":
            raise ValueError("a month has no fixed length")
        return timedelta(**{self.kind: self.n})


class BusinessDays(Strict):
    """`calendar` names the supplied holidays, `cut_off` a time of day and a zone: `17:30 America/New_York`."""

    kind: Literal["business_days"]
    n: Count
    calendar: Annotated[str, Field(pattern=r"^profile\.calendars\.[a-z_]+$")]
    cut_off: str | None = None

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.cut_off is not None:
            self.at  # noqa: B018  # raises when it cannot be read
        return self

    @property
    def at(self) -> tuple[time, ZoneInfo] | None:
        """The time of day that ends the last day. Raises ValueError."""
        if self.cut_off is None:
            return None
        clock, _, zone = self.cut_off.partition(" ")
        try:
            return time.fromisoformat(clock), ZoneInfo(zone)
        except (ValueError, ZoneInfoNotFoundError) as error:
            raise ValueError(f"{self.cut_off!r} is not accepted; write `17:30 America/New_York`") from error


class Immediately(Strict):
    """No numeric limit; the organisation's own service level beside it, in hours."""

    kind: Literal["immediately"]
    internal_sla_hours: Count


class AfterYearEnd(Strict):
    kind: Literal["after_year_end"]
    days: Count


class Lapses(Strict):
    """A term is gone when `event` came more than `n` hours after the other event."""

    event: str
    more_than_hours_after: str
    n: Count


class Term(Strict):
    anchor: str
    kind: Literal["hours"]
    n: Count
    lapses_when: Lapses | None = None


class MinOf(Strict):
    """The earliest of the terms that are open."""

    kind: Literal["min_of"]
    terms: Annotated[tuple[Term, ...], Field(min_length=2)]


class Relative(Strict):
    """With, or before, another row: the same due time."""

    kind: Literal["with", "before"]
    obligation: str


class Every(Strict):
    weeks: Count | None = None
    minutes: Count | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.weeks is None) == (self.minutes is None):
            raise ValueError("exactly one of weeks and minutes is accepted")
        return self

    @property
    def length(self) -> timedelta:
        return timedelta(weeks=self.weeks or 0, minutes=self.minutes or 0)


class Repeat(Strict):
    """Again and again until an event."""

    kind: Literal["repeat"]
    every: Every
    until: str


def _kind(value: object) -> str | None:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    if kind in ("seconds", "minutes", "hours", "days", "months"):
        return "span"
    return "relative" if kind in ("with", "before") else kind


Due = Annotated[
    Annotated[Span, Tag("span")]
    | Annotated[BusinessDays, Tag("business_days")]
    | Annotated[Immediately, Tag("immediately")]
    | Annotated[AfterYearEnd, Tag("after_year_end")]
    | Annotated[MinOf, Tag("min_of")]
    | Annotated[Relative, Tag("relative")]
    | Annotated[Repeat, Tag("repeat")],
    Discriminator(
        _kind,
        custom_error_type="due_kind",
        custom_error_message="`kind` is one of seconds, minutes, hours, days, months, business_days, immediately, "
        "after_year_end, min_of, with, before, repeat",
    ),
]
