"""The signal intake: `POST /api/v1/signals`, authenticated per source, closed schema, durable before it answers."""

from __future__ import annotations

import gzip
import io
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from activities.signal_ports import Batch, BatchConflict
from adapters.accounts import SIGNALS_WRITE, ApiToken
from console.auth import bearer
from console.batches import batch_of
from console.deps import Console, console
from console.limits import limited
from console.problems import Problem

router = APIRouter()

MAX_BODY = 1024 * 1024
MEDIA_TYPES = ("application/json", "application/x-ndjson")


@router.post("/api/v1/signals", status_code=202)
async def push(request: Request, deps: Annotated[Console, Depends(console)]) -> JSONResponse:
    """Store a batch whole or not at all; what was rejected is said item by item.

    `application/json`: PushBody. `application/x-ndjson`: a first line with `schema` and `batch_id`, then one item per
    line.
    """
    token = await source_token(request, deps)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if media_type not in MEDIA_TYPES:
        raise Problem(415, "wrong_media_type", f"{media_type!r}", f"Send {' or '.join(MEDIA_TYPES)}.")
    batch = batch_of(await inflated(request, MAX_BODY), lines=media_type == MEDIA_TYPES[1])
    return await stored(deps, token, batch)


async def source_token(request: Request, deps: Console) -> ApiToken:
    """The token of a signal source that calls. Raises 401 for every other caller."""
    token = await deps.accounts.token(bearer(request))
    if token is None or token.kind != "source":
        raise Problem(
            401,
            "unauthenticated",
            "This token is unknown, expired or not a signal source's.",
            "Make one on the server: `python -m console.admin source add NAME`.",
        )
    limited(request, token.subject, deps.clock())
    return token


async def stored(deps: Console, token: ApiToken, batch: Batch) -> JSONResponse:
    """The answer to a batch after its durable write. Raises 409, 422 and 503 as sources.md §3 has them."""

    def may(release_id: str, environment: str) -> bool:
        return token.allows(SIGNALS_WRITE, release_id=release_id, environment=environment)

    try:
        answer = await deps.signals.add(token.subject, batch, deps.clock(), may=may)
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
        first = answer.rejected[0]
        raise Problem(
            422,
            "all_rejected",
            f"None of the {len(answer.rejected)} items was accepted; {first.part}/{first.index}: {first.code}: "
            f"{first.detail}",
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


async def inflated(request: Request, limit: int) -> bytes:
    """The body, inflated; the limit of bytes holds before and after inflation."""
    raw = await read_body(request, limit)
    if request.headers.get("content-encoding") == "gzip":
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
                raw = file.read(limit + 1)
        except (OSError, EOFError) as error:
            raise Problem(400, "not_gzip", f"The body is not gzip: {error}", "Send gzip or plain JSON.") from error
        if len(raw) > limit:
            raise _too_large(limit)
    return raw


def _too_large(limit: int) -> Problem:
    return Problem(413, "too_large", f"The body is over {limit} bytes.", "Send less at once.")
