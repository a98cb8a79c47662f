"""The decision page: everything a person must know, then the form (CON-15, COM-31, COM-32)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from activities.keeping import held
from console import views
from console.auth import Session, browser, own_form
from console.decide import Act, roles_here
from console.deps import Console, console
from console.duty_matter import NECESSITY
from console.problems import Problem
from console.render import Page, fragment, segment
from console.signing import keys_of
from console.submit import directory, form_id, known_id, submit
from countermand.governance.approval import MIN_REASON
from countermand.governance.decision import DecisionKind, SignatureClass
from countermand.governance.directory import Directory
from countermand.messages.facts import spoken
from countermand.messages.incident import AskView
from countermand.obligations.acts import MIN_REASONING

router = APIRouter()

Deps = Annotated[Console, Depends(console)]

REGIONS = ("now", "card", "votes", "decide", "more-time")
ACTS = (DecisionKind.approve, DecisionKind.reject, DecisionKind.retract, DecisionKind.extend)


@router.get("/asks/{ask_id}")
async def ask(ask_id: str, deps: Deps, session: Annotated[Session, Depends(browser)]) -> Response:
    return await _page(deps, session, ask_id)


@router.get("/asks/{ask_id}/decision")
async def back_to_ask(ask_id: str) -> Response:
    """Where signing in again leads after a decision was sent with an ended session."""
    return RedirectResponse(f"/asks/{ask_id}", status_code=303)


@router.post("/asks/{ask_id}/decision")
async def decide(
    ask_id: str,
    deps: Deps,
    session: Annotated[Session, Depends(own_form)],
    kind: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    approval_digest: Annotated[str, Form()] = "",
    view_sha256: Annotated[str, Form()] = "",
    decision_id: Annotated[str, Form()] = "",
    step_up: Annotated[str, Form()] = "",
    necessity: Annotated[str, Form()] = "",
) -> Response:
    """Vote, take a vote back, or take more time. Accepted: back to the page; refused: why, and what was typed."""
    if kind not in ACTS:
        raise HTTPException(400, f"{kind!r} is no decision; approve, reject, retract and extend are.")
    act = Act(
        kind=DecisionKind(kind),
        incident_id=ask_id.rpartition("-ask-")[0],
        ask_id=ask_id,
        approval_digest=approval_digest or None,
        view_sha256=view_sha256 or None,
        reason=reason,
        decision_id=known_id(decision_id),
        step_up=step_up or None,
        terms={NECESSITY: "yes"} if necessity == "yes" and kind == "approve" else {},
    )
    problem = await submit(deps, act, session.person)
    if problem is None:
        return RedirectResponse(f"/asks/{ask_id}", status_code=303)
    return await _page(deps, session, ask_id, problem=problem, reason=reason, sent=decision_id)


async def _page(
    deps: Console,
    session: Session,
    ask_id: str,
    *,
    problem: Problem | None = None,
    reason: str = "",
    sent: str = "",
) -> Response:
    page = await Page.begin(deps, session)
    found = await views.one_ask(deps, ask_id)
    if found is None:
        raise HTTPException(404)
    view, ask, card = found
    people = await directory(deps)
    subject = session.person.subject
    roles = roles_here(people, subject, view, page.now) if people else ()
    shown = fragment("ask_card.html", card=card)
    # The exact bytes inside the page's card element: what a reviewer will see is what this person saw.
    view_sha256 = await deps.shown.issue(subject, ask_id, card.approval_digest, shown.encode(), "text/html")
    return page.html(
        "ask.html",
        path=f"/asks/{segment(ask_id)}",
        topic=view.incident_id,
        regions=REGIONS,
        code=problem.status if problem else 200,
        view=view,
        ask=ask,
        card=card,
        shown=shown,
        view_sha256=view_sha256,
        vote=next((vote for vote in ask.standing_votes if vote.subject == subject), None),
        cannot=_cannot(ask, people, subject, roles),
        roles=roles,
        keys=await keys_of(deps, subject) if card.signature_class is SignatureClass.step_up else None,
        expired=page.now >= ask.expires_at,
        held=await held(deps.ledger, deps.duties, view.incident_id, page.now),
        min_necessity=MIN_REASONING,
        min_reason=MIN_REASON,
        problem=problem,
        reason=reason,
        decision_id=form_id(sent, problem),
    )


def _cannot(ask: AskView, people: Directory | None, subject: str, roles: tuple[str, ...]) -> str:
    """Why this person has no vote here, in words; empty when they have one. The workflow judges it again."""
    if people is None:
        return "The governance file cannot be read, so nobody can decide until it is repaired."
    opened = ask.opened
    if subject == opened.requester or subject in opened.excluded:
        return "You requested this rollback or put the release out; somebody else has to decide."
    if not set(opened.need_roles) & set(roles):
        holders = spoken(tuple(person.name for person in people.holders(*opened.need_roles)))
        return f"This decision needs {spoken(opened.need_roles)}. They are held by {holders}."
    return ""
