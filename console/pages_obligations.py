"""Reporting clocks as pages: what runs now over all incidents, and one incident by regime with its forms."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from console import duties, views
from console.api_obligations import draft_of
from console.auth import Session, browser, own_form
from console.deps import Console, console
from console.duties import MAX_BYTES, data_in_use, hidden, said
from console.problems import Problem
from console.render import Page, segment
from console.submit import MAX_REASON, directory, form_id, known_id, problem_of
from countermand.governance.directory import Directory
from countermand.messages.incident import IncidentView
from countermand.messages.obligation import NOT_ADVICE
from countermand.obligations.acts import events
from countermand.obligations.clocks import Clock
from countermand.obligations.dataset import RECHECK_BEFORE, shipped
from countermand.obligations.questions import questions
from countermand.obligations.starting import spoken_event

router = APIRouter()

Deps = Annotated[Console, Depends(console)]

REGIONS = ("now", "clocks")
#: What forms may send beside the reason.
_TERMS = (
    *("act", "row", "event", "at", "zone", "certainty", "evidence", "path", "value", "channel", "reference"),
    *("filed_at", "partial", "rule", "authority", "until", "regime", "reportable", "facts", "counsel_ref", "review_at"),
)

#: Where the file of an act belongs.
_CONTENT = {"toll": "document_sha256"}


@router.get("/obligations")
async def overview(deps: Deps, session: Annotated[Session, Depends(browser)]) -> Response:
    """All open clocks, the soonest first."""
    page = await Page.begin(deps, session)
    people = await directory(deps)
    found = await duties.every(deps)
    running = sorted(
        ((one.view, said(clock, page.now, _holders(people, clock))) for one in found for clock in one.soonest),
        key=lambda pair: pair[1].clock.target.timestamp() if pair[1].clock.target else 0.0,
    )
    known = await data_in_use(deps)
    today = page.now.date()
    return page.html(
        "obligations.html",
        path="/obligations",
        not_advice=NOT_ADVICE,
        running=running,
        others=[one for one in found if not one.soonest],
        broken=next((one.broken for one in found if one.broken), ""),
        declared=any(one.declared for one in found) or not found,
        unchecked=known.unchecked(today) if known else (),
        recheck=known.unchecked(today + RECHECK_BEFORE) if known else (),
        dataset=known,
        changed=known.rows_changed(shipped()) if known else (),
        profile=deps.settings.profile,
    )


@router.get("/obligations/{incident_id}")
async def clocks(incident_id: str, deps: Deps, session: Annotated[Session, Depends(browser)]) -> Response:
    return await _page(deps, session, incident_id)


@router.get("/obligations/{incident_id}/draft/{row}")
async def draft(incident_id: str, row: str, deps: Deps, session: Annotated[Session, Depends(browser)]) -> Response:
    """A draft of one report, to copy and complete."""
    page = await Page.begin(deps, session)
    view = await _view(deps, incident_id)
    try:
        made = await draft_of(deps, view, row)
    except Problem as problem:
        return await _page(deps, session, incident_id, problem=problem)
    return page.html("obligation_draft.html", view=view, row=row, not_advice=NOT_ADVICE, draft=made)


@router.get("/obligations/{incident_id}/decision")
async def back_to_clocks(incident_id: str) -> Response:
    """Where signing in again leads after a form was sent with an ended session."""
    return RedirectResponse(f"/obligations/{segment(incident_id)}", status_code=303)


@router.post("/obligations/{incident_id}/decision")
async def act(
    incident_id: str, request: Request, deps: Deps, session: Annotated[Session, Depends(own_form)]
) -> Response:
    """Sign one act. Accepted: back to the page; refused: why, and what was typed."""
    await _view(deps, incident_id)
    form = await request.form()
    typed = {name: str(form[name]).strip() for name in (*_TERMS, "reason", "decision_id") if name in form}
    if any(len(value) > MAX_REASON for value in typed.values()):
        raise HTTPException(400, "A field is longer than a form here sends.")
    terms = {name: value for name, value in typed.items() if name in _TERMS and value}
    for name in ("content", "receipt"):
        given = form.get(name)
        raw = await given.read(MAX_BYTES + 1) if isinstance(given, UploadFile) else b""
        if len(raw) > MAX_BYTES:
            raise HTTPException(413, f"{name} is larger than {MAX_BYTES:,} bytes; keep it elsewhere.")
        if raw:
            key = "receipt_sha256" if name == "receipt" else _CONTENT.get(terms.get("act", ""), "sha256")
            try:
                terms[key] = await duties.keep_file(deps, session.person, raw)
            except Problem as refused:
                return await _page(deps, session, incident_id, problem=refused, typed=typed)
    work = duties.act(
        deps,
        session.person,
        "web",
        incident_id,
        reason=typed.get("reason", ""),
        terms=terms,
        decision_id=known_id(typed.get("decision_id", "")),
    )
    problem = await problem_of(work)
    if problem is None:
        return RedirectResponse(f"/obligations/{segment(incident_id)}", status_code=303)
    return await _page(deps, session, incident_id, problem=problem, typed=typed)


async def _view(deps: Console, incident_id: str) -> IncidentView:
    view = await views.one_incident(deps, incident_id)
    if view is None:
        raise HTTPException(404)
    return view


def _holders(people: Directory | None, clock: Clock) -> tuple[str, ...]:
    return tuple(person.name for person in people.holders(clock.row.owner_role)) if people else ()


async def _page(
    deps: Console,
    session: Session,
    incident_id: str,
    *,
    problem: Problem | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    page = await Page.begin(deps, session)
    view = await _view(deps, incident_id)
    people = await directory(deps)
    found = await duties.of_incident(deps, view)
    dataset = found.found.dataset if found.found else None
    seen = {one.row.id for regime in (*found.in_view, *found.undeclared) for one in regime.clocks if not hidden(one)}
    asked = questions(dataset).values() if dataset else ()
    wanted = {one.waits_for or one.row.anchor for regime in found.in_view for one in regime.clocks if not hidden(one)}
    return page.html(
        "obligations_incident.html",
        path=f"/obligations/{segment(incident_id)}",
        topic=incident_id,
        regions=REGIONS,
        code=problem.status if problem else 200,
        view=view,
        duties=found,
        said=lambda clock: said(clock, page.now, _holders(people, clock)),
        hidden=hidden,
        spoken_event=spoken_event,
        questions=[one for one in asked if set(one.rows) & seen],
        events=[one for one in events(dataset) if one in wanted] if dataset else [],
        all_events=events(dataset) if dataset else (),
        not_advice=NOT_ADVICE,
        problem=problem,
        typed={name: "" for name in _TERMS} | (typed or {}),
        decision_id=form_id((typed or {}).get("decision_id", ""), problem),
    )
