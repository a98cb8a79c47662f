"""Two versions side by side, and where one output came from."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from console import comparing, tracing
from console.auth import Session, browser
from console.deps import Console, console
from console.problems import Problem
from console.render import Page
from console.whiskers import WIDTH, whisker
from countermand.compare.manifest import PARTS

router = APIRouter()

Deps = Annotated[Console, Depends(console)]
SignedIn = Annotated[Session, Depends(browser)]
#: Longer than anything that is accepted, so that people are told by the page and not by the framework.
Typed = Annotated[str, Query(max_length=1_000)]


@router.get("/compare")
async def compare_page(deps: Deps, session: SignedIn, a: Typed = "", b: Typed = "") -> Response:
    """What changed from `a` to `b`, part by part, and what was measured of both."""
    page = await Page.begin(deps, session)
    found, problem = None, None
    if a and b:
        try:
            found = await comparing.compare(deps, a, b)
        except Problem as refused:
            problem = refused
    return page.html(
        "compare.html",
        path="/compare",
        code=problem.status if problem else 200,
        a=a,
        b=b,
        found=found,
        problem=problem,
        whisker=whisker,
        width=WIDTH,
    )


@router.get("/outputs")
async def output_page(deps: Deps, session: SignedIn, id: Typed = "") -> Response:  # the name in the address
    """Which version made this output, what that was trained on, and where its labels were counted."""
    page = await Page.begin(deps, session)
    found, problem = None, None
    if id:
        try:
            found = await tracing.trace(deps, id)
        except Problem as refused:
            problem = refused
    return page.html(
        "output.html",
        path="/outputs",
        code=problem.status if problem else 200,
        output_id=id,
        found=found,
        problem=problem,
        not_kept=tracing.NOT_KEPT,
        parts=PARTS,
    )
