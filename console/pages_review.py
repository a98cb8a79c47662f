"""The review after an incident: the generated draft, and signing it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response
from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.exceptions import HTTPException

from console import views
from console.auth import Session, browser, own_form
from console.decide import Act
from console.deps import Console, console
from console.problems import Problem
from console.render import Page, segment
from console.submit import directory, form_id, known_id, submit
from countermand.governance.decision import DecisionKind
from countermand.messages.incident import IncidentView

router = APIRouter()

Deps = Annotated[Console, Depends(console)]

REGIONS = ("now", "sign")
# Headings, lists, tables and emphasis; nothing that could load, link or carry markup of its own.
_MARKDOWN = (
    MarkdownIt("commonmark", {"html": False})
    .enable("table")
    .disable(["html_block", "html_inline", "link", "image", "autolink", "reference"])
)


@router.get("/reviews/{incident_id}")
async def review(incident_id: str, deps: Deps, session: Annotated[Session, Depends(browser)]) -> Response:
    return await _page(deps, session, incident_id)


@router.get("/reviews/{incident_id}/signature")
async def back_to_review(incident_id: str) -> Response:
    """Where signing in again leads after a signature was sent with an ended session."""
    return RedirectResponse(f"/reviews/{incident_id}", status_code=303)


@router.post("/reviews/{incident_id}/signature")
async def sign(
    incident_id: str,
    deps: Deps,
    session: Annotated[Session, Depends(own_form)],
    reason: Annotated[str, Form()] = "",
    decision_id: Annotated[str, Form()] = "",
) -> Response:
    """Sign the draft as it is shown."""
    act = Act(
        kind=DecisionKind.sign_review,
        incident_id=incident_id,
        reason=reason,
        decision_id=known_id(decision_id),
    )
    problem = await submit(deps, act, session.person)
    if problem is None:
        return RedirectResponse(f"/reviews/{incident_id}", status_code=303)
    return await _page(deps, session, incident_id, problem=problem, reason=reason, sent=decision_id)


async def _page(
    deps: Console,
    session: Session,
    incident_id: str,
    *,
    problem: Problem | None = None,
    reason: str = "",
    sent: str = "",
) -> Response:
    page = await Page.begin(deps, session)
    view = await views.one_incident(deps, incident_id)
    if view is None:
        raise HTTPException(404)
    signed = await views.signatures(deps, incident_id)
    needed = await views.signers(deps, view)
    people = await directory(deps)
    subject = session.person.subject
    return page.html(
        "review.html",
        path=f"/reviews/{segment(incident_id)}",
        topic=incident_id,
        regions=REGIONS,
        code=problem.status if problem else 200,
        view=view,
        state=view.review_closed.outcome if view.review_closed else "pending",
        draft=await _draft(deps, view),
        signed=signed,
        mine=next((decision for decision in signed if decision.actor.subject == subject), None),
        needed=needed,
        holders=tuple(person.name for person in people.holders(*needed)) if people else (),
        permitted=people is not None and bool(set(needed) & set(people.roles_of(subject))),
        problem=problem,
        reason=reason,
        decision_id=form_id(sent, problem),
    )


async def _draft(deps: Console, view: IncidentView) -> Markup | None:
    """The stored draft as HTML; None before there is one. Markup inside the draft stays text."""
    stored = await deps.ledger.get_blob(view.review.draft_sha256) if view.review else None
    return Markup(_MARKDOWN.render(stored[0].decode())) if stored else None  # noqa: S704  # HTML is off in the renderer
