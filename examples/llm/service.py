"""The service: it looks both aliases up again every second, and says with every answer which parts it used.

`python -m examples.llm.service --port 8101 --registry http://127.0.0.1:5001`, with LLM_READ_TOKEN in the environment.
`POST /chat` answers users. `POST /shadow` answers the same question with the version before: nobody is shown that; the
candidate is compared with it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import httpx
import uvicorn
from countermand.canonical import digest_bytes
from countermand.plan.target import Value
from fastapi import FastAPI, Header, HTTPException
from fastapi.responses import JSONResponse

from examples.demo.answers import Assistant
from examples.llm.registry import Registry, prompt_text
from examples.llm.versions import LIVE, MODEL, MODEL_HEADER, PROMPT, PROMPT_HEADER, STABLE, assistant

_RELOAD_SECONDS = 1.0


class Question(Value):
    """What a user asks."""

    question: str


class Loaded(NamedTuple):
    """An assistant, and the digests of the bytes it was made of: computed here, never copied from a tag."""

    assistant: Assistant
    headers: dict[str, str]


class Aliases:
    """Both aliases as they were looked up last. A registry that is away changes nothing."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._files: dict[str, bytes] = {}
        self.now: dict[str, Loaded] = {}

    async def follow(self) -> None:
        """Look up again and again until cancelled."""
        while True:
            for alias in (LIVE, STABLE):
                try:
                    self.now[alias] = await self._load(alias)
                except httpx.HTTPError as error:
                    print(f"the registry cannot be read, {alias} stays: {type(error).__name__}", flush=True)
            await asyncio.sleep(_RELOAD_SECONDS)

    async def _load(self, alias: str) -> Loaded:
        version, prompt = await asyncio.gather(
            self._registry.version(MODEL, alias), self._registry.version(PROMPT, alias)
        )
        source, text = version["source"], prompt_text(prompt)
        if source not in self._files:
            self._files[source] = await self._registry.model(version)
        content = self._files[source]
        digests = {MODEL_HEADER: digest_bytes(content), PROMPT_HEADER: digest_bytes(text.encode())}
        return Loaded(assistant(content, text), digests)


def create_app(registry: Registry) -> FastAPI:
    """The service over this registry; it is healthy once both aliases were loaded."""
    aliases = Aliases(registry)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        following = asyncio.create_task(aliases.follow())
        yield
        following.cancel()
        await registry.close()

    app = FastAPI(title="Larkfield support assistant", lifespan=lifespan)

    def loaded(alias: str) -> Loaded:
        if alias not in aliases.now:
            raise HTTPException(503, "nothing is loaded yet")
        return aliases.now[alias]

    def answered(alias: str, user: str, asked: Question) -> JSONResponse:
        used = loaded(alias)
        return JSONResponse({"answer": used.assistant.answer(user, asked.question)}, headers=used.headers)

    @app.post("/chat")
    async def chat(asked: Question, user: str = Header(alias="x-user-id")) -> JSONResponse:
        return answered(LIVE, user, asked)

    @app.post("/shadow")
    async def shadow(asked: Question, user: str = Header(alias="x-user-id")) -> JSONResponse:
        return answered(STABLE, user, asked)

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        loaded(STABLE)
        return JSONResponse({"status": "ok"}, headers=loaded(LIVE).headers)

    return app


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="A service whose model and prompt are aliases in MLflow.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--registry", required=True, help="address of the registry")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        create_app(Registry(options.registry, os.environ["LLM_READ_TOKEN"])),
        host="127.0.0.1",
        port=options.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
