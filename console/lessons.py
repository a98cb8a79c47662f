"""The lessons register as people use it: write, find, say whether one applies, make something of one (LRN-15…17)."""

from __future__ import annotations

import uuid
from typing import Any

from console.decide import Person
from console.deps import Console
from console.problems import Problem
from countermand import ids
from countermand.canonical import instant
from countermand.learning import lessons as register
from countermand.learning.lesson_stub import stub
from countermand.learning.lesson_tags import tags_of
from countermand.learning.lessons import KINDS, MOST, Lesson
from countermand.ledger.bodies import LessonSeen, LessonUsed, LessonWritten
from countermand.ledger.lesson_bodies import Place, Share, Source, Use
from countermand.playbook.model import Playbook

#: Who accepts that nothing follows from a lesson.
ACCEPTS_RISK = ("safety_lead", "executive")


async def every(deps: Console) -> tuple[Lesson, ...]:
    """All lessons, newest first."""
    return register.lessons(await deps.ledger.records(kinds=KINDS))


async def one(deps: Console, lesson_id: str) -> Lesson:
    """Raises Problem."""
    found = next((lesson for lesson in await every(deps) if lesson.lesson_id == lesson_id), None)
    if found is None:
        raise Problem(404, "unknown_lesson", f"no lesson {lesson_id!r} is written.", "`countermand lessons list`")
    return found


async def for_playbook(deps: Console, playbook: Playbook) -> tuple[Lesson, ...]:
    """The lessons that are about such a playbook, newest first."""
    return register.matching(await every(deps), tags_of(playbook))


async def ignored_by(deps: Console, playbook: Playbook, digest: str) -> str:
    """The warning about lessons that fit this playbook and that nobody answered; empty when there is none."""
    return register.warning(register.ignored(await every(deps), tags_of(playbook), digest))


async def write(
    deps: Console,
    person: Person,
    *,
    title: str,
    text: str,
    tags: tuple[str, ...],
    source: Source,
    about: str,
    share: Share,
) -> str:
    """Write a lesson; its id. about: the incident, rehearsal or sandbox it comes from. Raises Problem."""
    await _holds_a_role(deps, person)
    if not title.strip() or not text.strip() or not tags:
        raise Problem(422, "incomplete", "a lesson needs a title, a text and a tag.", "Write what is missing.")
    if source in ("incident", "near_miss") and not await deps.ledger.records(incident_id=about, limit=1):
        raise Problem(422, "unknown_incident", f"no record is about an incident {about!r}.", "Name one of /ledger.")
    before = [lesson for lesson in await every(deps) if lesson.body.about == about]
    if len(before) >= MOST:
        raise Problem(
            409,
            "enough",
            f"{about!r} has {MOST} lessons already.",
            "Make one of them clearer next time.",
        )
    lesson_id = f"lesson-{uuid.uuid4().hex[:8]}"
    body = LessonWritten(
        lesson_id=lesson_id,
        title=title.strip(),
        text=text.strip(),
        tags=tuple(dict.fromkeys(tags)),
        source=source,
        about=about,
        review_id=f"{about}-review" if source in ("incident", "near_miss") else "",
        share=share,
        by=person.subject,
        name=person.name,
    )
    incident_id = about if source in ("incident", "near_miss") else None
    await deps.ledger.append(body.entry(ids.lesson(lesson_id, "written"), person.subject, incident_id=incident_id))
    return lesson_id


async def seen(
    deps: Console, person: Person, lesson_id: str, *, place: Place, about: str, applies: bool, reason: str
) -> None:
    """Record whether a lesson applies where it was shown. Raises Problem."""
    await _holds_a_role(deps, person)
    await one(deps, lesson_id)
    if not applies and not reason.strip():
        raise Problem(422, "reason_missing", "why it does not apply is missing.", "Say it in one sentence.")
    body = LessonSeen(
        lesson_id=lesson_id,
        place=place,
        about=about,
        applies=applies,
        reason=reason.strip(),
        by=person.subject,
        name=person.name,
    )
    key = ids.lesson(lesson_id, f"seen/{uuid.uuid4()}")
    await deps.ledger.append(body.entry(key, person.subject))


async def use(deps: Console, person: Person, lesson_id: str, *, as_: Use, link: str, reason: str) -> str:
    """Make a scenario stub or a proposal of a shadow criterion of a lesson, or accept the risk; the text that was made,
    empty for a risk. Raises Problem."""
    found = await one(deps, lesson_id)
    roles = await _holds_a_role(deps, person)
    if found.erased:
        raise Problem(409, "erased", "the words of this lesson were erased.", "Write a new one.")
    if as_ == "accepted_risk" and not set(roles) & set(ACCEPTS_RISK):
        needed = " or ".join(ACCEPTS_RISK)
        raise Problem(403, "not_your_role", f"accepting a risk needs the role {needed}.", "Ask somebody with it.")
    if as_ == "accepted_risk" and not reason.strip():
        raise Problem(422, "reason_missing", "why the risk is accepted is missing.", "Say it in one sentence.")
    text = "" if as_ == "accepted_risk" else stub(found, as_)
    sha256 = await deps.ledger.put_blob(text.encode(), "text/yaml", lesson_id) if text else None
    body = LessonUsed(
        lesson_id=lesson_id,
        use=as_,
        link=link.strip(),
        stub_sha256=sha256,
        reason=reason.strip(),
        by=person.subject,
        name=person.name,
    )
    await deps.ledger.append(body.entry(ids.lesson(lesson_id, f"used/{len(found.used) + 1}"), person.subject))
    return text


def lesson_json(lesson: Lesson) -> dict[str, Any]:
    """One item of `countermand.lessons/v1`."""
    return {
        "lesson_id": lesson.lesson_id,
        "title": lesson.body.title,
        "text": lesson.body.text,
        "tags": list(lesson.body.tags),
        "source": lesson.body.source,
        "about": lesson.body.about,
        "share": lesson.body.share,
        "written_by": lesson.body.name,
        "at": instant(lesson.at),
        "seen": [
            {"place": seen.body.place, "about": seen.body.about, "applies": seen.body.applies, "by": seen.body.name}
            for seen in lesson.seen
        ],
        "used": [{"as": used.body.use, "link": used.body.link, "at": instant(used.at)} for used in lesson.used],
    }


async def _holds_a_role(deps: Console, person: Person) -> tuple[str, ...]:
    directory = await deps.people.snapshot()
    roles = () if directory.is_excluded(person.subject) else directory.roles_of(person.subject)
    if not roles:
        raise Problem(403, "not_your_role", f"{person.subject!r} holds no role here.", "Ask somebody who holds one.")
    return roles
