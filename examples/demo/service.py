"""The demo service: two real assistants behind one address, and a split that decides who gets which.

`python -m examples.demo.service --port 8090 --database demo.sqlite`, with DEMO_READ_TOKEN and
DEMO_WRITE_TOKEN in the environment. Listens on loopback only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from countermand.detection.models import Arm
from countermand.plan.target import Split, Value
from fastapi import FastAPI, Header
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import Field

from examples.demo.bundles import BASELINE, CANDIDATE, SERVICE, UNKNOWN
from examples.demo.control import Effects, Router, Tokens, control
from examples.demo.faults import FaultPort, Script
from examples.demo.leases import LeaseStore
from examples.demo.notes import NoteStore
from examples.demo.observed import Observed
from examples.demo.split import SplitStore, arm_of


class Question(Value):
    """What a user asks."""

    question: Annotated[str, Field(min_length=1, max_length=2_000)]


#: Seconds between two looks for a lease that ran out.
_LEASES_EVERY = 0.1

UserId = Annotated[str, Header(alias="x-user-id", min_length=1, max_length=200)]


def create_app(database: Path, tokens: Tokens, *, candidate_bp: int = 5_000, faults: bool = False) -> FastAPI:
    """The service over this database; `faults` opens the fault port (no token: never where users are)."""
    arms = {Arm.candidate: CANDIDATE, Arm.baseline: BASELINE}
    digests = {arm: served.bundle.digest for arm, served in arms.items()}
    store = SplitStore(database)
    store.seed(SERVICE, Split.candidate(candidate_bp), salt=f"{CANDIDATE.bundle.name}/")
    leases = LeaseStore(store.database, store)
    leases.expire()  # what ran out while nobody served goes back before the first request
    router = Router(store, SERVICE)
    notes = NoteStore(database)
    observed = Observed(digests)
    observed.start(router.state.generation)
    fault_port = FaultPort()
    effects = Effects(leases, router, observed, fault_port)

    async def watch_leases() -> None:
        while True:
            effects.expire_leases()
            await asyncio.sleep(_LEASES_EVERY)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(watch_leases())
        yield
        notes.close()
        watching.cancel()
        store.close()

    app = FastAPI(title="Larkfield support assistant", lifespan=lifespan)
    app.include_router(control(tokens, store, leases, effects, observed, arms, fault_port))

    @app.post("/chat")
    async def chat(asked: Question, user: UserId) -> JSONResponse:
        split = router.state
        arm = arm_of(router.salt, user, split.candidate_bp)
        broken = arm in fault_port.standing.arms
        observed.count(arm, user, ok=not broken)
        headers = {
            "x-release-arm": arm,
            "x-release-digest": digests[arm],
            "x-split-generation": str(split.generation),
        }
        if broken:
            return JSONResponse({"detail": "the assistant does not answer"}, 503, headers)
        answer = arms[arm].assistant.answer(user, asked.question)
        notes.write(user, digests[arm], answer, known=answer != UNKNOWN)
        return JSONResponse({"answer": answer}, headers=headers)

    @app.get("/manifests")
    async def manifests() -> list[dict[str, Any]]:
        return [served.described for served in (BASELINE, CANDIDATE)]

    @app.get("/metrics")
    async def metrics() -> PlainTextResponse:
        return PlainTextResponse(observed.metrics())

    @app.get("/healthz")
    async def healthz() -> dict[str, int]:
        return {"generation": router.state.generation}

    if faults:

        @app.post("/faults", status_code=204)
        async def script(script: Script) -> None:
            fault_port.load(script)

        @app.delete("/faults", status_code=204)
        async def clear() -> None:
            fault_port.load(Script())
            router.reload()

    return app


def main() -> None:
    """Serve until SIGTERM or SIGINT; both end the process with exit code 0."""
    parser = argparse.ArgumentParser(description="Countermand's demo service.")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--database", type=Path, default=Path("demo.sqlite"))
    parser.add_argument("--candidate-bp", type=int, default=5_000, help="first share, 0…10000")
    parser.add_argument("--faults", action="store_true", help="open the fault port")
    options = parser.parse_args()
    missing = [name for name in ("DEMO_READ_TOKEN", "DEMO_WRITE_TOKEN") if not os.environ.get(name)]
    if missing:
        parser.error(f"set {' and '.join(missing)} in the environment")
    tokens = Tokens(read=os.environ["DEMO_READ_TOKEN"], write=os.environ["DEMO_WRITE_TOKEN"])
    # uvicorn stops gracefully on SIGTERM and then raises it again, which would end the process with an error.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        create_app(options.database, tokens, candidate_bp=options.candidate_bp, faults=options.faults),
        host="127.0.0.1",
        port=options.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
