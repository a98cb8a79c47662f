"""The state of every clock of an incident: pure, from data, profile, book and an instant (obligations.md §3)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from countermand.obligations.anchor import Anchor
from countermand.obligations.book import Book, Choice, Filing, Toll
from countermand.obligations.counting import NO_CALENDAR
from countermand.obligations.dataset import NEVER_COMPUTED, Dataset, Row
from countermand.obligations.due import Immediately, Repeat, Span
from countermand.obligations.predicates import constant, holds, leaves, unknown_paths
from countermand.obligations.profile import Profile
from countermand.obligations.starting import Start, Started, Starting, Waiting
from countermand.plan.target import Value


class ClockState(StrEnum):
    """Obligations.md §3, in the order of precedence of OBL-11."""

    set_aside = "set_aside"
    filed = "filed"
    not_in_force = "not_in_force"
    scope_not_declared = "scope_not_declared"
    not_applicable = "not_applicable"
    tolled = "tolled"
    anchor_missing = "anchor_missing"
    not_started = "not_started"
    running = "running"
    overdue = "overdue"


#: States of a clock that somebody has to look after.
OPEN = (ClockState.running, ClockState.overdue, ClockState.tolled, ClockState.anchor_missing)
#: States in which a row says nothing about this incident.
OUT_OF_VIEW = (ClockState.not_in_force, ClockState.not_applicable)

Flag = Literal[
    "past_strict",
    "provisional",
    "fact_unknown",
    "late",
    "partial",
    "unchecked",
    "unverified",
    "row_changed",
    "no_numeric_limit",
    "past_service_level",
    "opened_anyway",
]


class Clock(Value):
    """One row and where it stands. `because` says it in a sentence; `missing` names what nobody declared or stated."""

    row: Row
    state: ClockState
    because: str
    anchor: Anchor | None = None
    waits_for: str = ""
    due: datetime | None = None
    legal_latest: datetime | None = None
    service_level: datetime | None = None
    original_due: datetime | None = None
    tolled_until: datetime | None = None
    flags: tuple[Flag, ...] = ()
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    missed: tuple[datetime, ...] = ()
    filings: tuple[Filing, ...] = ()
    tolls: tuple[Toll, ...] = ()
    choice: Choice | None = None

    @property
    def open(self) -> bool:
        return self.state in OPEN

    @property
    def counting(self) -> bool:
        """Whether there is a due time that still counts."""
        return self.state in (ClockState.running, ClockState.overdue, ClockState.tolled)

    @property
    def target(self) -> datetime | None:
        """What people look at: the service level where the law has no number, else the due time."""
        return self.service_level or self.due

    @property
    def unless(self) -> str:
        """What could still make an overdue clock early (OBL-16)."""
        return ", unless a holiday falls in the window" if NO_CALENDAR in self.notes else ""


def clocks(dataset: Dataset, profile: Profile, book: Book, now: datetime) -> tuple[Clock, ...]:
    """Every row of the dataset, and every row a clock was started with, as it stands at `now`."""
    return _Clocks(dataset, profile, book, now).all()


class _Clocks:
    def __init__(self, dataset: Dataset, profile: Profile, book: Book, now: datetime) -> None:
        self._dataset = dataset
        self._profile = profile
        self._book = book
        self._now = now
        started = {one.row_id: Row.model_validate(one.row) for one in reversed(book.computed)}
        self._rows = {row.id: started.get(row.id, row) for row in dataset.obligations} | started
        self._starting = Starting(
            dataset, book, now, lambda row: profile.reckoning(row.counting), lambda other: self._start(other)
        )

    def all(self) -> tuple[Clock, ...]:
        found = {row_id: self._clock(row) for row_id, row in self._rows.items()}
        for group in self._dataset.groups:
            self._choose([one for one in found.values() if one.row.group == group], found)
        return tuple(found.values())

    def _start(self, row_id: str) -> Start:
        return self._starting.of(self._rows[row_id])

    def _choose(self, members: list[Clock], found: dict[str, Clock]) -> None:
        """One clock of a group runs: the shortest that applies (OBL-13). What was computed before stays in the book."""
        barred = (*OUT_OF_VIEW, ClockState.set_aside, ClockState.scope_not_declared)
        applicable = [one for one in members if one.state not in barred]
        if len(applicable) < 2:
            return
        chosen = min(applicable, key=_length)
        for other in applicable:
            if other is not chosen:
                because = f"“{chosen.row.title}” is the one clock of this group: the shortest that applies"
                found[other.row.id] = Clock(
                    row=other.row, state=ClockState.not_applicable, because=because, flags=self._checks(other.row)
                )

    def _clock(self, row: Row) -> Clock:
        start = self._starting.of(row)
        flags = self._checks(row)
        aside = self._book.set_aside.get(row.id)
        if aside is not None:
            return self._shown(
                row, start, ClockState.set_aside, f"{aside.said.by} decided: {aside.reasoning}", flags, aside
            )
        filings = self._filings(row)
        if self._complete(row, start, filings):
            return self._filed(row, start, filings, flags)
        if (why := self._not_in_force(row, start)) is not None:
            return Clock(row=row, state=ClockState.not_in_force, because=why, flags=flags)
        scope = holds(row.scope, self._profile.answer)
        opened = self._book.opened.get(row.id)
        if opened is not None and scope is not True:
            flags = (*flags, "opened_anyway")
        elif scope is None:
            paths = unknown_paths(row.scope, self._profile.answer)
            because = f"nobody declared {', '.join(paths)}"
            return Clock(row=row, state=ClockState.scope_not_declared, because=because, flags=flags, missing=paths)
        elif scope is False:
            return Clock(row=row, state=ClockState.not_applicable, because=self._declared_no(row), flags=flags)
        trigger = holds(row.trigger, self._book.fact)
        missing: tuple[str, ...] = ()
        if trigger is False and opened is None:
            return Clock(row=row, state=ClockState.not_applicable, because=self._stated_no(row), flags=flags)
        if trigger is None:
            flags, missing = (*flags, "fact_unknown"), unknown_paths(row.trigger, self._book.fact)
        return self._going(row, start, flags, missing, stated=trigger is True and not constant(row.trigger))

    def _going(
        self, row: Row, start: Start, flags: tuple[Flag, ...], missing: tuple[str, ...], *, stated: bool
    ) -> Clock:
        """A row that applies, or may apply."""
        if isinstance(start, Waiting):
            gap = start.why == "vague" or (start.why == "event" and stated and not row.starts_later)
            state = ClockState.anchor_missing if gap else ClockState.not_started
            return Clock(
                row=row,
                state=state,
                because=start.because,
                waits_for=start.event,
                anchor=start.anchor,
                flags=flags,
                missing=missing,
                tolls=self._tolls(row),
            )
        if start.ended:
            state = ClockState.overdue if start.missed else ClockState.not_applicable
            return Clock(row=row, state=state, because=start.ended, flags=flags, missed=start.missed)
        clock = self._shown(row, start, ClockState.running, self._counted(start), flags)
        return self._timed(clock.model_copy(update={"missing": missing}))

    def _timed(self, clock: Clock) -> Clock:
        """Running, tolled or overdue at this instant."""
        due, now = clock.due, self._now
        if due is None:
            return clock
        if clock.tolled_until is not None and now < clock.tolled_until:
            return clock.model_copy(update={"state": ClockState.tolled})
        if isinstance(clock.row.due, Immediately):
            late = clock.service_level is not None and now > clock.service_level
            more = ("no_numeric_limit", "past_service_level") if late else ("no_numeric_limit",)
            return clock.model_copy(update={"flags": (*clock.flags, *more)})
        if now > (clock.legal_latest or due):
            return clock.model_copy(update={"state": ClockState.overdue})
        flags = (*clock.flags, "past_strict") if now > due else clock.flags
        return clock.model_copy(update={"flags": flags})

    def _shown(
        self,
        row: Row,
        start: Start,
        state: ClockState,
        because: str,
        flags: tuple[Flag, ...],
        choice: Choice | None = None,
    ) -> Clock:
        """With everything that was computed, original and tolled time (OBL-21)."""
        clock = Clock(
            row=row,
            state=state,
            because=because,
            flags=flags,
            choice=choice,
            filings=self._filings(row),
            tolls=self._tolls(row),
        )
        if isinstance(start, Waiting):
            return clock.model_copy(update={"waits_for": start.event})
        until = max((toll.until for toll in clock.tolls if toll.moves and toll.until), default=None)
        due, latest = start.reading.due, start.reading.legal_latest
        if start.provisional:
            flags = (*flags, "provisional")
        if any(filing.partial for filing in clock.filings):
            flags = (*flags, "partial")
        return clock.model_copy(
            update={
                "anchor": start.anchor,
                "due": max(due, until) if until else due,
                "legal_latest": max(latest, until) if latest and until else latest,
                "original_due": due if until else None,
                "tolled_until": until,
                "service_level": start.sla,
                "notes": start.reading.notes,
                "missed": start.missed,
                "flags": flags,
            }
        )

    def _filed(self, row: Row, start: Start, filings: tuple[Filing, ...], flags: tuple[Flag, ...]) -> Clock:
        first = next((one for one in filings if not one.partial), filings[-1])
        clock = self._shown(row, start, ClockState.filed, "", flags)
        limit = clock.legal_latest or clock.due
        kept = tuple(flag for flag in clock.flags if flag not in ("partial", "provisional"))
        late = limit is not None and first.at > limit and not isinstance(row.due, Immediately | Repeat)
        by = f"shown by {first.said.by}" if first.said.by.startswith("record ") else f"recorded by {first.said.by}"
        return clock.model_copy(
            update={
                "because": f"reported {first.at:%Y-%m-%d %H:%M} UTC, {by}",
                "flags": (*kept, "late") if late else kept,
            }
        )

    def _complete(self, row: Row, start: Start, filings: tuple[Filing, ...]) -> bool:
        if isinstance(row.due, Repeat):
            return bool(filings) and isinstance(start, Started) and bool(start.ended)
        return any(not one.partial or not row.allows_partial for one in filings)

    def _filings(self, row: Row) -> tuple[Filing, ...]:
        """Reports under the row; one under another row of its group counts for the group."""
        rows = [one.id for one in self._rows.values() if row.group and one.group == row.group] or [row.id]
        return self._book.filed(*rows)

    def _tolls(self, row: Row) -> tuple[Toll, ...]:
        return tuple(toll for toll in self._book.tolls if toll.row_id == row.id)

    def _not_in_force(self, row: Row, start: Start) -> str | None:
        if row.legal_status in NEVER_COMPUTED:
            return f"{row.legal_status}: shown as information, never computed. {row.note}".strip()
        anchor = start.anchor
        zone = self._profile.reckoning(row.counting).tz
        day = anchor.moment.day(zone) if anchor else self._now.astimezone(zone).date()
        if row.effective_from and day < row.effective_from:
            return f"applies to what happens from {row.effective_from:%Y-%m-%d} on"
        if row.effective_until and day > row.effective_until:
            return f"applied to what happened until {row.effective_until:%Y-%m-%d}"
        return None

    def _declared_no(self, row: Row) -> str:
        said = [(leaf.path, self._profile.declared.get(leaf.path)) for leaf in leaves(row.scope)]
        words = [f"{path}: {found.words}" for path, found in said if found is not None]
        return "; ".join(words) or "this row reaches nobody"

    def _stated_no(self, row: Row) -> str:
        asked = [leaf.path for leaf in leaves(row.trigger)]
        said = [one for one in self._book.stated if one[0] in asked]
        words = [f"{path.replace('_', ' ')}: {_plain(value)}, stated by {who.by}" for path, value, who in said]
        return "; ".join(words) or "what it asks for did not happen in this incident"

    @staticmethod
    def _counted(start: Started) -> str:
        certain = " (estimated)" if start.anchor.certainty == "estimated" else ""
        event = start.anchor.event.replace(".", ": ").replace("_", " ")
        return f"counted from {event}, {start.anchor.moment.words}{certain}, recorded by {start.anchor.by}"

    def _checks(self, row: Row) -> tuple[Flag, ...]:
        """What people have to know about the row itself (OBL-1, OBL-7)."""
        flags = list[Flag]()
        if self._now.date() > row.recheck_by:
            flags.append("unchecked")
        if row.confidence == "unverified":
            flags.append("unverified")
        current = self._dataset.by_id.get(row.id)
        if current is None or current.sha256 != row.sha256:
            flags.append("row_changed")
        return tuple(flags)


def _length(clock: Clock) -> tuple[float, int]:
    due = clock.row.due
    length = due.length.total_seconds() if isinstance(due, Span) and due.kind != "months" else float("inf")
    return length, clock.row.precedence or 0


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) or "none" if isinstance(value, tuple) else str(value)
