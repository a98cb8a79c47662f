"""Who is asking: sessions for browsers, bearer tokens for the command line and for sources.

A session cookie is HttpOnly and SameSite=Strict; every effect by form carries a CSRF token bound to the session
and must come from our own origin (CON-4, CON-5).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import Depends, Form, Request, Response
from starlette.exceptions import HTTPException

from adapters.accounts import LOCAL, Evidence
from console.decide import Person
from console.deps import Console, console
from console.problems import Problem

COOKIE = "countermand_session"


@dataclass(frozen=True)
class Session:
    """A signed-in browser."""

    person: Person
    csrf: str


def csrf_of(token: str) -> str:
    """The form token of a session: derived, so nothing more has to be stored."""
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()


class SignInNeeded(Exception):
    """The browser is sent to the sign-in page and comes back to `path`."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.location = f"/sign-in?next={quote(path, safe='/')}"


async def browser(request: Request, deps: Annotated[Console, Depends(console)]) -> Session:
    """The signed-in person of a page. Raises SignInNeeded."""
    session = await signed_in(request, deps)
    if session is None:
        raise SignInNeeded(request.url.path)
    return session


async def signed_in(request: Request, deps: Console) -> Session | None:
    """The signed-in person of a page, if there is one."""
    token = request.cookies.get(COOKIE, "")
    found = await deps.accounts.session(token) if token else None
    if found is None or not deps.admits(found.subject):
        return None
    return Session(Person(subject=found.subject, name=found.name, acr=found.evidence.acr), csrf_of(token))


async def start_session(
    response: Response, request: Request, deps: Console, subject: str, evidence: Evidence = LOCAL
) -> None:
    """Sign a person in whose identity was just shown: the answer sets the cookie."""
    response.set_cookie(
        COOKIE,
        await deps.accounts.start_session(subject, evidence),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def own_origin(request: Request) -> None:
    """Raises 403 when a form was sent by a page of another origin.

    Under our `Referrer-Policy: no-referrer` browsers send `Origin: null` with our own forms too; then only
    `Sec-Fetch-Site`, which no page can forge, tells them from others.
    """
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    ours = origin in (None, "null") or urlsplit(str(origin)).netloc == request.headers.get("host")
    if site is None:
        ours = ours and origin != "null"
    elif site not in ("same-origin", "none"):
        ours = False
    if not ours:
        raise HTTPException(403, f"This form was sent from {origin}, not from this console; nothing was done.")


async def own_form(
    request: Request, session: Annotated[Session, Depends(browser)], csrf: Annotated[str, Form()] = ""
) -> Session:
    """A form post of our own page. Raises 403 for a foreign origin or a wrong token; nothing has happened then."""
    own_origin(request)
    if not hmac.compare_digest(csrf, session.csrf):
        raise HTTPException(403, "This form is too old or not ours; reload the page and try again. Nothing was done.")
    return session


def bearer(request: Request) -> str:
    """The bearer token of a request. Raises 401."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem(401, "unauthenticated", "No bearer token was sent.", "Sign in: `countermand login`.")
    return token.strip()


async def api_person(request: Request, deps: Annotated[Console, Depends(console)]) -> Person:
    """The person behind an API call. Raises 401; a source token is never a person (GOV-2)."""
    person = await deps.accounts.person_of_token(bearer(request))
    if person is None or not deps.admits(person.subject):
        raise Problem(
            401, "unauthenticated", "This token is unknown, expired or not a person's.", "Sign in: `countermand login`."
        )
    return Person(subject=person.subject, name=person.name)
