"""When people are told that time runs and who is called (OBL-15), and when clocks have to be looked at again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from countermand.obligations.book import Book
from countermand.obligations.clocks import Clock, ClockState
from countermand.obligations.dataset import Dataset
from countermand.obligations.due import Repeat
from countermand.plan.target import Value

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
#: Profile, data and facts can change unseen: so often somebody looks at the latest.
LOOK_EVERY = timedelta(hours=24)
#: Who is called beside the role of the row, one more for each warning that nobody did anything about.
LADDER = ("incident_commander", "executive")
#: The point at which time is over.
OVERDUE = "overdue"


class Warning_(Value):  # noqa: N801  # `Warning` is a builtin
    """One point in time at which people are told. `due`: what it warns of."""

    row_id: str
    point: str
    at: datetime
    due: datetime


def points(dataset: Dataset, clock: Clock) -> tuple[Warning_, ...]:
    """All points of a clock that counts, the earliest first, with the one at which every lawful reading is over. Of a
    row without a number they are those of the service level; a clock that is tolled has none. The organisation's own
    limits warn only where somebody stated that they apply."""
    if clock.row.internal and "fact_unknown" in clock.flags:
        return ()
    target, anchor = clock.target, clock.anchor
    if target is None or anchor is None or clock.state not in (ClockState.running, ClockState.overdue):
        return ()
    begins = anchor.moment.earliest
    over = target if clock.service_level else clock.legal_latest or target
    found = [_overdue(clock, target, over), *(_overdue(clock, due, due) for due in clock.missed)]
    for point in dataset.warn_at(clock.row):
        at = begins + (target - begins) * int(point[:-1]) / 100 if point.endswith("%") else target - _before(point)
        if begins < at < target:
            found.append(Warning_(row_id=clock.row.id, point=point, at=at, due=target))
    return tuple(sorted(found, key=lambda one: one.at))


def _overdue(clock: Clock, due: datetime, over: datetime) -> Warning_:
    return Warning_(row_id=clock.row.id, point=OVERDUE, at=over + timedelta(seconds=1), due=due)


def called(clock: Clock, book: Book, holders: Callable[[str], tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The roles that one warning calls, and who holds each: the row's, and one more for each warning before it that
    nobody did anything about. Where nobody holds any of them the next role is called at once."""
    ladder = tuple(dict.fromkeys((clock.row.owner_role, *LADDER)))
    rungs = 1 + book.unanswered(clock.row)
    found = {role: holders(role) for role in ladder[:rungs]}
    for role in ladder[rungs:]:
        if any(found.values()):
            break
        found[role] = holders(role)
    return found


def due_now(dataset: Dataset, clock: Clock, now: datetime) -> Warning_ | None:
    """The newest point that has passed: who comes late is told once and not four times."""
    passed = [one for one in points(dataset, clock) if one.at <= now]
    return passed[-1] if passed else None


def next_point(dataset: Dataset, clock: Clock, now: datetime) -> datetime | None:
    """When the next warning about a clock comes if nothing changes; None when there is none left."""
    return next((one.at for one in points(dataset, clock) if one.at > now), None)


def next_look(dataset: Dataset, clocks: Iterable[Clock], now: datetime) -> datetime:
    """When something changes by time alone, or `LOOK_EVERY` from now."""
    moments = [now + LOOK_EVERY]
    for clock in clocks:
        moments += [one.at for one in points(dataset, clock)]
        if clock.counting and not clock.row.internal:
            ends = (clock.due, clock.legal_latest, clock.service_level, clock.tolled_until)
            moments += [at + timedelta(seconds=1) for at in ends if at is not None]
    return min(at for at in moments if at > now)


def own_limits_run(dataset: Dataset, clocks: Iterable[Clock], now: datetime) -> bool:
    """Whether a limit of the organisation itself has still to warn. Those that come again and again wait for nobody."""
    own = [clock for clock in clocks if clock.row.internal and not isinstance(clock.row.due, Repeat)]
    return any(next_point(dataset, clock, now) for clock in own)


def _before(point: str) -> timedelta:
    return timedelta(**{_UNITS[point[-1]]: int(point[1:-1])})
