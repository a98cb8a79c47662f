"""The pages of lessons: what was learned, found by words and tags, and what became of it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from console import lessons
from console.api_lessons import NewLesson
from console.auth import Session, browser, own_form
from console.deps import Console, console
from console.problems import Problem
from console.render import Page, message
from console.submit import MAX_REASON
from countermand.learning import lessons as register
from countermand.learning.lesson_tags import TAGS
from countermand.ledger.lesson_bodies import Place, Share, Source, Use

router = APIRouter()

Deps = Annotated[Console, Depends(console)]
SignedIn = Annotated[Session, Depends(browser)]
OwnForm = Annotated[Session, Depends(own_form)]
Text = Annotated[str, Form(max_length=MAX_REASON)]
#: Pages that an answer leads back to.
_BACK = {"playbook": "/playbooks", "release": "/releases", "rehearsal": "/rehearsals"}


@router.get("/lessons")
async def overview(
    deps: Deps,
    session: SignedIn,
    q: Annotated[str, Query(max_length=200)] = "",
    tag: Annotated[list[str] | None, Query()] = None,
) -> Response:
    return await _page(deps, session, words=q, tags=[one for one in tag or () if one])


@router.post("/lessons")
async def write(
    deps: Deps,
    session: OwnForm,
    title: Text = "",
    text: Text = "",
    tag: Annotated[list[str] | None, Form()] = None,
    source: Annotated[Source, Form()] = "incident",
    about: Text = "",
    share: Annotated[Share, Form()] = "internal",
) -> Response:
    """Write a lesson; a refused form comes back with what was typed."""
    try:
        said = NewLesson(
            title=title.strip(),
            text=text.strip(),
            tags=tuple(one for one in tag or () if one),
            source=source,
            about=about.strip(),
            share=share,
        )
        lesson_id = await lessons.write(deps, session.person, **said.model_dump())
    except ValidationError as error:
        first = error.errors()[0]
        detail = f"{' '.join(map(str, first['loc']))}: {first['msg']}."
        refused = Problem(422, "incomplete", detail, "Correct it and send it again.")
    except Problem as problem:
        refused = problem
    else:
        return RedirectResponse(f"/lessons#{lesson_id}", status_code=303)
    return await _page(deps, session, problem=refused, typed={"title": title, "text": text, "about": about})


@router.post("/lessons/{lesson_id}/answers")
async def answer(
    lesson_id: str,
    deps: Deps,
    session: OwnForm,
    place: Annotated[Place, Form()],
    about: Annotated[str, Form(min_length=1, max_length=100)],
    applies: Annotated[Literal["yes", "no"], Form()],
    reason: Text = "",
) -> Response:
    """Say whether it applies to the playbook or release on whose page it was shown."""
    try:
        await lessons.seen(
            deps, session.person, lesson_id, place=place, about=about, applies=applies == "yes", reason=reason
        )
    except Problem as problem:
        return message(problem.status, "This was not recorded", problem.detail, problem.next)
    return RedirectResponse(f"{_BACK[place]}/{about}#lessons", status_code=303)


@router.post("/lessons/{lesson_id}/uses")
async def use(
    lesson_id: str, deps: Deps, session: OwnForm, use: Annotated[Use, Form()], reason: Text = "", link: Text = ""
) -> Response:
    """Make something of it, or accept the risk."""
    try:
        await lessons.use(deps, session.person, lesson_id, as_=use, link=link, reason=reason)
    except Problem as problem:
        return message(problem.status, "This was not recorded", problem.detail, problem.next)
    return RedirectResponse(f"/lessons#{lesson_id}", status_code=303)


async def _page(
    deps: Console,
    session: Session,
    *,
    words: str = "",
    tags: list[str] | None = None,
    problem: Problem | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    page = await Page.begin(deps, session)
    every = await lessons.every(deps)
    stubs = {}
    for lesson in every:
        for used in lesson.used:
            blob = await deps.ledger.get_blob(used.body.stub_sha256) if used.body.stub_sha256 else None
            stubs[used.seq] = blob[0].decode() if blob else ""
    return page.html(
        "lessons.html",
        path="/lessons",
        code=problem.status if problem else 200,
        problem=problem,
        typed=typed or {},
        words=words,
        chosen=tags or [],
        groups=TAGS,
        found=register.search(every, words, tags or ()),
        with_consequence=register.with_consequence(every),
        stubs=stubs,
    )
