"""Short ways to write down what people said about an incident, for tests of clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from countermand.obligations.anchor import Anchor, Moment
from countermand.obligations.book import Book, Filing, Said
from countermand.obligations.clocks import Clock, clocks
from countermand.obligations.dataset import shipped
from countermand.obligations.profile import Declared, Profile, accepted

PARIS = ZoneInfo("Europe/Paris")


def at(text: str, zone: str = "UTC") -> datetime:
    """`2026-03-10 09:17` as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def midnight_after(text: str, zone: str = "Europe/Paris") -> datetime:
    """24:00 of a day."""
    day = date.fromisoformat(text)
    return datetime.combine(date.fromordinal(day.toordinal() + 1), datetime.min.time(), ZoneInfo(zone)).astimezone(UTC)


def anchor(event: str, when: str, zone: str = "UTC") -> Anchor:
    """A bare date has no time of day."""
    moment = Moment(at=at(when, zone), zone=zone) if " " in when else Moment(on=date.fromisoformat(when), zone=zone)
    return Anchor(event=event, moment=moment, by="Priya Nair", seq=1)


def filing(row_id: str, when: str, partial: bool = False) -> Filing:
    return Filing(row_id=row_id, at=at(when), partial=partial, said=Said(seq=2, at=at(when), by="Priya Nair"))


def declared(**answers: Any) -> Profile:
    """`eu_ai_act__role="provider"` declares `eu_ai_act.role`; `zone` and `calendars` are the profile's own."""
    zone, calendars = answers.pop("zone", "Europe/Paris"), answers.pop("calendars", {})
    return Profile(
        present=True,
        declared={
            path.replace("__", "."): Declared(value=value, by="Priya Nair", at=date(2026, 11, 1), document="minutes 7")
            for path, value in answers.items()
        },
        jurisdiction_tz=zone,
        calendars=calendars,
    )


def only(**answers: Any) -> Profile:
    """These answers, and no to everything else."""
    named = {path.replace("__", ".") for path in answers}
    rest = {path: "none" if words else False for path, words in accepted(shipped()).items() if path not in named}
    known = {path: words for path, words in rest.items() if path not in ("dora.entity_type", "uk_fca.reporter_class")}
    return declared(**answers, **known)


def clock(row_id: str, profile: Profile, book: Book, now: str) -> Clock:
    """The clock of one row of the shipped data."""
    return next(one for one in clocks(shipped(), profile, book, at(now)) if one.row.id == row_id)
