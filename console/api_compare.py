"""The JSON API of versions and where outputs come from: manifests, parts, comparison, trace (R70–R72)."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from console import bundles, comparing, tracing
from console.api import Deps, SignedIn
from console.api_versions import Digest
from console.bundles import Sent
from console.intake import read_body
from console.problems import Problem
from countermand.compare.manifest import MAX_CONTENT, PARTS, PartName

router = APIRouter()

#: Every part as large as it may be, in base64, and the manifest.
MAX_BODY = (len(PARTS) * MAX_CONTENT * 4) // 3 + 256 * 1024

Body = TypeVar("Body", bound=BaseModel)
Reference = Annotated[str, Field(min_length=1, max_length=200)]


class Pair(BaseModel):
    """Two versions: `RELEASE:candidate`, `RELEASE:baseline`, the digest of a bundle, or a manifest with contents."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    a: Reference | Sent
    b: Reference | Sent


@router.post("/api/v1/bundles/{digest}")
async def put_bundle(digest: Digest, request: Request, person: SignedIn, deps: Deps) -> dict[str, Any]:
    """Describe a bundle: `{"manifest": {…}, "contents": {part: base64}}`. The manifest names exactly its parts."""
    return await bundles.put(deps, person, digest, await _body(request, Sent, MAX_BODY))


@router.get("/api/v1/bundles/{digest}")
async def show_bundle(digest: Digest, deps: Deps, _: SignedIn) -> dict[str, Any]:
    """What is known about a bundle; `manifest` is null when nobody described it."""
    return await bundles.view(deps, digest)


@router.get("/api/v1/bundles/{digest}/parts/{part}", response_class=Response)
async def bundle_part(digest: Digest, part: Annotated[PartName, Path()], deps: Deps, _: SignedIn) -> Response:
    """The exact bytes of a kept part."""
    # Never with the type its sender gave it: a browser would run a page.
    headers = {"Content-Disposition": f'attachment; filename="{part}"'}
    return Response(await bundles.part(deps, digest, part), media_type="application/octet-stream", headers=headers)


@router.post("/api/v1/compare")
async def compare(request: Request, deps: Deps, _: SignedIn) -> dict[str, Any]:
    """Two versions (`{"a": …, "b": …}`) part by part, and what was measured of both. Nothing is kept."""
    body = await _body(request, Pair, 2 * MAX_BODY)
    return comparing.comparison_json(await comparing.compare(deps, body.a, body.b))


@router.get("/api/v1/outputs/{output_id:path}")
async def trace_output(output_id: str, deps: Deps, _: SignedIn) -> dict[str, Any]:
    """Which version made this output, what that was trained on, and where its labels were counted."""
    return tracing.trace_json(await tracing.trace(deps, output_id))


async def _body(request: Request, model: type[Body], limit: int) -> Body:
    """The body, of at most `limit` bytes. Raises Problem with the first misfit and its place."""
    raw = await read_body(request, limit)
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = "/".join(map(str, first["loc"])) or "the body"
        raise Problem(422, "schema", f"{where}: {first['msg']}", "docs/compare.md shows a manifest.") from error
