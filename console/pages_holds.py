"""The pages of legal holds: what nobody may delete, what is deleted when, what was, and placing a hold."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response

from console import consents, holds, retention
from console.auth import Session, browser, own_form
from console.commands import needs_key
from console.deps import Console, console
from console.live import EVERYTHING
from console.problems import Problem
from console.render import Page
from console.signing import keys_of
from console.submit import MAX_REASON, directory, form_id, known_id, problem_of
from countermand.governance.ballot import MIN_REASON
from countermand.governance.rights import Action
from countermand.governance.shipped import rights_in_force
from countermand.messages.facts import spoken
from countermand.playbook.terms import Severity
from countermand.retention.classes import shipped_classes
from countermand.retention.holding import Scope
from countermand.retention.placing import FIELDS, MAX_MATTER, hold_digest, listed, terms

router = APIRouter()
REGIONS = ("holds", "due", "deleted")

Deps = Annotated[Console, Depends(console)]
SignedIn = Annotated[Session, Depends(browser)]
Listed = Annotated[str, Form()]


@router.get("/holds")
async def overview(deps: Deps, session: SignedIn) -> Response:
    return await _overview(deps, session)


async def _overview(deps: Console, session: Session, problem: Problem | None = None) -> Response:
    begun = await Page.begin(deps, session)
    asked = [
        view
        for view in await consents.every(deps.ledger)
        if view.closed is None and view.right.action is Action.release_hold
    ]
    may, holders = await _may_place(deps, session)
    return begun.html(
        "holds.html",
        path="/holds",
        topic=EVERYTHING,
        regions=REGIONS,
        code=problem.status if problem else 200,
        problem=problem,
        asked=asked,
        may_place=may,
        holders=holders,
        classes=tuple(shipped_classes()),
        holds=[(one, holds.hold_json(one)["covers"]) for one in await holds.in_force(deps)],
        **await retention.overview(deps),
    )


@router.get("/holds/new")
async def new(
    deps: Deps, session: SignedIn, incidents: str = "", classes: str = "", subjects: str = "", digests: str = ""
) -> Response:
    """What the hold would cover, and the form that places exactly that. Each list is separated by commas."""
    try:
        scope = _scope(incidents, classes, subjects, digests)
    except Problem as problem:
        return await _overview(deps, session, problem)
    return await _form(deps, session, scope)


@router.get("/holds/decision")
async def back_to_holds() -> Response:
    """Where signing in again leads after a form was sent with an ended session."""
    return RedirectResponse("/holds", status_code=303)


@router.post("/holds/decision")
async def place(
    deps: Deps,
    session: Annotated[Session, Depends(own_form)],
    incidents: Listed = "",
    classes: Listed = "",
    subjects: Listed = "",
    digests: Listed = "",
    matter: Annotated[str, Form()] = "",
    custodians: Listed = "",
    reason: Annotated[str, Form()] = "",
    decision_id: Annotated[str, Form()] = "",
    step_up: Annotated[str, Form()] = "",
) -> Response:
    """Place it. Accepted: back to the holds; refused: why, and what was typed."""
    try:
        scope = _scope(incidents, classes, subjects, digests)
    except Problem as problem:
        return await _overview(deps, session, problem)
    for name, text, most in (("reason", reason, MAX_REASON), ("matter", matter, MAX_MATTER)):
        if len(text) > most:
            detail = f"The {name} has {len(text):,} characters; up to {most:,} are accepted."
            refused: Problem | None = Problem(422, f"{name}_too_long", detail, "Say the essence here.")
            break
    else:
        work = holds.place(
            deps,
            session.person,
            "web",
            scope,
            matter=matter,
            custodians=listed(custodians),
            reason=reason,
            decision_id=known_id(decision_id),
            step_up=step_up or None,
        )
        refused = await problem_of(work)
    if refused is None:
        return RedirectResponse("/holds", status_code=303)
    typed = {"matter": matter, "custodians": custodians, "reason": reason}
    return await _form(deps, session, scope, problem=refused, typed=typed, sent=decision_id)


def _scope(incidents: str, classes: str, subjects: str, digests: str) -> Scope:
    """Raises Problem when it names nothing, or a class that is not known."""
    return retention.scope_or_problem(
        incidents=listed(incidents), classes=listed(classes), subjects=listed(subjects), digests=listed(digests)
    )


async def _form(
    deps: Console,
    session: Session,
    scope: Scope,
    *,
    problem: Problem | None = None,
    typed: dict[str, str] | None = None,
    sent: str = "",
) -> Response:
    begun = await Page.begin(deps, session)
    people = await directory(deps)
    may, holders = await _may_place(deps, session)
    said = {name: text for name, text in terms(scope, "", ()).items() if name in FIELDS}
    return begun.html(
        "hold_new.html",
        path=f"/holds/new?{urlencode(said)}",
        code=problem.status if problem else 200,
        problem=problem,
        typed=typed or {"matter": "", "custodians": "", "reason": ""},
        said=said,
        digest_of_hold=hold_digest(said),
        may_place=may,
        holders=holders,
        keys=await keys_of(deps, session.person.subject) if people and needs_key(people, Action.place_hold) else None,
        decision_id=form_id(sent, problem),
        min_reason=MIN_REASON,
        max_reason=MAX_REASON,
        max_matter=MAX_MATTER,
    )


async def _may_place(deps: Console, session: Session) -> tuple[bool, str]:
    """Whether this person may place a hold, and who may, in words; the rules judge it again."""
    people = await directory(deps)
    if people is None:
        return False, "nobody until the governance file is repaired"
    roles = rights_in_force(people.governance).row(Action.place_hold, min(Severity)).roles
    holders = spoken(tuple(person.name for person in people.holders(*roles)))
    return bool(set(roles) & set(people.roles_of(session.person.subject))), holders
