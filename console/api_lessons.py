"""Lessons over the JSON API: write, find, answer, use, export."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from console import lessons
from console.adoptions import stored
from console.api import Deps, ReasonText, SignedIn
from countermand.learning import lessons as register
from countermand.learning.lesson_export import export
from countermand.learning.lesson_tags import TAGS, Tag
from countermand.ledger.lesson_bodies import Place, Share, Source, Use

router = APIRouter()

LessonId = Annotated[str, Path(pattern=r"^lesson-[0-9a-f]{8}$")]
Words = Annotated[str, Field(max_length=2_000)]
#: How the exported pages are called.
TITLE = "Lessons from rolling back"


class NewLesson(BaseModel):
    """What somebody learned."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Annotated[str, Field(min_length=5, max_length=200)]
    text: Annotated[str, Field(min_length=10, max_length=2_000)]
    tags: Annotated[tuple[Tag, ...], Field(min_length=1, max_length=12)]
    source: Source
    about: Annotated[str, Field(min_length=1, max_length=100)]
    share: Share = "internal"


class Answered(BaseModel):
    """Whether a lesson applies to a playbook (its digest), a release or a rehearsal (its id)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    place: Place
    about: Annotated[str, Field(min_length=1, max_length=100)]
    applies: bool
    reason: ReasonText = ""


class Made(BaseModel):
    """What is made of it. link: where it is kept, once it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    use: Use
    link: Words = ""
    reason: ReasonText = ""


@router.get("/api/v1/lessons")
async def listed(
    deps: Deps,
    _: SignedIn,
    q: Annotated[str, Query(max_length=200)] = "",
    tag: Annotated[list[str] | None, Query(max_length=12)] = None,
    playbook_digest: Annotated[str, Query(pattern=r"^(sha256:[0-9a-f]{64})?$")] = "",
) -> dict[str, Any]:
    """`countermand.lessons/v1`: those with these words and tags; with a playbook only those about it, and a warning
    about the ones that nobody answered."""
    found = await lessons.every(deps)
    warning = ""
    if playbook_digest:
        playbook, _raw = await stored(deps, playbook_digest)
        found = await lessons.for_playbook(deps, playbook)
        warning = await lessons.ignored_by(deps, playbook, playbook_digest)
    shown = register.search(found, q, tag or ())
    used, count = register.with_consequence(await lessons.every(deps))
    return {
        "schema": "countermand.lessons/v1",
        "items": [lessons.lesson_json(one) for one in shown],
        "warning": warning,
        "with_consequence": used,
        "count": count,
        "tags": {group: list(words) for group, words in TAGS.items()},
    }


@router.get("/api/v1/lessons/export")
async def exported(deps: Deps, _: SignedIn) -> dict[str, Any]:
    """`countermand.lesson_files/v1`: static pages and feeds of the lessons that may leave the organisation."""
    return {"schema": "countermand.lesson_files/v1", "files": export(await lessons.every(deps), TITLE)}


@router.get("/api/v1/lessons/matching")
async def matching(deps: Deps, _: SignedIn, tag: Annotated[list[str], Query(max_length=50)]) -> dict[str, Any]:
    """`countermand.lessons/v1`: the lessons about a playbook with these tags, before it is sent."""
    found = register.matching(await lessons.every(deps), tag)
    return {
        "schema": "countermand.lessons/v1",
        "items": [lessons.lesson_json(one) for one in found],
        "warning": register.warning(found),
    }


@router.post("/api/v1/lessons")
async def write(body: NewLesson, person: SignedIn, deps: Deps) -> dict[str, str]:
    """Write a lesson of an incident, a near miss, a rehearsal or a sandbox: three at most."""
    lesson_id = await lessons.write(deps, person, **body.model_dump())
    return {"lesson_id": lesson_id, "status": "written", "sentence": f"{lesson_id} is written."}


@router.post("/api/v1/lessons/{lesson_id}/answers")
async def answer(lesson_id: LessonId, body: Answered, person: SignedIn, deps: Deps) -> dict[str, str]:
    """Say whether it applies here."""
    await lessons.seen(deps, person, lesson_id, **body.model_dump())
    return {"status": "recorded", "sentence": "recorded."}


@router.post("/api/v1/lessons/{lesson_id}/uses")
async def use(lesson_id: LessonId, body: Made, person: SignedIn, deps: Deps) -> dict[str, str]:
    """Turn it into the beginning of a rehearsal scenario or of a criterion that is only watched, or accept the risk."""
    text = await lessons.use(deps, person, lesson_id, as_=body.use, link=body.link, reason=body.reason)
    return {"status": "recorded", "text": text, "sentence": f"{lesson_id} has a consequence now."}
