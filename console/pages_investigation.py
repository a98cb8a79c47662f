"""The page of an investigation: who is served how, the form, and the finding."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from console import investigations, views
from console.auth import Session, browser, own_form
from console.commands import needs_key
from console.decide import Act
from console.deps import Console, console
from console.problems import Problem
from console.render import Page, segment
from console.signing import keys_of
from console.submit import directory, form_id, known_id, submit
from countermand.governance.decision import DecisionKind
from countermand.governance.investigation_form import FIELDS, MAX_FIELD, Outcome
from countermand.governance.rights import Action
from countermand.messages.fencing import fenced
from countermand.messages.incident import IncidentView
from countermand.messages.investigation import slice_lines

router = APIRouter()

Deps = Annotated[Console, Depends(console)]

#: What each finding means for users, before anybody signs it.
MEANS = {
    Outcome.revert: "Users go back once people approved it; a fairness reviewer has to be one of them.",
    Outcome.adjust: "Nobody goes back. It is held until an adjusted candidate is registered.",
    Outcome.continue_: "The candidate stays, on your signed reason. Its watch begins anew and needs half as long.",
    Outcome.insufficient_evidence: "The time is extended once; after that executives are told. It stays as it is.",
}


@router.get("/incidents/{incident_id}/investigation")
async def investigation(incident_id: str, deps: Deps, session: Annotated[Session, Depends(browser)]) -> Response:
    """The newest investigation of an incident."""
    return await _page(deps, await Page.begin(deps, session), await _view(deps, incident_id))


@router.post("/incidents/{incident_id}/investigation/form/commands")
async def fill(
    incident_id: str, request: Request, deps: Deps, session: Annotated[Session, Depends(own_form)]
) -> Response:
    """Fill in fields. Accepted: back to the page; refused: the page with the reason and what was typed."""
    sent = await request.form()
    typed = {one.name: str(sent.get(one.name, "")).strip() for one in FIELDS}
    if any(len(text) > MAX_FIELD for text in typed.values()):
        raise HTTPException(400, "a field is longer than a form here sends.")
    view = await _view(deps, incident_id)
    act = Act(
        kind=DecisionKind.fill_investigation,
        incident_id=incident_id,
        terms={name: text for name, text in typed.items() if text},
        decision_id=known_id(str(sent.get("decision_id", ""))) or str(uuid.uuid4()),
    )
    return await _answer(deps, session, view, act, typed)


@router.post("/incidents/{incident_id}/investigation/finding/commands")
async def finding(
    incident_id: str,
    deps: Deps,
    session: Annotated[Session, Depends(own_form)],
    outcome: Annotated[str, Form()] = "",
    adjustment: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    digest: Annotated[str, Form()] = "",
    decision_id: Annotated[str, Form()] = "",
    step_up: Annotated[str, Form()] = "",
) -> Response:
    """Sign a finding. Accepted: back to the page; refused: the page with the reason."""
    if len(adjustment) > MAX_FIELD:
        raise HTTPException(400, "an adjustment is longer than a form here sends.")
    view = await _view(deps, incident_id)
    act = Act(
        kind=DecisionKind.decide_finding,
        incident_id=incident_id,
        approval_digest=digest,
        reason=reason,
        terms={"outcome": outcome, "adjustment": adjustment.strip()},
        decision_id=known_id(decision_id) or str(uuid.uuid4()),
        step_up=step_up or None,
    )
    typed = {"outcome": outcome, "adjustment": adjustment, "reason": reason}
    return await _answer(deps, session, view, act, typed)


@router.get("/incidents/{incident_id}/investigation/form/commands")
@router.get("/incidents/{incident_id}/investigation/finding/commands")
async def back(incident_id: str) -> Response:
    """Where signing in again leads after a form was sent with an ended session."""
    return RedirectResponse(f"/incidents/{segment(incident_id)}/investigation", status_code=303)


async def _answer(deps: Console, session: Session, view: IncidentView, act: Act, typed: dict[str, str]) -> Response:
    page = await Page.begin(deps, session)
    problem = await submit(deps, act, session.person)
    if problem is None:
        return RedirectResponse(f"/incidents/{segment(view.incident_id)}/investigation", status_code=303)
    view = await _view(deps, view.incident_id)
    return await _page(deps, page, view, problem=problem, typed=typed, sent=act.decision_id or "")


async def _view(deps: Console, incident_id: str) -> IncidentView:
    view = await views.one_incident(deps, incident_id)
    if view is None or view.investigation is None:
        raise HTTPException(404)
    return view


async def _page(
    deps: Console,
    page: Page,
    view: IncidentView,
    *,
    problem: Problem | None = None,
    typed: dict[str, str] | None = None,
    sent: str = "",
) -> Response:
    people = await directory(deps)
    subject = page.session.person.subject
    found = view.investigation
    needs = people is not None and needs_key(people, Action.fairness_finding)
    return page.html(
        "investigation.html",
        path=f"/incidents/{segment(view.incident_id)}/investigation",
        topic=view.incident_id,
        regions=("now", "slices", "findings"),
        code=problem.status if problem else 200,
        view=view,
        found=found,
        fields=FIELDS,
        means=MEANS,
        lines=slice_lines(found.slices if found else None),
        may=investigations.may(view, people, subject) if people else None,
        keys=await keys_of(deps, subject) if needs else None,
        most=MAX_FIELD,
        fenced=fenced,
        problem=problem,
        typed=typed or {},
        decision_id=form_id(sent, problem),
    )
