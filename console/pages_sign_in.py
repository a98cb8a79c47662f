"""Sign-in and sign-out with local accounts (CON-5, CON-13)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from console.auth import COOKIE, Session, own_form, own_origin
from console.deps import Console, console
from console.render import standalone

router = APIRouter()

Deps = Annotated[Console, Depends(console)]

FAILURES = 10
WINDOW = timedelta(minutes=5)
_LOCAL = re.compile(r"/(?![/\\])[A-Za-z0-9._~/%=&?|:@-]*")
_NO_MATCH = "This account and password do not match."
_TOO_MANY = "Too many attempts for this account; wait five minutes, then try again."


class Attempts:
    """Failed sign-ins per account, so that guessing is slow whatever address it comes from."""

    def __init__(self) -> None:
        self._failed: dict[str, list[datetime]] = {}

    def blocked(self, subject: str, now: datetime) -> bool:
        """Whether this account has had its failures for now."""
        return len(self._recent(subject, now)) >= FAILURES

    def failed(self, subject: str, now: datetime) -> None:
        if len(self._failed) > 1_000:
            self._failed = {name: at for name in self._failed if (at := self._recent(name, now))}
        self._failed[subject] = [*self._recent(subject, now), now]

    def _recent(self, subject: str, now: datetime) -> list[datetime]:
        return [at for at in self._failed.get(subject, ()) if at > now - WINDOW]


def attempts(request: Request) -> Attempts:
    """The process's memory of failures."""
    state = request.app.state
    if not hasattr(state, "attempts"):
        state.attempts = Attempts()
    found: Attempts = state.attempts
    return found


@router.get("/sign-in")
async def sign_in_form(request: Request, deps: Deps, next: str = "/") -> Response:
    """The form; who is signed in goes on at once.

    A Strict cookie does not come along when a link in another site is followed. Then a page without content
    loads this one again, from here, and the cookie is there (CON-5).
    """
    if request.headers.get("sec-fetch-site") == "cross-site":
        return standalone("again.html", next=local(next))
    token = request.cookies.get(COOKIE, "")
    if token and await deps.accounts.session(token):
        return RedirectResponse(local(next), status_code=303)
    return standalone("sign_in.html", next=local(next), subject="", error="")


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
    full = subject.strip() if "|" in subject else f"local|{subject.strip()}"
    now = deps.clock()
    if failures.blocked(full, now):
        return standalone("sign_in.html", 429, next=local(next), subject=subject, error=_TOO_MANY)
    account = await deps.accounts.authenticate(full, password)
    if account is None:
        failures.failed(full, now)
        return standalone("sign_in.html", 401, next=local(next), subject=subject, error=_NO_MATCH)
    response = RedirectResponse(local(next), status_code=303)
    response.set_cookie(
        COOKIE,
        await deps.accounts.start_session(account.subject),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@router.post("/sign-out")
async def sign_out(request: Request, deps: Deps, _: Annotated[Session, Depends(own_form)]) -> Response:
    """End the session on the server, not only in the browser."""
    await deps.accounts.end_session(request.cookies[COOKIE])
    response = RedirectResponse("/sign-in", status_code=303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


def local(path: str) -> str:
    """`path` if it can only lead to this console, else the overview."""
    return path if _LOCAL.fullmatch(path) else "/"
