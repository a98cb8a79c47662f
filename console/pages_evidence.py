"""The page of evidence packs: have one made, take a copy, and see which were made and who took them."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response

from console.auth import Session, browser, own_form
from console.deps import Console, console
from console.handing_out import Asked, build, download, every, may_build, roles_of
from console.problems import Problem
from console.render import Page, message
from console.submit import MAX_REASON
from countermand.governance.ballot import MIN_REASON
from countermand.ledger.record import Kind

router = APIRouter()

Deps = Annotated[Console, Depends(console)]


@router.get("/evidence")
async def evidence(deps: Deps, session: Annotated[Session, Depends(browser)], incident: str = "") -> Response:
    return await _page(deps, session, Asked(incident_id=incident))


@router.post("/evidence")
async def make(
    deps: Deps,
    session: Annotated[Session, Depends(own_form)],
    incident: Annotated[str, Form()] = "",
    since: Annotated[str, Form()] = "",
    until: Annotated[str, Form()] = "",
    profile: Annotated[str, Form()] = "redacted",
    reason: Annotated[str, Form(max_length=MAX_REASON)] = "",
) -> Response:
    """Make the pack and show it in the list; it takes seconds."""
    asked = Asked(
        incident_id=incident.strip(),
        since=day(since),
        until=_end(until),
        profile="full" if profile == "full" else "redacted",
        reason=reason,
    )
    try:
        sealed = await build(deps, asked, session.person)
    except Problem as problem:
        return await _page(deps, session, asked, problem)
    return RedirectResponse(f"/evidence#pack-{sealed.manifest_sha256[:12]}", status_code=303)


@router.post("/evidence/{manifest_sha256}/copy")
async def copy(manifest_sha256: str, deps: Deps, session: Annotated[Session, Depends(own_form)]) -> Response:
    """The ZIP. That this person took it is recorded before it is sent, so a link alone cannot take one."""
    try:
        sealed = await download(deps, manifest_sha256, session.person, "web")
    except Problem as problem:
        return message(problem.status, "No copy was taken", problem.detail, problem.next)
    return zip_response(sealed.content, sealed.manifest_sha256)


def zip_response(content: bytes, manifest_sha256: str) -> Response:
    """A pack as an attachment, named by its manifest."""
    name = f"evidence-{manifest_sha256[:12]}.zip"
    return Response(
        content, media_type="application/zip", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def day(text: str) -> datetime | None:
    """The beginning of a day in UTC; None for what is no day."""
    try:
        return datetime.combine(datetime.strptime(text, "%Y-%m-%d").date(), time(), UTC)  # noqa: DTZ007  # a day
    except ValueError:
        return None


def _end(text: str) -> datetime | None:
    """The end of a day, which belongs to the period."""
    begin = day(text)
    return None if begin is None else begin + timedelta(days=1)


async def _page(deps: Console, session: Session, asked: Asked, problem: Problem | None = None) -> Response:
    page = await Page.begin(deps, session)
    roles = await roles_of(deps, session.person.subject)
    opened = await deps.ledger.records(kinds=(Kind.incident_opened,))
    return page.html(
        "evidence.html",
        code=problem.status if problem else 200,
        problem=problem,
        asked=asked,
        incidents=list(reversed(opened)),
        packs=await every(deps.ledger),
        may_redacted=may_build(roles),
        may_full=may_build(roles, "full"),
        mine=session.person.subject,
        min_reason=MIN_REASON,
        ready=deps.packs is not None,
    )
