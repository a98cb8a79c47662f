"""The page of standing authorisations: what each covers, until when, who signed, why it does not hold; revoking."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response

from console import consents
from console.auth import Session, browser, own_form
from console.decide import Act
from console.deps import Console, console
from console.live import EVERYTHING
from console.problems import Problem
from console.render import Page
from console.standings import standings
from console.submit import directory, form_id, known_id, submit
from countermand import ids
from countermand.governance.ballot import MIN_REASON
from countermand.governance.decision import DecisionKind
from countermand.governance.rights import Action
from countermand.governance.shipped import rights_in_force
from countermand.messages.consent import authorisation_facts
from countermand.playbook.terms import Severity

router = APIRouter()

Deps = Annotated[Console, Depends(console)]

REGIONS = ("asked", "issued")


@router.get("/standing")
async def standing(deps: Deps, session: Annotated[Session, Depends(browser)]) -> Response:
    return await _page(deps, session)


@router.get("/standing/{authorisation_id}/signature")
async def back_to_standing(authorisation_id: str) -> Response:  # noqa: ARG001  # the list shows it
    """Where signing in again leads after a revocation was sent with an ended session."""
    return RedirectResponse("/standing", status_code=303)


@router.post("/standing/{authorisation_id}/signature")
async def revoke(
    authorisation_id: str,
    deps: Deps,
    session: Annotated[Session, Depends(own_form)],
    reason: Annotated[str, Form()] = "",
    decision_id: Annotated[str, Form()] = "",
) -> Response:
    """Revoke one, at once."""
    act = Act(
        kind=DecisionKind.withdraw,
        incident_id="",
        ask_id=ids.standing_consent(authorisation_id),
        reason=reason,
        decision_id=known_id(decision_id),
    )
    problem = await submit(deps, act, session.person)
    if problem is None:
        return RedirectResponse("/standing", status_code=303)
    return await _page(deps, session, problem=problem, reason=reason, sent=decision_id, about=authorisation_id)


async def _page(
    deps: Console,
    session: Session,
    *,
    problem: Problem | None = None,
    reason: str = "",
    sent: str = "",
    about: str = "",
) -> Response:
    page = await Page.begin(deps, session)
    people = await directory(deps)
    issued = await standings(deps) if people else []
    asked = [
        view
        for view in await consents.every(deps.ledger)
        if view.closed is None and view.right.action is Action.standing_authorisation
    ]
    table = rights_in_force(people.governance) if people else None
    may = set(table.row(Action.standing_authorisation, Severity.sev1).roles) if table else set()
    return page.html(
        "standing.html",
        path="/standing",
        topic=EVERYTHING,
        regions=REGIONS,
        code=problem.status if problem else 200,
        asked=asked,
        issued=[(one, authorisation_facts(one.authorisation)) for one in issued],
        people_known=people is not None,
        may_revoke=people is not None and bool(may & set(people.roles_of(session.person.subject))),
        min_reason=MIN_REASON,
        problem=problem,
        reason=reason,
        about=about,
        decision_id=form_id(sent, problem),
    )
