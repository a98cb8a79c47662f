"""Errors of the JSON API as `application/problem+json` (RFC 9457): a code, what is wrong, what to do next."""

from __future__ import annotations

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from console.temporal import OutcomeUnknown
from countermand.governance.decision import Refusal, Refused

_STATUS = {
    Refusal.not_your_role: 403,
    Refusal.four_eyes: 403,
    Refusal.actor_not_a_person: 403,
    Refusal.signature_invalid: 403,
    Refusal.step_up_required: 403,
    Refusal.unknown_ask: 404,
    Refusal.reason_too_short: 422,
    Refusal.rate_limited: 429,
    Refusal.directory_unavailable: 503,
}


#: What each pattern accepts, in words.
_PATTERNS = {
    r"^sha256:[0-9a-f]{64}$": "a digest is, `sha256:` and 64 hex digits",
    r"^[a-z][a-z0-9_-]{0,62}$": "a name is: a small letter, then small letters, digits, '_' and '-', 63 at most",
}


class Problem(Exception):
    """Answered as a problem document. `code` is stable, `detail` quotes the value, `next` says what to do."""

    def __init__(self, status: int, code: str, detail: str, next_: str = "", **extra: object) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.next = next_
        self.extra = extra

    def response(self) -> JSONResponse:
        body = {
            "type": f"urn:countermand:problem:{self.code}",
            "title": self.code.replace("_", " "),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "next": self.next,
            **self.extra,
        }
        return JSONResponse(body, status_code=self.status, media_type="application/problem+json")


def of_refusal(refusal: Refused) -> Problem:
    """A refused decision: 403 not allowed, 404 no such ask, 409 refused by state, 422 reason too short,
    503 roles not known now."""
    return Problem(_STATUS.get(refusal.code, 409), refusal.code.value, refusal.detail, refusal.next)


def of_unknown(error: OutcomeUnknown) -> Problem:
    """No answer from the workflow in time."""
    return Problem(
        503,
        "outcome_unknown",
        f"{error}; your decision may still be counted.",
        "Look at the incident before deciding again; repeating with the same decision id is safe.",
    )


async def answer(_: Request, error: Exception) -> Response:
    """The one exception handler for everything people can be told about."""
    match error:
        case Problem():
            return error.response()
        case Refused():
            return of_refusal(error).response()
        case OutcomeUnknown():
            return of_unknown(error).response()
    raise error


async def invalid(_: Request, error: Exception) -> Response:
    """Input that does not fit its schema: the first misfit with its place and value."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    where = "/".join(str(part) for part in first["loc"])
    value = repr(first.get("input"))[:100]
    wanted = _PATTERNS.get(str(first.get("ctx", {}).get("pattern")))
    if wanted is None and first["type"].startswith("datetime"):
        wanted = "an instant with its time zone is, for example 2026-12-01T00:00:00Z"
    said = f"{value} is not accepted; {wanted}" if wanted else f"{first['msg']} (got {value})"
    return Problem(
        422, "schema", f"{where}: {said}", "Correct it and try again; docs/openapi.json has every field."
    ).response()
