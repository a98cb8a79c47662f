"""How periods are counted: the strict reading that drives alarms, and a later lawful one beside it (OBL-3, OBL-4).

Sources: Regulation (EEC, Euratom) 1182/71 Art. 3; Delegated Regulation (EU) 2025/301 Art. 5. Whether and how they apply
is for counsel to confirm.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from countermand.obligations import calendar
from countermand.obligations.anchor import Moment
from countermand.obligations.due import AfterYearEnd, BusinessDays, Span
from countermand.plan.target import Value

#: Names this reading of the rules in every record that rests on it.
RULES = "countermand.obligations/v1"
NO_CALENDAR = "calendar not supplied"

_HOUR = timedelta(hours=1)


class Reckoning(Value):
    """Where periods are counted: the zone, and the holidays that the organisation supplied by calendar name.

    relief: whether Art. 5(4) of Delegated Regulation 2025/301 moves a weekend; None: nobody declared what it rests on.
    """

    zone: str = "Europe/Paris"
    calendars: Mapping[str, frozenset[date]] = {}
    relief: bool | None = None

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def holidays(self, name: str) -> frozenset[date] | None:
        """None: no calendar of that name was supplied."""
        return self.calendars.get(name)


class Reading(Value):
    """`due` drives alarms. `legal_latest`: a later lawful reading, None where there is none. `notes` for people."""

    due: datetime
    legal_latest: datetime | None = None
    notes: tuple[str, ...] = ()


def span(period: Span, counting: str, anchor: Moment, where: Reckoning) -> Reading:
    """A number of seconds, minutes, hours, days or months after an anchor. Raises ValueError for a bare day where hours
    count."""
    if period.kind in ("seconds", "minutes", "hours"):
        return _hours(period, counting, anchor, where)
    if period.kind == "days":
        return _days(period.n, counting, anchor, where)
    return _months(period.n, counting, anchor, where)


def _hours(period: Span, counting: str, anchor: Moment, where: Reckoning) -> Reading:
    if anchor.at is None:
        raise ValueError(f"{anchor.words} has no time of day; hours are counted from an instant")
    at = anchor.at.astimezone(UTC)
    due = at + period.length
    if counting == "eu_1182_71":
        return Reading(due=due, legal_latest=at.replace(minute=0, second=0, microsecond=0) + _HOUR + period.length)
    if counting.startswith("dora_art5"):
        return relieved(due, where)
    return Reading(due=due)


def _days(n: int, counting: str, anchor: Moment, where: Reckoning) -> Reading:
    due = anchor.earliest.astimezone(UTC) + timedelta(days=n)
    day = anchor.day(where.tz)
    notes = _only_a_day(anchor)
    if counting == "eu_1182_71":
        holidays = where.holidays("home")
        last = calendar.period_end(day, n, holidays or ())
        return Reading(due=due, legal_latest=calendar.end_of(last, where.tz), notes=(*notes, *_unsupplied(holidays)))
    if counting == "calendar_days":
        return Reading(due=due, legal_latest=calendar.end_of(day + timedelta(days=n), where.tz), notes=notes)
    return Reading(due=due, notes=notes)


def _months(n: int, counting: str, anchor: Moment, where: Reckoning) -> Reading:
    at, zone = anchor.earliest.astimezone(UTC), where.tz
    local = at.astimezone(zone)
    in_utc = calendar.utc_of(calendar.months_after(at.date(), n), at.time(), ZoneInfo("UTC"))
    day = calendar.months_after(anchor.day(zone), n)
    due = min(in_utc, calendar.utc_of(day, local.time().replace(tzinfo=None, fold=0), zone))
    notes = _only_a_day(anchor)
    if counting == "eu_1182_71":
        holidays = where.holidays("home")
        latest = calendar.end_of(calendar.next_working(day, holidays or ()), zone)
        return Reading(due=due, legal_latest=latest, notes=(*notes, *_unsupplied(holidays)))
    if counting.startswith("dora_art5"):
        reading = relieved(due, where)
        return reading.model_copy(update={"notes": (*notes, *reading.notes)})
    return Reading(due=due, notes=notes)


def relieved(due: datetime, where: Reckoning) -> Reading:
    """Delegated Regulation 2025/301 Art. 5(4): a weekend or holiday gives until noon of the next working day, unless
    that was withdrawn."""
    if where.relief is False:
        return Reading(due=due)
    holidays = where.holidays("home")
    local = due.astimezone(where.tz)
    day = calendar.next_working(local.date(), holidays or ())
    notes = _unsupplied(holidays)
    if day == local.date():
        return Reading(due=due, notes=notes)
    if where.relief is None:
        notes = (*notes, "nobody declared the entity type, so the weekend relief may not apply")
    return Reading(due=due, legal_latest=calendar.utc_of(day, time(12), where.tz), notes=notes)


def business_days(period: BusinessDays, anchor: Moment, where: Reckoning) -> Reading:
    """The n-th working day after the anchor's day, at the cut-off or at its end."""
    at = period.at
    zone = at[1] if at else where.tz
    holidays = where.holidays(period.calendar.rpartition(".")[2])
    last = calendar.business_days_after(anchor.day(zone), period.n, holidays or ())
    due = calendar.utc_of(last, at[0], zone) if at else calendar.end_of(last, zone)
    return Reading(due=due, notes=_unsupplied(holidays))


def after_year_end(period: AfterYearEnd, anchor: Moment, where: Reckoning) -> Reading:
    """So many days after 31 December of the anchor's year, until the end of that day."""
    last = date(anchor.day(where.tz).year, 12, 31) + timedelta(days=period.days)
    return Reading(due=calendar.end_of(last, where.tz))


def _unsupplied(holidays: frozenset[date] | None) -> tuple[str, ...]:
    return (NO_CALENDAR,) if holidays is None else ()


def _only_a_day(anchor: Moment) -> tuple[str, ...]:
    return ("only the day is recorded, so its earliest moment counts",) if anchor.at is None else ()
