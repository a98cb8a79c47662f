"""Sign-in with the identity provider: there, and back (CON-11).

One short-lived cookie holds a random secret; `state`, `nonce` and the PKCE verifier are derived from it. So the answer
counts in the browser that asked, once, and nothing is kept on the server for people who never come back.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import secrets
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from adapters.oidc import OidcProvider, ProviderUnavailable, SignedIn, SignInRefused
from adapters.oidc_groups import SignInGroups
from console.auth import start_session
from console.deps import Console, console
from console.pages_sign_in import local, sign_in_page
from console.render import standalone

router = APIRouter()

Deps = Annotated[Console, Depends(console)]

COOKIE = "countermand_sign_in"
#: Seconds for signing in at the provider.
LIFE = 600
RETURN = "/sign-in/return"

_NOT_OURS = "This sign-in was not begun in this browser, is too old, or was used already. Please begin again."
_REFUSED = "What the identity provider sent does not prove who you are; nobody was signed in. Please begin again."
_DENIED = "The identity provider did not sign you in. Please begin again, or ask there."
_SILENT = "The identity provider does not answer as it should. Try again in a minute, or ask who runs this console."

_log = logging.getLogger(__name__)


def provider(deps: Deps) -> OidcProvider:
    """The identity provider of this console. Raises 404 when there is none."""
    if deps.provider is None:
        raise HTTPException(404, "This console has no identity provider; sign in with your account.")
    return deps.provider


Provider = Annotated[OidcProvider, Depends(provider)]


@router.get("/sign-in/provider")
async def leave(request: Request, deps: Deps, there: Provider, next: str = "/") -> Response:
    """Send the browser to the provider, with the cookie that its answer has to fit."""
    secret = secrets.token_urlsafe(32)
    try:
        address = await there.address(_of(secret, "state"), _of(secret, "nonce"), _of(secret, "verifier"))
    except ProviderUnavailable as error:
        _log.error("sign-in: %s", error)
        return sign_in_page(deps, next, 503, error=_SILENT)
    response = RedirectResponse(address, status_code=303)
    # Lax: the provider sends the browser back from another site.
    response.set_cookie(
        COOKIE,
        f"{secret}:{quote(local(next), safe='')}",
        max_age=LIFE,
        path="/sign-in",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


@router.get(RETURN)
async def come_back(request: Request, deps: Deps, there: Provider) -> Response:
    """Check what the provider sent and start a session, or say that nobody was signed in."""
    secret, _, kept = request.cookies.get(COOKIE, "").partition(":")
    next, status = local(unquote(kept)), 403
    said = request.query_params
    error = _unasked(said, secret, there.settings.issuer)
    if not error:
        try:
            person = await there.sign_in(said["code"], _of(secret, "nonce"), _of(secret, "verifier"))
            response = await _let_in(request, deps, person, next)
        except SignInRefused as refused:
            _log.warning("sign-in refused: %s", refused)
            error = _REFUSED
        except ProviderUnavailable as unavailable:
            _log.error("sign-in: %s", unavailable)
            error, status = _SILENT, 503
    if error:
        response = sign_in_page(deps, next, status, error=error)
    response.delete_cookie(COOKIE, path="/sign-in", httponly=True, samesite="lax")
    return response


def _unasked(said: Mapping[str, str], secret: str, issuer: str) -> str:
    """Why the answer is not one to a sign-in of this browser that worked; empty when it is."""
    if not secret or not hmac.compare_digest(said.get("state", "").encode(), _of(secret, "state").encode()):
        return _NOT_OURS
    if "error" in said or not said.get("code"):
        return _DENIED
    return "" if said.get("iss", issuer) == issuer else _REFUSED


async def _let_in(request: Request, deps: Console, person: SignedIn, next: str) -> Response:
    await deps.accounts.know(person.subject, person.name)
    await SignInGroups(deps.database).signed_in(person.subject, person.groups, person.at)
    # The browser came from another site, so the Strict cookie goes along only from a page of ours on.
    response = standalone("again.html", next=next)
    await start_session(response, request, deps, person.subject, person.evidence)
    return response


def _of(secret: str, purpose: str) -> str:
    """A value of this sign-in that nobody can derive from the others."""
    said = hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(said).rstrip(b"=").decode()
