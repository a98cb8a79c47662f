"""When an event happened, as a person recorded it: an instant and its zone, or only a day (OBL-2, OBL-18)."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, field_validator, model_validator

from countermand.obligations.calendar import utc_of
from countermand.plan.target import Value

Certainty = Literal["known", "estimated"]


class Moment(Value):
    """An instant, or a day without a time of day. `zone` is the one it was recorded in."""

    at: AwareDatetime | None = None
    on: date | None = None
    zone: str = "UTC"

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{zone!r} is no time zone; write a name such as Europe/Paris or UTC") from error
        return zone

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.at is None) == (self.on is None):
            raise ValueError("either an instant (`at`) or a day (`on`) is accepted")
        return self

    def day(self, zone: ZoneInfo) -> date:
        """The civil day in a zone; a day that was recorded alone is that day."""
        return self.on if self.on is not None else self._instant.astimezone(zone).date()

    @property
    def earliest(self) -> datetime:
        """The instant; of a bare day the earliest one that it can mean."""
        return utc_of(self.on, time(0), ZoneInfo(self.zone)) if self.on is not None else self._instant

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.on:%Y-%m-%d} ({self.zone})" if self.on else f"{self._instant:%Y-%m-%d %H:%M} UTC"

    @property
    def _instant(self) -> datetime:
        if self.at is None:
            raise ValueError("this moment has no time of day")
        return self.at


class Anchor(Value):
    """One event of an incident. `seq` is the record it stands in; `by` who set it, or which record shows it."""

    event: str
    moment: Moment
    by: str
    seq: int
    certainty: Certainty = "known"
    evidence_refs: tuple[str, ...] = ()
