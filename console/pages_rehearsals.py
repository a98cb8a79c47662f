"""The pages of rehearsals: what was practised too long ago or never, every scenario, and one run with its report."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.responses import Response
from markdown_it import MarkdownIt
from markupsafe import Markup

from console import rehearsals
from console.auth import Session, browser
from console.deps import Console, console
from console.live import EVERYTHING
from console.problems import Problem
from console.render import Page, message
from countermand.rehearsal.scenario import Branch, Fault

router = APIRouter()

Deps = Annotated[Console, Depends(console)]
RunId = Annotated[str, Path(max_length=100)]

# Headings, lists, tables and emphasis; nothing that could load, link or carry markup of its own.
_MARKDOWN = (
    MarkdownIt("commonmark", {"html": False})
    .enable("table")
    .disable(["html_block", "html_inline", "link", "image", "autolink", "reference"])
)
#: The stored page brings its own style and nothing else.
_STORED = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


@router.get("/rehearsals")
async def practice(deps: Deps, session: Annotated[Session, Depends(browser)]) -> Response:
    """What is stale or was never practised first; then every scenario with its last run; then the heat map."""
    page = await Page.begin(deps, session)
    return page.html(
        "rehearsals.html",
        path="/rehearsals",
        topic=EVERYTHING,
        regions=("rows",),
        found=await rehearsals.practice(deps),
        branches=list(Branch),
        faults=list(Fault),
    )


@router.get("/rehearsals/{run_id}")
async def run(run_id: RunId, deps: Deps, session: Annotated[Session, Depends(browser)]) -> Response:
    """One run: how it went, what changed since the last one, and its report."""
    page = await Page.begin(deps, session)
    try:
        found, since = await rehearsals.one_run(deps, run_id)
    except Problem as problem:
        return message(problem.status, "This rehearsal is not shown", problem.detail, problem.next)
    text = await rehearsals.report(deps, found.body.report_sha256)
    return page.html(
        "rehearsal.html",
        run=found,
        since=since,
        report=None if text is None else Markup(_MARKDOWN.render(text)),  # noqa: S704  # no markup of its own is left
    )


@router.get("/rehearsals/{run_id}/report", dependencies=[Depends(browser)])
async def stored(run_id: RunId, deps: Deps) -> Response:
    """The report as it was stored, with the picture of the time line."""
    try:
        found, _ = await rehearsals.one_run(deps, run_id)
    except Problem as problem:
        return message(problem.status, "This rehearsal is not shown", problem.detail, problem.next)
    text = await rehearsals.report(deps, found.body.html_sha256)
    if text is None:
        return message(404, "The report was not kept", f"Its sha256 was {found.body.html_sha256}.", "Run it again.")
    return Response(text, media_type="text/html", headers=_STORED)
