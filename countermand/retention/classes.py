"""Retention classes: how long what is kept, and what happens at its end (OBL-28). Data, not code."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Annotated

from pydantic import Field, model_validator

from countermand.canonical import digest
from countermand.obligations import dataset
from countermand.playbook.terms import Strict


class Period(Strict):
    """How long something is kept: exactly one of the three."""

    days: Annotated[int, Field(ge=1)] | None = None
    months: Annotated[int, Field(ge=1)] | None = None
    years: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Period:
        given = [self.days, self.months, self.years]
        if sum(value is not None for value in given) != 1:
            raise ValueError(f"keep {given!r} is not accepted; write one of days, months, years")
        return self

    @property
    def words(self) -> str:
        """For example `90 days`."""
        return ", ".join(f"{value} {unit}" for unit, value in self.model_dump(exclude_none=True).items())

    def after(self, start: datetime) -> datetime:
        """The end of the period; a day that its last month does not have becomes the last day of that month."""
        if self.days is not None:
            return start + timedelta(days=self.days)
        months = start.month - 1 + (self.months or 12 * (self.years or 0))
        year, month = start.year + months // 12, months % 12 + 1
        return start.replace(year=year, month=month, day=min(start.day, calendar.monthrange(year, month)[1]))


class RetentionClass(Strict):
    """One class. purge: what happens at the end of the period."""

    id: str
    keep: Period
    purge: str
    reason: str

    @property
    def rule_digest(self) -> str:
        """What a certificate names as the rule that it was purged under."""
        return digest(self)


@cache
def shipped_classes() -> Mapping[str, RetentionClass]:
    """The classes of `obligations.yaml` by id."""
    rows = dataset.shipped().retention_classes
    return {row.id: RetentionClass.model_validate(row.model_dump()) for row in rows}


def in_force(own: Iterable[dataset.RetentionClass], at: datetime) -> dict[str, RetentionClass]:
    """The classes by id with the periods of an organisation: longer is free, shorter is refused (OBL-28).

    own: those of its file; a class that it leaves out is kept as shipped. Raises ValueError for a class that is not
    known and for a shorter one.
    """
    classes = dict(shipped_classes())
    for row in own:
        one = RetentionClass.model_validate(row.model_dump())
        if one.id not in classes:
            raise ValueError(
                f"retention class {one.id!r} is not known; known are {', '.join(sorted(classes))}. "
                "Change it in the file that COUNTERMAND_OBLIGATIONS names"
            )
        least = shipped_classes()[one.id]
        if one.keep.after(at) < least.keep.after(at):
            raise ValueError(
                f"retention class {one.id!r} would be kept for {one.keep.words!r}; at least {least.keep.words} is "
                f"accepted ({least.reason}). Change it in the file that COUNTERMAND_OBLIGATIONS names"
            )
        classes[one.id] = one
    return classes
