"""The stream itself: what is sent, what a cut costs, how many may listen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from console import live
from console.auth import COOKIE
from console.live import Hub
from tests import cases
from tests.console.conftest import Served
from tests.console.world import INCIDENT, RELEASE, Story
from tests.waiting import until

Serve = Callable[..., Awaitable[Served]]


class Stream:
    """The events of one connection, as they arrive."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def next(self) -> dict[str, str]:
        """The next event as its fields, pings left out. Raises TimeoutError after five seconds."""
        event: dict[str, str] = {}
        async with asyncio.timeout(5):
            async for line in self._lines:
                if not line and event:
                    if event["event"] != "ping":
                        return event
                    event = {}
                name, _, value = line.partition(": ")
                if name:
                    event[name] = value
        raise EOFError("the stream ended")


@asynccontextmanager
async def listening(
    served: Served, query: str, headers: dict[str, str] | None = None
) -> AsyncIterator[tuple[httpx.Response, Stream]]:
    token = await served.world.deps.accounts.start_session(cases.MARIA)
    async with (
        httpx.AsyncClient(base_url=served.url, cookies={COOKIE: token}, timeout=60) as http,
        http.stream("GET", f"/events?{query}", headers=headers) as response,
    ):
        yield response, Stream(response.aiter_lines())


async def test_a_record_is_announced_with_its_seq_to_those_who_watch_its_incident(serve: Serve) -> None:
    served = await serve(Story.asked)
    head = await served.world.deps.ledger.head()
    async with (
        listening(served, f"topic={INCIDENT}&after={head}") as (response, mine),
        listening(served, f"topic=another&after={head}") as (_, other),
    ):
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["x-accel-buffering"] == "no"
        await until(lambda: _listeners(served, 2), "both are connected")
        await served.world.story.phase("planning", "Reading the target.", None)
        event = await mine.next()
        assert (event["event"], event["id"]) == ("changed", str(head + 1))
        assert json.loads(event["data"]) == {"seq": head + 1}
        waiting = asyncio.ensure_future(other.next())
        await asyncio.sleep(2 * live.POLL_SECONDS)
        assert not waiting.done()
        waiting.cancel()


async def test_what_happened_while_the_stream_was_cut_is_announced_on_return(serve: Serve) -> None:
    served = await serve(Story.asked)
    head = await served.world.deps.ledger.head()
    async with listening(served, f"topic={INCIDENT}&after={head}"):
        pass
    await served.world.story.phase("planning", "Reading the target.", None)
    async with listening(served, f"topic={INCIDENT}&after=0", {"last-event-id": str(head)}) as (_, stream):
        assert (await stream.next())["id"] == str(head + 1)
    async with listening(served, f"topic={INCIDENT}", {"last-event-id": str(head + 1)}) as (_, stream):
        await served.world.story.phase("planning", "Reading it again.", None)
        assert (await stream.next())["id"] == str(head + 2)


async def test_newly_judged_rows_are_announced_to_those_who_watch_the_release(serve: Serve) -> None:
    served = await serve()
    signals = served.world.deps.signals
    async with listening(served, f"topic={RELEASE}") as (_, stream):
        await until(lambda: _listeners(served, 1), "connected")
        await asyncio.sleep(live.POLL_SECONDS)
        seq, newest = (await signals.newest_evaluations())[RELEASE]
        await signals.put_evaluations(RELEASE, {seq + 1: newest})
        assert (await stream.next())["event"] == "judged"


async def test_one_person_may_have_twenty_streams_and_all_share_one_reader(serve: Serve) -> None:
    served = await serve(Story.asked)
    async with AsyncExitStack() as stack:
        for _ in range(live.MAX_STREAMS):
            response, _ = await stack.enter_async_context(listening(served, "topic=all"))
            assert response.status_code == 200
        await until(lambda: _listeners(served, live.MAX_STREAMS), "all are connected")
        readers = [task for task in asyncio.all_tasks() if "Hub._read" in repr(task)]
        assert len(readers) == 1
        response, _ = await stack.enter_async_context(listening(served, "topic=all"))
        assert response.status_code == 429
    await until(lambda: _listeners(served, 0), "nobody listens any more")


async def test_a_ledger_that_cannot_be_read_ends_the_streams_instead_of_looking_calm(serve: Serve) -> None:
    served = await serve(Story.asked)
    async with listening(served, "topic=all") as (_, stream):
        await until(lambda: _listeners(served, 1), "connected")
        served.world.story.ledger._db = None  # type: ignore[assignment]  # a database that is gone
        try:
            await stream.next()
        except (EOFError, httpx.RemoteProtocolError):
            return
    raise AssertionError("the stream went on")


async def _listeners(served: Served, count: int) -> bool:
    hub: Hub | None = getattr(served.server.config.app.state, "hub", None)  # type: ignore[union-attr]
    return hub is not None and len(hub._listeners) == count


async def test_the_command_line_listens_with_its_token(serve: Serve) -> None:
    served = await serve(Story.asked)
    issued = await served.world.deps.accounts.issue_person_token(cases.MARIA)
    bearer = {"authorization": f"Bearer {issued.token}"}
    async with (
        httpx.AsyncClient(base_url=served.url, headers=bearer, timeout=60) as http,
        http.stream("GET", "/api/v1/events?after=0") as response,
    ):
        assert (await Stream(response.aiter_lines()).next())["event"] == "changed"
    async with httpx.AsyncClient(base_url=served.url, timeout=60) as http:
        assert (await http.get("/api/v1/events")).status_code == 401
