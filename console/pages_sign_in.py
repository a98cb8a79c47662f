"""The sign-in page, sign-in with local accounts, and sign-out (CON-5, CON-13)."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from console.attempts import Attempts, attempts, guesser
from console.auth import COOKIE, Session, own_form, own_origin, signed_in, start_session
from console.deps import Console, console
from console.render import standalone

router = APIRouter()

Deps = Annotated[Console, Depends(console)]

_LOCAL = re.compile(r"/(?![/\\])[A-Za-z0-9._~/%=&?|:@-]*")
_NO_MATCH = "This account and password do not match."
_NO_PASSWORDS = "Passwords are switched off here; use the button."
_TOO_MANY = "Too many attempts for this account; wait five minutes, then try again."


@router.get("/sign-in")
async def sign_in_form(request: Request, deps: Deps, next: str = "/") -> Response:
    """The form; who is signed in goes on at once.

    A Strict cookie does not come along when a link in another site is followed. Then a page without content
    loads this one again, from here, and the cookie is there (CON-5).
    """
    if request.headers.get("sec-fetch-site") == "cross-site":
        return standalone("again.html", next=local(next))
    if await signed_in(request, deps) is not None:
        return RedirectResponse(local(next), status_code=303)
    return sign_in_page(deps, next)


@router.post("/sign-in", dependencies=[Depends(own_origin)])
async def sign_in(
    request: Request,
    deps: Deps,
    failures: Annotated[Attempts, Depends(attempts)],
    subject: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Check the password, start a session, go to `next`. What was wrong is never said more exactly."""
    if not deps.local_accounts:
        return sign_in_page(deps, next, 403, error=_NO_PASSWORDS)
    full = subject.strip() if "|" in subject else f"local|{subject.strip()}"
    now = deps.clock()
    who = guesser(full, request)
    if failures.blocked(who, now):
        return sign_in_page(deps, next, 429, subject=subject, error=_TOO_MANY)
    account = await deps.accounts.authenticate(full, password)
    if account is None:
        failures.failed(who, now)
        return sign_in_page(deps, next, 401, subject=subject, error=_NO_MATCH)
    response = RedirectResponse(local(next), status_code=303)
    await start_session(response, request, deps, account.subject)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, deps: Deps, _: Annotated[Session, Depends(own_form)]) -> Response:
    """End the session on the server, not only in the browser."""
    await deps.accounts.end_session(request.cookies[COOKIE])
    response = RedirectResponse("/sign-in", status_code=303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


def sign_in_page(deps: Console, next: str, status: int = 200, *, subject: str = "", error: str = "") -> Response:
    """The page with every way to sign in that is switched on."""
    return standalone(
        "sign_in.html",
        status,
        next=local(next),
        subject=subject,
        error=error,
        provider=deps.provider.settings.name if deps.provider else "",
        local_accounts=deps.local_accounts,
    )


def local(path: str) -> str:
    """`path` if it can only lead to this console, else the overview."""
    return path if _LOCAL.fullmatch(path) else "/"
