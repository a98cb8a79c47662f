"""The signal intake: `POST /api/v1/signals`, authenticated per source, closed schema, durable before it answers."""

from __future__ import annotations

import gzip
import hashlib
import io
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.exc import SQLAlchemyError

from activities.ports import BatchConflict, ForeignId, LabelledOutput
from console.auth import bearer
from console.deps import Console, console
from console.problems import Problem

router = APIRouter()

MAX_BODY = 1024 * 1024
MAX_ITEMS = 5_000


class Batch(BaseModel):
    """The body of a push. Unknown fields are refused; the source is known from the credential, never from here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: Literal["countermand.signals/v1"] = Field(alias="schema")
    batch_id: ForeignId
    items: Annotated[tuple[LabelledOutput, ...], Field(min_length=1, max_length=MAX_ITEMS)]


@router.post("/api/v1/signals", status_code=202)
async def push(request: Request, deps: Annotated[Console, Depends(console)]) -> JSONResponse:
    """Store a batch whole or not at all; what was rejected is said item by item."""
    source_id = await deps.accounts.source_of_token(bearer(request))
    if source_id is None:
        raise Problem(
            401,
            "unauthenticated",
            "This token is unknown, expired or not a signal source's.",
            "Make one on the server: `python -m console.admin source add NAME`.",
        )
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Problem(415, "wrong_media_type", f"{request.headers.get('content-type')!r}", "Send application/json.")
    raw = await _inflated(request)
    batch = _parse(raw)
    try:
        answer = await deps.signals.add(
            source_id, batch.batch_id, hashlib.sha256(raw).hexdigest(), batch.items, deps.clock()
        )
    except BatchConflict as error:
        raise Problem(
            409,
            "batch_conflict",
            str(error),
            "A batch id names one body for ever; use a new id for new content.",
        ) from error
    except SQLAlchemyError as error:
        raise Problem(
            503, "store_unavailable", "The store is not available; nothing was kept.", "Send again."
        ) from error
    body = answer.model_dump(mode="json")
    if answer.rejected and not answer.accepted and not answer.duplicates:
        raise Problem(
            422,
            "all_rejected",
            f"None of the {len(batch.items)} items was accepted.",
            "See `rejected`.",
            **body,
        )
    return JSONResponse(body, status_code=202)


async def read_body(request: Request, limit: int) -> bytes:
    """The raw body. Raises 413 as soon as it is longer than `limit` bytes."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


async def _inflated(request: Request) -> bytes:
    """The body, inflated; the size limit holds before and after inflation."""
    raw = await read_body(request, MAX_BODY)
    if request.headers.get("content-encoding") == "gzip":
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
                raw = file.read(MAX_BODY + 1)
        except (OSError, EOFError) as error:
            raise Problem(400, "not_gzip", f"The body is not gzip: {error}", "Send gzip or plain JSON.") from error
        if len(raw) > MAX_BODY:
            raise _too_large(MAX_BODY)
    return raw


def _too_large(limit: int) -> Problem:
    return Problem(413, "too_large", f"The body is over {limit} bytes.", "Send less at once.")


def _parse(raw: bytes) -> Batch:
    try:
        return Batch.model_validate_json(raw)
    except ValidationError as error:
        problems = [
            {
                "where": "/".join(str(part) for part in item["loc"]),
                "detail": item["msg"],
                "value": repr(item["input"])[:100],
            }
            for item in error.errors(include_url=False, include_context=False)[:20]
        ]
        malformed = error.errors()[0]["type"] == "json_invalid"
        raise Problem(
            400 if malformed else 422,
            "not_json" if malformed else "schema",
            f"{problems[0]['where'] or 'body'}: {problems[0]['detail']} (got {problems[0]['value']})",
            "The schema is countermand.signals/v1 in the OpenAPI file; nothing was kept.",
            problems=problems,
        ) from error
