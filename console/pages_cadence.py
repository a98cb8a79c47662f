"""The page of duties: last, next, overdue in one look; saying that one is done or left out; what readiness costs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response
from starlette.requests import Request

from console import cadence
from console.auth import Session, browser, own_form
from console.deps import Console, console
from console.live import EVERYTHING
from console.problems import Problem
from console.render import Page
from console.submit import MAX_REASON, directory, form_id, known_id, problem_of
from countermand.cadence import acts
from countermand.cadence.state import DutyState
from countermand.governance.ballot import MIN_REASON
from countermand.playbook.units import format_duration

router = APIRouter()
REGIONS = ("duties", "asked", "balance")

Deps = Annotated[Console, Depends(console)]
SignedIn = Annotated[Session, Depends(browser)]

#: Days that the strip of a duty shows before and after now.
BEFORE, AFTER = 90, 90


@dataclass(frozen=True)
class Row:
    """A duty and its strip: (days from its left end, what) of each run; where now and the next run are."""

    state: DutyState
    every: str
    longer: bool
    strip: tuple[tuple[float, str], ...]
    due_at: float | None


@router.get("/cadence")
async def overview(deps: Deps, session: SignedIn) -> Response:
    return await _page(deps, session)


@router.get("/cadence/decision")
async def back() -> Response:
    """Where signing in again leads after a form was sent with an ended session."""
    return RedirectResponse("/cadence", status_code=303)


@router.post("/cadence/decision")
async def outcome(
    request: Request,
    deps: Deps,
    session: Annotated[Session, Depends(own_form)],
    duty: Annotated[str, Form(max_length=100)],
    act: Annotated[Literal["done", "skip"], Form()],
    subject: Annotated[str, Form(max_length=100)] = "",
    minutes: Annotated[str, Form(max_length=10)] = "",
    reason: Annotated[str, Form()] = "",
    decision_id: Annotated[str, Form()] = "",
) -> Response:
    """Sign that it is done, or why it is left out. Fields `criterion:NAME` hold what was decided on each."""
    form = await request.form()
    criteria = {
        name.removeprefix("criterion:"): str(value)
        for name, value in form.items()
        if name.startswith("criterion:") and value
    }
    said = acts.terms(act, duty, subject, criteria=criteria if act == "done" else None)
    if act == "done":
        said["minutes"] = minutes.strip()
    if len(reason) > MAX_REASON:
        detail = f"The text has {len(reason):,} characters; up to {MAX_REASON:,} are accepted."
        problem: Problem | None = Problem(422, "reason_too_long", detail, "Say the essence and link to the rest.")
    else:
        work = cadence.say(deps, session.person, "web", said, reason, known_id(decision_id))
        problem = await problem_of(work)
    if problem is None:
        return RedirectResponse(f"/cadence#{duty}", status_code=303)
    return await _page(deps, session, problem=problem, typed={"duty": duty, "reason": reason}, sent=decision_id)


@router.post("/cadence/runs")
async def begin(
    deps: Deps,
    session: Annotated[Session, Depends(own_form)],
    duty: Annotated[str, Form(max_length=100)],
    subject: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Start a run now, due or not."""
    try:
        problem = await problem_of(cadence.begin(deps, session.person, duty, subject))
    except Problem as refused:
        problem = refused
    if problem is None:
        return RedirectResponse(f"/cadence#{duty}", status_code=303)
    return await _page(deps, session, problem=problem)


async def _page(
    deps: Console,
    session: Session,
    *,
    problem: Problem | None = None,
    typed: dict[str, str] | None = None,
    sent: str = "",
) -> Response:
    page = await Page.begin(deps, session)
    board = await cadence.board(deps)
    people = await directory(deps)
    mine = set(people.roles_of(session.person.subject)) if people else set()
    asked = [
        (one, await cadence.criteria_asked(deps, one), bool(mine & set(one.asked.asks)))
        for one in board.states
        if one.asked is not None
    ]
    return page.html(
        "cadence.html",
        path="/cadence",
        topic=EVERYTHING,
        regions=REGIONS,
        code=problem.status if problem else 200,
        problem=problem,
        typed=typed or {},
        rows=[_row(one, board, page.now) for one in board.states],
        overdue=board.overdue,
        refused=board.refused,
        asked=asked,
        balance=await cadence.balance_now(deps, board),
        days=(BEFORE, AFTER),
        decision_id=form_id(sent, problem),
        min_reason=MIN_REASON,
        max_reason=MAX_REASON,
        most_minutes=acts.MOST_MINUTES,
    )


def _row(state: DutyState, board: cadence.Board, now: datetime) -> Row:
    left = now - timedelta(days=BEFORE)
    return Row(
        state=state,
        every=format_duration(state.duty.every),
        longer=board.planned[state.duty.id].longer,
        strip=tuple(((one.at - left) / timedelta(days=1), one.what) for one in state.history if one.at >= left),
        due_at=min(max((state.due - left) / timedelta(days=1), 0), BEFORE + AFTER) if state.due else None,
    )
