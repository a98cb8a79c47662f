"""What starts a clock: its anchor, the report that has to come before, or nothing yet (OBL-2, OBL-3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from countermand.obligations import counting
from countermand.obligations.anchor import Anchor, Moment
from countermand.obligations.book import Book, Filing
from countermand.obligations.counting import Reading, Reckoning
from countermand.obligations.dataset import Dataset, Row
from countermand.obligations.due import (
    AfterYearEnd,
    BusinessDays,
    Immediately,
    MinOf,
    Relative,
    Repeat,
    Span,
    Term,
)


@dataclass(frozen=True)
class Started:
    """A clock with a due time. `missed`: due times of a repeated report that passed without one."""

    anchor: Anchor
    reading: Reading
    provisional: bool = False
    sla: datetime | None = None
    missed: tuple[datetime, ...] = ()
    ended: str = ""


@dataclass(frozen=True)
class Waiting:
    """Nothing to count from. `event`: what would start it.

    why: the report before it is missing, the event is not recorded, only its day is, or its time is over.
    """

    event: str
    because: str
    why: Literal["chain", "event", "vague", "over"] = "event"
    anchor: Anchor | None = None


Start = Started | Waiting


@dataclass(frozen=True)
class Starting:
    """Finds what starts a row. `other` gives the start of another row."""

    dataset: Dataset
    book: Book
    now: datetime
    reckon: Callable[[Row], Reckoning]
    other: Callable[[str], Start] = field(repr=False)

    def of(self, row: Row) -> Start:
        """What the row counts from, and to when."""
        if row.chained_on and not self._before(row.chained_on):
            return Waiting(row.anchor, f"starts when {self._named(row.chained_on)} is recorded as reported", "chain")
        if isinstance(row.due, MinOf):
            return self._min_of(row, row.due)
        anchor = self._anchor(row)
        if anchor is None:
            return Waiting(row.anchor, f"starts when it is recorded: {spoken_event(row.anchor)}")
        if anchor.moment.at is None and row.needs_hours:
            because = f"{spoken_event(row.anchor)}: only the day {anchor.moment.words} is recorded, and hours count"
            return Waiting(row.anchor, because, "vague", anchor)
        return self._counted(row, anchor)

    def _counted(self, row: Row, anchor: Anchor) -> Start:
        where, at = self.reckon(row), anchor.moment
        match row.due:
            case Span():
                return Started(anchor, counting.span(row.due, row.counting, at, where))
            case BusinessDays():
                return Started(anchor, counting.business_days(row.due, at, where))
            case AfterYearEnd():
                return Started(anchor, counting.after_year_end(row.due, at, where))
            case Immediately():
                sla = at.earliest + timedelta(hours=row.due.internal_sla_hours)
                return Started(anchor, Reading(due=at.earliest), sla=sla)
            case Repeat():
                return self._repeat(row, row.due, anchor)
            case Relative():
                start = self.other(row.due.obligation)
                if isinstance(start, Waiting):
                    return start
                return Started(anchor, start.reading, provisional=start.provisional)
            case _:
                raise TypeError(f"{row.due!r} has no counting rule")

    def _anchor(self, row: Row) -> Anchor | None:
        if not row.anchor.startswith("filed."):
            return self.book.anchor(row.anchor)
        before = self._before(row.chained_on) if row.chained_on else ()
        if not before:
            return None
        filing = before[-1] if row.anchor.endswith("_latest") else before[0]
        return Anchor(event=row.anchor, moment=Moment(at=filing.at), by=filing.said.by, seq=filing.said.seq)

    def _before(self, name: str) -> tuple[Filing, ...]:
        """Reports under the row, or under any row of the group, that this one follows."""
        group = name.removeprefix("group:")
        rows = [row.id for row in self.dataset.obligations if row.group == group] if group != name else [name]
        return self.book.filed(*rows)

    def _named(self, name: str) -> str:
        row = self.dataset.by_id.get(name)
        return f"“{row.title}”" if row else "the report before it"

    def _repeat(self, row: Row, every: Repeat, anchor: Anchor) -> Start:
        """The next report: one comes after the one before it was sent or missed."""
        first, length = anchor.moment.earliest, every.every.length
        until = self.book.anchor(every.until)
        end = until.moment.earliest if until else None
        sent = [filing.at for filing in self.book.filed(row.id)]
        due, missed = first + length, list[datetime]()
        while sent or due < self.now:
            if end is not None and end <= due:
                break
            if sent and sent[0] <= due:
                sent.pop(0)
            elif due < self.now:
                missed.append(due)
            else:
                break
            due += length
        ended = f"ended with {spoken_event(every.until)}" if end is not None and end <= due else ""
        return Started(anchor, Reading(due=due), missed=tuple(missed), ended=ended)

    def _min_of(self, row: Row, due: MinOf) -> Start:
        where = self.reckon(row)
        open_, waiting, over = list[tuple[Reading, Anchor]](), list[Term](), list[Term]()
        for term in due.terms:
            anchor = self.book.anchor(term.anchor)
            if anchor is None or anchor.moment.at is None:
                waiting.append(term)
            elif self._lapsed(term):
                over.append(term)
            else:
                open_.append((self._strict(term, anchor.moment.at), anchor))
        if open_:
            reading, anchor = min(open_, key=lambda one: one[0].due)
            relieved = counting.relieved(reading.due, where) if row.counting == "dora_art5" else reading
            return Started(anchor, relieved, provisional=bool(waiting))
        if over and waiting:
            because = (
                f"the time from {spoken_event(over[0].anchor)} is over; "
                f"only {spoken_event(waiting[0].anchor)} starts the clock now"
            )
            return Waiting(waiting[0].anchor, because, "over")
        first = waiting[-1].anchor if waiting else row.anchor
        vague = any((found := self.book.anchor(term.anchor)) and found.moment.at is None for term in waiting)
        events = " or ".join(spoken_event(term.anchor) for term in waiting)
        return Waiting(
            first, f"starts when it is recorded with its time of day: {events}", "vague" if vague else "event"
        )

    @staticmethod
    def _strict(term: Term, at: datetime) -> Reading:
        return Reading(due=at + timedelta(hours=term.n))

    def _lapsed(self, term: Term) -> bool:
        """Whether the term is gone: the other event came too late for it, or can only come too late now."""
        rule = term.lapses_when
        since = self.book.anchor(rule.more_than_hours_after) if rule else None
        if rule is None or since is None:
            return False
        limit = since.moment.earliest + timedelta(hours=rule.n)
        event = self.book.anchor(rule.event)
        return event.moment.earliest > limit if event else self.now >= limit


def spoken_event(event: str) -> str:
    """An event for people: `aware.personal_data_breach` is “aware: personal data breach”."""
    verb, _, what = event.partition(".")
    return f"{verb}: {what}".replace("_", " ") if what else verb
