"""Working days and hours of an organisation: when a request can wait, and when a business day is over."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, model_validator

from countermand.playbook.terms import Faults, Strict

_DAYS_SEARCHED = 366


class WorkingTime(Strict):
    """Days are 0 = Monday … 6 = Sunday; hours are of the time zone, and its clock changes are respected."""

    time_zone: str
    days: Annotated[frozenset[Annotated[int, Field(ge=0, le=6)]], Field(min_length=1)] = frozenset(range(5))
    begins: time = time(9)
    ends: time = time(17)
    holidays: frozenset[date] = frozenset()

    @model_validator(mode="after")
    def _usable(self) -> Self:
        faults = Faults()
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            faults.add(f"{self.time_zone!r} is no time zone; write a name such as Europe/Berlin or UTC", "time_zone")
        if not self.begins < self.ends:
            faults.add(f"the working day ends at {self.ends}, not after it begins at {self.begins}", "ends")
        faults.refuse()
        return self

    def works(self, day: date) -> bool:
        return day.weekday() in self.days and day not in self.holidays

    def next_window(self, at: datetime) -> tuple[datetime, datetime]:
        """The working window that is open at `at`, or the next one, in UTC. Raises ValueError if there is none."""
        for offset in range(_DAYS_SEARCHED):
            day = at.astimezone(ZoneInfo(self.time_zone)).date() + timedelta(days=offset)
            begins, ends = self._utc(day, self.begins), self._utc(day, self.ends)
            if self.works(day) and at < ends:
                return begins, ends
        raise ValueError(f"no working day follows {at} within a year; check `days` and `holidays`")

    def after_business_days(self, at: datetime, count: int) -> datetime:
        """The same time of day, `count` working days later, in UTC.

        What happens on a day off counts as happening when the next working day begins. Raises ValueError if there
        is no working day within a year.
        """
        zone = ZoneInfo(self.time_zone)
        local = at.astimezone(zone)
        if not self.works(local.date()):
            local = self.next_window(at)[0].astimezone(zone)
        day = local.date()
        for _ in range(count):
            day = self._next_working_day(day)
        return self._utc(day, local.time())

    def _next_working_day(self, day: date) -> date:
        for offset in range(1, _DAYS_SEARCHED):
            if self.works(later := day + timedelta(days=offset)):
                return later
        raise ValueError(f"no working day follows {day} within a year; check `days` and `holidays`")

    def _utc(self, day: date, at: time) -> datetime:
        local = datetime.combine(day, at.replace(tzinfo=None), ZoneInfo(self.time_zone))
        return local.astimezone(ZoneInfo("UTC"))
