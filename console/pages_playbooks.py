"""The pages of playbooks: which version is in force and who adopted it, and one version with text and history."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.responses import Response

from console import lessons
from console.adoptions import stored
from console.auth import Session, browser
from console.deps import Console, console
from console.live import EVERYTHING
from console.playbooks import adoptions_of, asked_for, numbers, rows, signatures
from console.problems import Problem
from console.render import Page, message
from console.submit import directory
from countermand.governance.past import rehearsed_at
from countermand.ledger.record import Kind
from countermand.messages.fencing import fenced
from countermand.playbook.explain import explain

router = APIRouter()

Deps = Annotated[Console, Depends(console)]


@router.get("/playbooks")
async def playbooks(deps: Deps, session: Annotated[Session, Depends(browser)]) -> Response:
    """Every playbook and what is in force."""
    page = await Page.begin(deps, session)
    people = await directory(deps)
    return page.html(
        "playbooks.html",
        path="/playbooks",
        topic=EVERYTHING,
        regions=("rows",),
        rows=await rows(deps),
        fenced=fenced,
        people=people,
        required=people is None or people.governance.playbooks.adoption == "required",
    )


@router.get("/playbooks/{digest}")
async def playbook(
    digest: Annotated[str, Path(max_length=100)], deps: Deps, session: Annotated[Session, Depends(browser)]
) -> Response:
    """One version: in words, what it changed, who signed, and the text."""
    page = await Page.begin(deps, session)
    try:
        found, raw = await stored(deps, digest)
    except Problem as problem:
        return message(problem.status, "This playbook is not shown", problem.detail, problem.next)
    known = await adoptions_of(deps, found.name)
    this = next((one for one in known if one.body.digest == digest), None)
    refused, _, comparison = await deps.adoptions.next(found)
    return page.html(
        "playbook.html",
        digest=digest,
        playbook=found,
        text=raw.decode(),
        explained=explain(found),
        this=this,
        newest=known[-1] if known else None,
        known=list(reversed(known)),
        refused="" if this else refused,
        changes=this.body.changes if this else comparison.changes,
        change=this.body.change if this else comparison.change,
        signed=await signatures(deps, this.body.consent_id) if this else [],
        asked=await asked_for(deps, digest),
        rehearsed=rehearsed_at(await deps.ledger.records(kinds=[Kind.rehearsal_passed]), digest),
        numbers=await numbers(deps, known),
        lessons_here=await lessons.for_playbook(deps, found),
        lessons_warning=await lessons.ignored_by(deps, found, digest),
        people=await directory(deps),
    )
