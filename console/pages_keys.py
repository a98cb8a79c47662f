"""Security keys of the signed-in person, and confirming a decision with one (GOV-62, CON-12).

The script in `static/keys.js` talks to the key; whatever it sends is checked here. A new key needs a sign-in that is
minutes old, so that a copied cookie cannot bring a key of its own (T8).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from adapters.security_keys import MAX_NAME, Ceremony
from adapters.step_ups import LIFE, KeyRefused
from console.auth import COOKIE, Session, browser, own_form
from console.deps import Console, console
from console.pages_sign_in import local
from console.problems import Problem
from console.render import Page

router = APIRouter()

Deps = Annotated[Console, Depends(console)]
Ours = Annotated[Session, Depends(own_form)]


# --- confirming a decision ------------------------------------------------------------------------------------


@router.post("/step-up")
async def begin_step_up(deps: Deps, session: Ours, digest: Annotated[str, Form()] = "") -> Response:
    """What the browser asks the key, for a decision on this digest."""
    async with _as_problem("step_up_required"):
        return _for_the_key(await deps.security_keys.begin(session.person.subject, digest))


@router.post("/step-up/{step_up_id}")
async def confirm_step_up(step_up_id: str, deps: Deps, session: Ours, answer: Annotated[str, Form()] = "") -> Response:
    """Check what the key signed; the decision is then sent with this id."""
    async with _as_problem("step_up_required"):
        await deps.security_keys.confirm(step_up_id, session.person.subject, answer)
    return JSONResponse({"step_up_id": step_up_id})


# --- the keys themselves --------------------------------------------------------------------------------------


@router.get("/account/keys")
async def keys(request: Request, deps: Deps, session: Annotated[Session, Depends(browser)], next: str = "") -> Response:
    """The person's own keys. `next`: where they came from."""
    return await _page(request, deps, session, next)


@router.post("/account/keys/options")
async def begin_registration(request: Request, deps: Deps, session: Ours) -> Response:
    """What the browser asks a new key."""
    async with _as_problem("key_refused"):
        await _only_fresh(request, deps)
        return _for_the_key(await deps.security_keys.begin_registration(session.person.subject, session.person.name))


@router.post("/account/keys")
async def register(
    request: Request,
    deps: Deps,
    session: Ours,
    name: Annotated[str, Form()] = "",
    step_up_id: Annotated[str, Form()] = "",
    answer: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "",
) -> Response:
    """Keep a new key."""
    try:
        await _only_fresh(request, deps)
        await deps.security_keys.register(step_up_id, session.person.subject, name, answer)
    except KeyRefused as refused:
        return await _page(request, deps, session, next, problem=_problem("key_refused", refused), name=name)
    return RedirectResponse(_back(next), status_code=303)


@router.post("/account/keys/{credential_id}/revoke")
async def revoke(
    request: Request, credential_id: str, deps: Deps, session: Ours, next: Annotated[str, Form()] = ""
) -> Response:
    """End a key for good; what it confirmed before stays confirmed."""
    try:
        await deps.security_keys.revoke(credential_id, session.person.subject)
    except KeyRefused as refused:
        return await _page(request, deps, session, next, problem=_problem("key_refused", refused))
    return RedirectResponse(_back(next), status_code=303)


@router.post("/account/keys/sign-in")
async def sign_in_again(request: Request, deps: Deps, _: Ours, next: Annotated[str, Form()] = "") -> Response:
    """End this session and come back with a new one."""
    await deps.accounts.end_session(request.cookies[COOKIE])
    response = RedirectResponse(f"/sign-in?next={quote(_back(next), safe='/')}", status_code=303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


async def _page(
    request: Request,
    deps: Console,
    session: Session,
    next_: str,
    *,
    problem: Problem | None = None,
    name: str = "",
) -> Response:
    page = await Page.begin(deps, session)
    found = await deps.security_keys.of(session.person.subject)
    return page.html(
        "keys.html",
        path="/account/keys",
        code=problem.status if problem else 200,
        keys=[key for key in found if key.revoked_at is None],
        revoked=[key for key in found if key.revoked_at is not None],
        site=deps.security_keys.site,
        fresh=await deps.accounts.signed_in_lately(request.cookies[COOKIE]),
        life=LIFE,
        max_name=MAX_NAME,
        next=local(next_) if next_ else "",
        name=name,
        problem=problem,
    )


async def _only_fresh(request: Request, deps: Console) -> None:
    if not await deps.accounts.signed_in_lately(request.cookies[COOKIE]):
        raise KeyRefused("your sign-in is older than five minutes.", "Sign in again, then register the key.")


@asynccontextmanager
async def _as_problem(code: str) -> AsyncIterator[None]:
    """Refusals as the problem document that the script reads."""
    try:
        yield
    except KeyRefused as refused:
        raise _problem(code, refused) from refused


def _problem(code: str, refused: KeyRefused) -> Problem:
    return Problem(403, code, f"{refused.detail[:1].upper()}{refused.detail[1:]}", refused.next)


def _for_the_key(ceremony: Ceremony) -> Response:
    return JSONResponse({"step_up_id": ceremony.step_up_id, "options": json.loads(ceremony.options)})


def _back(next_: str) -> str:
    return f"/account/keys?next={quote(local(next_), safe='/')}" if next_ else "/account/keys"
