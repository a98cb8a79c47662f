"""Bodies of records about lessons: written, seen where they matter, and what became of them (LRN-15…17)."""

from __future__ import annotations

from typing import ClassVar, Literal

from countermand.learning.lesson_tags import Tag
from countermand.ledger.body import Body
from countermand.ledger.record import Kind

#: Where a lesson was learned.
Source = Literal["incident", "near_miss", "rehearsal", "sandbox"]
#: Whether a lesson may leave the organisation.
Share = Literal["internal", "public"]
#: Where a lesson was shown.
Place = Literal["playbook", "release", "rehearsal"]
#: What became of a lesson.
Use = Literal["scenario", "criterion", "accepted_risk"]


class LessonWritten(Body):
    """What somebody learned. about: the incident, rehearsal or sandbox it comes from; review_id: empty without one."""

    KIND: ClassVar[Kind] = Kind.lesson_written
    PRIVATE: ClassVar[tuple[str, ...]] = ("/title", "/text")
    AUTHOR: ClassVar[str] = "by"
    lesson_id: str
    title: str
    text: str
    tags: tuple[Tag, ...]
    source: Source
    about: str
    review_id: str
    share: Share
    by: str
    name: str


class LessonSeen(Body):
    """Somebody to whom a lesson was shown said whether it applies. about: digest of a playbook, id of a release or
    a rehearsal."""

    KIND: ClassVar[Kind] = Kind.lesson_seen
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason",)
    AUTHOR: ClassVar[str] = "by"
    lesson_id: str
    place: Place
    about: str
    applies: bool
    reason: str
    by: str
    name: str


class LessonUsed(Body):
    """A lesson has a consequence. link: where it is; stub_sha256: the text that was made from the lesson, if any."""

    KIND: ClassVar[Kind] = Kind.lesson_used
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason",)
    AUTHOR: ClassVar[str] = "by"
    lesson_id: str
    use: Use
    link: str
    stub_sha256: str | None
    reason: str
    by: str
    name: str
