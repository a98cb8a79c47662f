"""The page of everything that happened in a period, what is missing from it, and what the targets' own logs say."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import RedirectResponse, Response

from console.auth import Session, browser, own_form
from console.counting import count, reconcile
from console.deps import Console, console
from console.pages_evidence import day
from console.problems import Problem
from console.render import Page, message
from countermand.evidence.reconciliation import Compared
from countermand.ledger.bodies import PopulationReconciled

router = APIRouter()

Deps = Annotated[Console, Depends(console)]

#: Days of the period that is shown when nobody named one.
_DAYS = 30


@router.get("/population")
async def population(
    deps: Deps,
    session: Annotated[Session, Depends(browser)],
    since: Annotated[str, Query(alias="from")] = "",
    to: str = "",
) -> Response:
    """Days are UTC and both belong to the period."""
    begin, end = _period(deps.clock(), since, to)
    page = await Page.begin(deps, session)
    try:
        counted = await count(deps, session.person, begin, end)
    except Problem as problem:
        return message(problem.status, "This is not shown", problem.detail, problem.next)
    record = counted.compared
    members = record.body["result"]["members"] if record else []
    return page.html(
        "population.html",
        since=begin,
        last=end - timedelta(days=1),
        found=counted.found,
        compared=PopulationReconciled.model_validate(record.body) if record else None,
        compared_at=record.at if record else None,
        compared_seq=record.seq if record else None,
        members=[
            Compared.model_validate({key: value for key, value in one.items() if key != "clean"}) for one in members
        ],
    )


@router.post("/population/reconciliation")
async def compare(
    deps: Deps,
    session: Annotated[Session, Depends(own_form)],
    since: Annotated[str, Form()] = "",
    to: Annotated[str, Form()] = "",
) -> Response:
    begin, end = _period(deps.clock(), since, to)
    try:
        await reconcile(deps, session.person, begin, end)
    except Problem as problem:
        return message(problem.status, "The logs were not compared", problem.detail, problem.next)
    return RedirectResponse(f"/population?from={since}&to={to}#reconciliation", status_code=303)


def _period(now: datetime, since: str, to: str) -> tuple[datetime, datetime]:
    last = day(to) or now.replace(hour=0, minute=0, second=0, microsecond=0)
    begin = day(since) or last - timedelta(days=_DAYS)
    return begin, last + timedelta(days=1)
