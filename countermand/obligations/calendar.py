"""Civil days: their end, working days, and local times turned into instants. No calendar is built in (OBL-16)."""

from __future__ import annotations

import calendar
from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Holidays = Collection[date]
_DAY = timedelta(days=1)


def utc_of(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The instant of a local time. One that a clock change leaves out is the instant of that change."""
    local = datetime.combine(day, at)
    if not _exists(local, zone):
        local = local.replace(second=0, microsecond=0)
        while not _exists(local, zone):
            local -= timedelta(minutes=1)
        return local.replace(tzinfo=zone).astimezone(UTC) + timedelta(minutes=1)
    return local.replace(tzinfo=zone).astimezone(UTC)


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """24:00 of a civil day."""
    return utc_of(day + _DAY, time(0), zone)


def working(day: date, holidays: Holidays) -> bool:
    return day.weekday() < 5 and day not in holidays


def next_working(day: date, holidays: Holidays) -> date:
    """This day if work is done on it, else the next one on which it is."""
    while not working(day, holidays):
        day += _DAY
    return day


def business_days_after(day: date, n: int, holidays: Holidays) -> date:
    """The n-th working day after this one, which does not count itself."""
    for _ in range(n):
        day = next_working(day + _DAY, holidays)
    return day


def period_end(first_not_counted: date, n: int, holidays: Holidays) -> date:
    """Last day of n civil days under Regulation 1182/71: it rolls to a working day, and a period of two days or more
    contains at least two working days."""
    last = next_working(first_not_counted + n * _DAY, holidays)
    if n >= 2:
        while _working_days(first_not_counted, last, holidays) < 2:
            last = next_working(last + _DAY, holidays)
    return last


def months_after(day: date, n: int) -> date:
    """The same day of the month n months later, or the last day of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 + n, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _working_days(after: date, until: date, holidays: Holidays) -> int:
    return sum(working(after + i * _DAY, holidays) for i in range(1, (until - after).days + 1))


def _exists(local: datetime, zone: ZoneInfo) -> bool:
    back = local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
    return back.replace(tzinfo=None, fold=0) == local.replace(fold=0)
