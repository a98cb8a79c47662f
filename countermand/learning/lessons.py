"""The lessons register: a fold over the records (LRN-15…17)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from countermand.learning.lesson_tags import matches
from countermand.ledger.bodies import LessonSeen, LessonUsed, LessonWritten, parse_body
from countermand.ledger.private import ERASED
from countermand.ledger.record import Kind, Record
from countermand.plan.target import Value

#: The kinds of record that `lessons` reads.
KINDS = (Kind.lesson_written, Kind.lesson_seen, Kind.lesson_used)
#: Most lessons from one review, incident or rehearsal.
MOST = 3


class Seen(Value):
    """What somebody said when they were shown the lesson."""

    body: LessonSeen
    at: datetime
    seq: int


class Used(Value):
    """What became of the lesson."""

    body: LessonUsed
    at: datetime
    seq: int


class Lesson(Value):
    """One lesson. seen: the newest answer for each place."""

    body: LessonWritten
    at: datetime
    seq: int
    seen: tuple[Seen, ...] = ()
    used: tuple[Used, ...] = ()

    @property
    def lesson_id(self) -> str:
        return self.body.lesson_id

    @property
    def erased(self) -> bool:
        """Whether its words are gone."""
        return ERASED in (self.body.title, self.body.text)

    def answered(self, about: str) -> Seen | None:
        """The newest answer about one playbook, release or rehearsal."""
        return next((one for one in self.seen if one.body.about == about), None)


def lessons(records: Iterable[Record]) -> tuple[Lesson, ...]:
    """All lessons, newest first. records: of `KINDS`, in order."""
    found: dict[str, Lesson] = {}
    for record in records:
        match parse_body(record):
            case LessonWritten() as body:
                found[body.lesson_id] = Lesson(body=body, at=record.at, seq=record.seq)
            case LessonSeen() as body if body.lesson_id in found:
                before = found[body.lesson_id]
                kept = [one for one in before.seen if one.body.about != body.about]
                seen = (Seen(body=body, at=record.at, seq=record.seq), *kept)
                found[body.lesson_id] = before.model_copy(update={"seen": seen})
            case LessonUsed() as body if body.lesson_id in found:
                before = found[body.lesson_id]
                used = (*before.used, Used(body=body, at=record.at, seq=record.seq))
                found[body.lesson_id] = before.model_copy(update={"used": used})
    return tuple(reversed(found.values()))


def search(found: Iterable[Lesson], words: str = "", tags: Collection[str] = ()) -> tuple[Lesson, ...]:
    """Those with every word somewhere in their text and every tag."""
    wanted = words.casefold().split()
    return tuple(
        one
        for one in found
        if set(tags) <= set(one.body.tags)
        and all(word in f"{one.body.title} {one.body.text} {' '.join(one.body.tags)}".casefold() for word in wanted)
    )


def matching(found: Iterable[Lesson], playbook_tags: Collection[str]) -> tuple[Lesson, ...]:
    """The lessons that are about a playbook with these tags (LRN-16)."""
    return tuple(one for one in found if matches(one.body.tags, playbook_tags))


def ignored(found: Iterable[Lesson], playbook_tags: Collection[str], about: str) -> tuple[Lesson, ...]:
    """Matching lessons about which nobody said whether they apply here. about: the playbook's digest."""
    return tuple(one for one in matching(found, playbook_tags) if one.answered(about) is None)


def warning(missed: Sequence[Lesson]) -> str:
    """The warning that lists them; empty when nothing is ignored."""
    if not missed:
        return ""
    listed = "; ".join(f"{one.lesson_id} ({one.body.title})" for one in missed)
    word = "lesson fits" if len(missed) == 1 else "lessons fit"
    return f"{len(missed)} {word} this playbook and nobody said whether it applies: {listed}."


def with_consequence(found: Sequence[Lesson]) -> tuple[int, int]:
    """(how many lessons have a scenario, a criterion or an accepted risk, how many there are)."""
    return sum(bool(one.used) for one in found), len(found)
