"""The door before the registry: it asks for a token, which MLflow by itself does not.

`python -m examples.llm.door --port 5001 --registry http://127.0.0.1:5000 --frozen FILE`, with LLM_READ_TOKEN and
LLM_WRITE_TOKEN in the environment. A registered model whose name stands in FILE is frozen: its aliases are not moved.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_ALIAS = "/api/2.0/mlflow/registered-models/alias"
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create_app(registry: str, read: str, write: str, frozen: Path) -> Starlette:
    """Passes everything on that the token allows."""
    client = httpx.AsyncClient(base_url=registry, trust_env=False, timeout=20)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await client.aclose()

    async def passed(request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in (read, write):
            return _refused(401, "sign in with a token")
        if request.method != "GET" and token != write:
            return _refused(403, "this token may only read")
        body = await request.body()
        if request.method == "POST" and request.url.path == _ALIAS and _moves(body, frozen):
            return _refused(423, "this model is frozen")
        kept = {name: request.headers[name] for name in ("content-type",) if name in request.headers}
        path = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
        answer = await client.request(request.method, path, content=body, headers=kept)
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))

    return Starlette(routes=[Route("/{path:path}", passed, methods=_METHODS)], lifespan=lifespan)


def _moves(body: bytes, frozen: Path) -> bool:
    """Whether this names a version for a frozen model. Versions count from 1: 0 only asks for the right to write."""
    names = frozen.read_text().split() if frozen.exists() else []
    asked = json.loads(body)
    return asked["name"] in names and asked["version"] != "0"


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"detail": why}, status)


def main() -> None:
    """Pass on until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="A door that asks for a token.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--registry", required=True, help="address of MLflow")
    parser.add_argument("--frozen", type=Path, required=True, help="names of models whose aliases are not moved")
    options = parser.parse_args()
    tokens = os.environ["LLM_READ_TOKEN"], os.environ["LLM_WRITE_TOKEN"]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        create_app(options.registry, *tokens, options.frozen),
        host="127.0.0.1",
        port=options.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
