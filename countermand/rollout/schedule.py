"""How often a sandbox of a release starts by itself, as the Ledger says (LRN-26)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator

from countermand.ledger.bodies import RolloutScheduled, RolloutSkipped, parse_body
from countermand.ledger.record import Record
from countermand.playbook.units import Duration, format_duration

SHORTEST, LONGEST = timedelta(hours=1), timedelta(days=30)


def _accepted(every: timedelta) -> timedelta:
    if not SHORTEST <= every <= LONGEST or every % timedelta(seconds=1):
        accepted = f"{format_duration(SHORTEST)} to {format_duration(LONGEST)}, in whole seconds"
        raise ValueError(f"{format_duration(every)!r} is not accepted; write {accepted}, for example 24h")
    return every


#: Time from one start to the next.
Every = Annotated[Duration, AfterValidator(_accepted)]


@dataclass(frozen=True)
class ScheduleView:
    """A schedule in force. skipped: when and why the newest start that was due did not happen, since it is in force."""

    every: timedelta
    name: str
    since: datetime
    skipped: tuple[datetime, str] | None = None


def schedule(records: Sequence[Record]) -> ScheduleView | None:
    """The schedule in force; None when there is none. records: of one release, in order; other kinds are left out."""
    view = None
    for record in records:
        match parse_body(record):
            case RolloutScheduled() as body:
                view = None if body.every is None else ScheduleView(body.every, body.name, record.at)
            case RolloutSkipped() as body if view is not None:
                view = ScheduleView(view.every, view.name, view.since, (record.at, body.sentence))
    return view
