"""The codec endpoint of the Temporal UI: a signed-in person with an operating role reads what a payload says (T14).

The page of the Temporal UI sends encrypted payloads here with the session cookie of the person who looks at it. Only
the one configured origin is answered, a request without a session gets nothing, and every request leaves a line in the
log: who, how many payloads, never what they say.
"""

from __future__ import annotations

import json
import logging
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from google.protobuf.json_format import MessageToDict, Parse, ParseError
from temporalio.api.common.v1 import Payload, Payloads

from adapters.directory_file import GovernanceInvalid
from adapters.payload_codec import EncryptingCodec, Undecodable
from console.auth import signed_in
from console.deps import Console, console
from console.intake import read_body
from console.problems import Problem

#: Roles that operate rollbacks or answer for them. A platform_admin reads no content.
MAY_READ = frozenset(
    {
        *("operator", "incident_commander", "release_owner", "product_owner", "safety_lead", "fairness_reviewer"),
        *("compliance_officer", "privacy_officer", "legal_counsel", "executive"),
    }
)
#: Bytes of one request; Temporal itself takes no payload above 2 MB.
MAX_BODY = 4 * 1024 * 1024
MAX_PAYLOADS = 1_000

_log = logging.getLogger(__name__)

router = APIRouter(include_in_schema=False)


@router.options("/codec/decode")
async def preflight(request: Request, deps: Annotated[Console, Depends(console)]) -> Response:
    """Whether a browser may send a page's request at all: from the one origin, with these headers."""
    if not _from_ui(request, deps):
        return Response(status_code=403)
    allowed = {"Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "content-type, x-namespace"}
    return Response(status_code=204, headers=_cors(deps) | allowed)


@router.post("/codec/decode")
async def decode(request: Request, deps: Annotated[Console, Depends(console)]) -> Response:
    """Temporal's remote codec protocol: payloads in, readable payloads out, in the same order.

    One that cannot be read comes back as a text that says why.
    """
    if not _from_ui(request, deps):
        return _refused(deps, 403, f"This is answered to pages of {_origin(deps)} only.", cors=False)
    session = await signed_in(request, deps)
    if session is None:
        return _refused(deps, 401, f"Sign in at {deps.settings.console_url}, then reload this page.")
    subject = session.person.subject
    try:
        people = await deps.people.snapshot()
        roles = () if people.is_excluded(subject) else people.roles_of(subject)
    except GovernanceInvalid:
        return _refused(deps, 503, "Who has which role cannot be read now.")
    if MAY_READ.isdisjoint(roles):
        _log.warning("codec: refused %s, who has none of the roles that may read payloads", subject)
        return _refused(deps, 403, f"Reading payloads needs one of the roles {', '.join(sorted(MAY_READ))}.")
    try:
        given = Parse(await read_body(request, MAX_BODY), Payloads())
    except (ParseError, UnicodeDecodeError, RecursionError):
        return _refused(deps, 400, 'The body must be JSON: {"payloads": [{"metadata": {…}, "data": "…"}]}.')
    except Problem as error:
        return _refused(deps, error.status, error.detail)
    if len(given.payloads) > MAX_PAYLOADS:
        return _refused(deps, 413, f"{len(given.payloads)} payloads; at most {MAX_PAYLOADS} are read at once.")
    readable, failed = _readable(deps.codec, given)
    _log.info("codec: %s read %d payloads, %d of them unreadable", subject, len(given.payloads), failed)
    return JSONResponse(MessageToDict(readable), headers=_cors(deps))


def _readable(codec: EncryptingCodec, given: Payloads) -> tuple[Payloads, int]:
    """Every payload in its order, and how many could not be read."""
    found, failed = Payloads(), 0
    for payload in given.payloads:
        try:
            found.payloads.append(codec.decoded(payload))
        except Undecodable as error:
            failed += 1
            words = json.dumps(f"cannot be read: {error}").encode()
            found.payloads.append(Payload(metadata={"encoding": b"json/plain"}, data=words))
    return found, failed


def _origin(deps: Console) -> str:
    parts = urlsplit(deps.settings.temporal_ui_url)
    return f"{parts.scheme}://{parts.netloc}"


def _from_ui(request: Request, deps: Console) -> bool:
    """Browsers send Origin with every such request and no page can forge it; without it, it is no page of the UI."""
    return request.headers.get("origin") == _origin(deps)


def _cors(deps: Console) -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": _origin(deps),
        "Access-Control-Allow-Credentials": "true",
        "Vary": "Origin",
    }


def _refused(deps: Console, status: int, sentence: str, *, cors: bool = True) -> JSONResponse:
    return JSONResponse({"message": sentence}, status_code=status, headers=_cors(deps) if cors else {})
