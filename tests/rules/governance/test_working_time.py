"""Working days, hours and time zones behind business days (GOV-39) and working windows (GOV-27)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from countermand.governance.working_time import WorkingTime

BERLIN = WorkingTime(time_zone="Europe/Berlin", holidays=frozenset({date(2026, 4, 3), date(2026, 4, 6)}))
MILLENNIUM = datetime(2020, 1, 1, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "due"),
    [
        ("2026-03-03T10:00", "2026-03-04T10:00"),
        ("2026-03-06T10:00", "2026-03-09T10:00"),
        ("2026-03-07T10:00", "2026-03-10T08:00"),
        ("2026-03-08T23:30", "2026-03-09T23:30"),
        ("2026-03-27T15:30", "2026-03-30T14:30"),
        ("2026-04-02T10:00", "2026-04-07T10:00"),
        ("2026-04-03T10:00", "2026-04-08T07:00"),
    ],
)
def test_gov_39_a_business_day_skips_weekends_and_holidays_and_follows_the_clock_change(at: str, due: str) -> None:
    assert BERLIN.after_business_days(utc(at), 1) == utc(due)


@pytest.mark.parametrize(
    ("at", "begins", "ends"),
    [
        ("2026-03-03T10:00", "2026-03-03T08:00", "2026-03-03T16:00"),
        ("2026-03-03T16:00", "2026-03-04T08:00", "2026-03-04T16:00"),
        ("2026-03-06T20:00", "2026-03-09T08:00", "2026-03-09T16:00"),
        ("2026-03-27T20:00", "2026-03-30T07:00", "2026-03-30T15:00"),
        ("2026-04-02T20:00", "2026-04-07T07:00", "2026-04-07T15:00"),
    ],
)
def test_gov_27_the_next_working_window(at: str, begins: str, ends: str) -> None:
    assert BERLIN.next_window(utc(at)) == (utc(begins), utc(ends))


@given(
    st.integers(0, 10 * 365 * 24 * 60).map(lambda minutes: MILLENNIUM + timedelta(minutes=minutes)), st.integers(1, 5)
)
def test_a_business_day_is_never_shorter_than_the_days_between(at: datetime, count: int) -> None:
    due = BERLIN.after_business_days(at, count)
    assert BERLIN.works(due.astimezone(ZoneInfo("Europe/Berlin")).date()), "it ends on a working day there"
    assert timedelta(days=count) - timedelta(hours=1) <= due - at <= timedelta(days=count + 8)
    assert BERLIN.after_business_days(at, count + 1) > due


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"time_zone": "Berlin"}, "'Berlin' is no time zone"),
        ({"time_zone": "../etc/passwd"}, "is no time zone"),
        ({"begins": "17:00", "ends": "09:00"}, "not after it begins"),
        ({"days": []}, "days"),
        ({"days": [7]}, "less than or equal to 6"),
    ],
)
def test_a_calendar_that_cannot_work_does_not_parse(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        WorkingTime.model_validate({"time_zone": "UTC"} | changes)


def test_a_year_of_holidays_is_an_error_and_no_endless_loop() -> None:
    every = frozenset(date(2026, 1, 1) + timedelta(days=day) for day in range(800))
    with pytest.raises(ValueError, match="check `days` and `holidays`"):
        WorkingTime(time_zone="UTC", holidays=every).after_business_days(utc("2026-03-03T10:00"), 1)
