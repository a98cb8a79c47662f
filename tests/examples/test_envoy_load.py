"""The load of the Envoy example: open loop, no request skipped, and every way to fail counts as failed."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import aiohttp
import httpx
import pytest
from aiohttp import web

from countermand.cli.processes import free_port
from countermand.detection.models import Arm
from examples.demo.bundles import BASELINE
from examples.demo.outbox import Outbox
from examples.envoy.assistant import application
from examples.envoy.load import Load, Request, read_requests
from tests.waiting import until

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
RATE = 50.0


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def answering(handler: Handler) -> web.Application:
    app = web.Application()
    app.router.add_post("/chat", handler)
    return app


class Users:
    """A load whose labels go nowhere: they wait in the outbox, where they are counted."""

    def __init__(self, folder: Path, client: httpx.AsyncClient) -> None:
        self.log = folder / "requests.csv"
        self.rare = folder / "rare"
        self.rare.write_text("0")
        self.outbox = Outbox(client, "http://127.0.0.1:9/never", "token", "run")
        self.stop = asyncio.Event()

    async def ask(self, service: str, *, time_limit: float = 20) -> None:
        options = argparse.Namespace(service=service, rate=RATE, rare_file=self.rare, release="rel", seed=1)
        timeout = aiohttp.ClientTimeout(total=time_limit)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            with self.log.open("w", newline="") as log:
                await Load(options, session, self.outbox, log).run(self.stop)

    async def until_asked(self, service: str, many: int, *, time_limit: float = 20) -> list[Request]:
        asking = asyncio.create_task(self.ask(service, time_limit=time_limit))

        async def enough() -> bool:
            return self.log.exists() and len(read_requests(self.log)) >= many

        await until(enough, f"{many} requests have ended", within=40)
        self.stop.set()
        await asking
        return sorted(read_requests(self.log))


@pytest.fixture
async def users(tmp_path: Path) -> AsyncIterator[Users]:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        yield Users(tmp_path, client)


async def test_requests_are_due_at_fixed_times_and_each_success_is_labelled(users: Users) -> None:
    async with serving(application(Arm.baseline, BASELINE)) as service:
        rows = await users.until_asked(service, 40)
    assert [row.number for row in rows] == list(range(len(rows)))
    gaps = {round(later.due - earlier.due, 6) for earlier, later in pairwise(rows)}
    assert gaps == {1 / RATE}
    assert not any(row.failed for row in rows)
    assert {row.arm for row in rows} == {"baseline"}
    assert all(row.due <= row.sent <= row.done for row in rows)
    assert users.outbox.waiting == 2 * len(rows)


async def test_a_service_that_stalls_does_not_hold_the_load_back(users: Users) -> None:
    """All are sent before the first is answered, and the first ones show how long they waited."""
    arrived = 0
    released = asyncio.Event()

    async def stalled(request: web.Request) -> web.Response:
        nonlocal arrived
        arrived += 1
        if arrived >= 60:
            released.set()
        await released.wait()
        return web.json_response({"answer": "Yes."}, headers={"x-release-arm": "baseline"})

    async with serving(answering(stalled)) as service:
        rows = await users.until_asked(service, 60)
    assert not any(row.failed for row in rows)
    assert rows[0].latency > 50 / RATE
    assert rows[0].latency > rows[50].latency


async def unavailable(_: web.Request) -> web.Response:
    return web.Response(status=503, text="no healthy upstream")


async def nameless(_: web.Request) -> web.Response:
    return web.json_response({"answer": "Yes."})


async def cut_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"x-release-arm": "baseline", "content-type": "application/json"})
    response.content_length = 100
    await response.prepare(request)
    await response.write(b'{"answer": "Y')
    assert request.transport is not None
    request.transport.close()
    return response


async def silent(_: web.Request) -> web.Response:
    await asyncio.sleep(60)
    return web.Response()


@pytest.mark.parametrize(("handler", "status"), [(unavailable, 503), (nameless, 200), (cut_off, 200), (silent, 0)])
async def test_anything_but_a_whole_answer_is_a_failed_request(users: Users, handler: Handler, status: int) -> None:
    async with serving(answering(handler)) as service:
        rows = await users.until_asked(service, 5, time_limit=0.5 if handler is silent else 20)
    assert all(row.failed for row in rows)
    assert {row.status for row in rows} == {status}
    assert users.outbox.waiting == 0


async def test_a_connection_that_is_refused_is_a_failed_request_and_the_next_is_sent_all_the_same(users: Users) -> None:
    rows = await users.until_asked(f"http://127.0.0.1:{free_port(0)}", 20)
    assert [row.number for row in rows] == list(range(len(rows)))
    assert all(row.failed for row in rows)
