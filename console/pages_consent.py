"""The page of one consent: the document in words, who must sign, then the form."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from console import consents
from console.auth import Session, browser, own_form
from console.decide import Act, roles_here
from console.deps import Console, console
from console.live import EVERYTHING
from console.problems import Problem
from console.render import Page, fragment, segment
from console.signing import keys_of
from console.submit import directory, form_id, known_id, submit
from countermand.governance.ballot import MIN_REASON
from countermand.governance.decision import DecisionKind, SignatureClass
from countermand.governance.directory import Directory
from countermand.messages.consent import ConsentView, asked_of, consent_card

router = APIRouter()

Deps = Annotated[Console, Depends(console)]

REGIONS = ("now", "card", "votes", "decide")
ACTS = ("approve", "reject", "retract")


@router.get("/consents/{consent_id}")
async def consent(consent_id: str, deps: Deps, session: Annotated[Session, Depends(browser)]) -> Response:
    return await _page(deps, session, consent_id)


@router.get("/consents/{consent_id}/decision")
async def back_to_consent(consent_id: str) -> Response:
    """Where signing in again leads after a decision was sent with an ended session."""
    return RedirectResponse(f"/consents/{segment(consent_id)}", status_code=303)


@router.post("/consents/{consent_id}/decision")
async def decide(
    consent_id: str,
    deps: Deps,
    session: Annotated[Session, Depends(own_form)],
    kind: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    approval_digest: Annotated[str, Form()] = "",
    view_sha256: Annotated[str, Form()] = "",
    decision_id: Annotated[str, Form()] = "",
    step_up: Annotated[str, Form()] = "",
) -> Response:
    """Sign, refuse, or take a signature back. Accepted: back to the page; refused: why, and what was typed."""
    if kind not in ACTS:
        raise HTTPException(400, f"{kind!r} is no decision; approve, reject and retract are.")
    view = await _consent(deps, consent_id)
    act = Act(
        kind=view.approving if kind == "approve" else DecisionKind(kind),
        incident_id=view.incident_id,
        ask_id=consent_id,
        approval_digest=approval_digest or None,
        view_sha256=view_sha256 or None,
        reason=reason,
        decision_id=known_id(decision_id),
        step_up=step_up or None,
    )
    problem = await submit(deps, act, session.person)
    if problem is None:
        return RedirectResponse(f"/consents/{segment(consent_id)}", status_code=303)
    return await _page(deps, session, consent_id, problem=problem, reason=reason, sent=decision_id)


async def _page(
    deps: Console,
    session: Session,
    consent_id: str,
    *,
    problem: Problem | None = None,
    reason: str = "",
    sent: str = "",
) -> Response:
    page = await Page.begin(deps, session)
    view = await _consent(deps, consent_id)
    card = consent_card(view)
    people = await directory(deps)
    subject = session.person.subject
    roles = roles_here(people, subject, view, page.now) if people else ()
    shown = fragment("consent_card.html", card=card)
    # The exact bytes inside the page's card element: what a reviewer will see is what this person saw.
    view_sha256 = await deps.shown.issue(subject, consent_id, card.approval_digest, shown.encode(), "text/html")
    return page.html(
        "consent.html",
        path=f"/consents/{segment(consent_id)}",
        topic=EVERYTHING,
        regions=REGIONS,
        code=problem.status if problem else 200,
        view=view,
        card=card,
        shown=shown,
        view_sha256=view_sha256,
        vote=next((vote for vote in view.standing_votes if vote.subject == subject), None),
        cannot=_cannot(view, people, subject, roles),
        roles=roles,
        keys=await keys_of(deps, subject) if card.signature_class is SignatureClass.step_up else None,
        overdue=page.now >= view.opened.expires_at,
        min_reason=MIN_REASON,
        problem=problem,
        reason=reason,
        decision_id=form_id(sent, problem),
    )


async def _consent(deps: Console, consent_id: str) -> ConsentView:
    view = await consents.one(deps.ledger, consent_id)
    if view is None:
        raise HTTPException(404)
    return view


def _cannot(view: ConsentView, people: Directory | None, subject: str, roles: tuple[str, ...]) -> str:
    """Why this person cannot sign here, in words; empty when they can. The workflow judges it again."""
    if people is None:
        return "The governance file cannot be read, so nobody can decide until it is repaired."
    if people.principal_of(subject) in {people.principal_of(one) for one in view.excluded}:
        return "You asked for this or did what it is about; somebody else has to decide."
    if not set(view.right.roles) & set(roles):
        return asked_of(view, tuple(person.name for person in people.holders(*view.right.roles)))
    return ""
