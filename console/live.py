"""Live updates by server-sent events: that something changed, never what (CON-20, CON-21).

One reader per process asks the Ledger and the judged rows twice a second while anybody listens, and tells
every listener; a connection costs no query of its own. The page then reads its regions anew, so the stream is
never the only source. When the reader cannot read, all streams end and the pages say that they are not live.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from console.auth import Session, api_person, browser
from console.decide import Person
from console.deps import Console, console
from console.problems import Problem
from countermand.ledger.record import Record

POLL_SECONDS = 0.5
PING_SECONDS = 15
#: After a cut the browser waits this long; a page calls itself lost only some time later.
RETRY_MILLISECONDS = 1_000
#: A stream ends after this time and the browser connects anew, so that a sign-out ends it too (CON-5).
STREAM_SECONDS = 600
MAX_STREAMS = 20
EVERYTHING = "all"

router = APIRouter()
_log = logging.getLogger(__name__)


class Listener:
    """One connection: what it has not been told yet. Changes of the same kind become one."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self._changed: int | None = None
        self._judged = False
        self._over = False
        self._wake = asyncio.Event()

    def hears(self, record: Record) -> bool:
        return self.topic in (EVERYTHING, record.incident_id, record.release_id)

    def changed(self, seq: int) -> None:
        self._changed = seq
        self._wake.set()

    def judged(self) -> None:
        self._judged = True
        self._wake.set()

    def end(self) -> None:
        self._over = True
        self._wake.set()

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        """`changed` with the Ledger's seq as id, `judged` when new rows were judged; until `end`."""
        while not self._over:
            await self._wake.wait()
            self._wake.clear()
            if self._changed is not None:
                seq, self._changed = self._changed, None
                yield ServerSentEvent(event="changed", id=str(seq), data=json.dumps({"seq": seq}))
            if self._judged:
                self._judged = False
                yield ServerSentEvent(event="judged", data="{}")


class Hub:
    """All listeners of one process and the one reader behind them."""

    def __init__(self, deps: Console) -> None:
        self._deps = deps
        self._listeners: set[Listener] = set()
        self._streams: Counter[str] = Counter()
        self._reader: asyncio.Task[None] | None = None
        self._seq = -1

    def room_for(self, subject: str) -> bool:
        return self._streams[subject] < MAX_STREAMS

    async def listen(self, subject: str, topic: str, after: int | None) -> AsyncIterator[ServerSentEvent]:
        """Events for `topic`; whoever knows the Ledger only up to `after` hears at once that it has grown."""
        listener = Listener(topic)
        self._streams[subject] += 1
        self._listeners.add(listener)
        timer = asyncio.get_running_loop().call_later(STREAM_SECONDS, listener.end)
        try:
            head = await self._deps.ledger.head()
            if self._reader is None or self._reader.done():
                self._seq = head
                self._reader = asyncio.create_task(self._read())
            if after is not None and head > after:
                listener.changed(head)
            yield ServerSentEvent(event="ping", data="{}", retry=RETRY_MILLISECONDS)
            async for event in listener.events():
                yield event
        finally:
            timer.cancel()
            self._listeners.discard(listener)
            self._streams[subject] -= 1

    async def _read(self) -> None:
        rows: dict[str, int] | None = None
        try:
            while self._listeners:
                self._tell(await self._deps.ledger.records(after_seq=self._seq, limit=1000))
                judged = await self._deps.signals.newest_evaluations()
                newest = {release_id: seq for release_id, (seq, _) in judged.items()}
                if rows is not None:
                    self._tell_judged(release_id for release_id, seq in newest.items() if rows.get(release_id) != seq)
                rows = newest
                await asyncio.sleep(POLL_SECONDS)
        except Exception:
            _log.exception("live updates cannot be read; all streams end")
            for listener in tuple(self._listeners):
                listener.end()

    def _tell(self, records: list[Record]) -> None:
        if not records:
            return
        self._seq = records[-1].seq
        for listener in self._listeners:
            if any(map(listener.hears, records)):
                listener.changed(self._seq)

    def _tell_judged(self, release_ids: Iterable[str]) -> None:
        for release_id in release_ids:
            for listener in self._listeners:
                if listener.topic in (EVERYTHING, release_id):
                    listener.judged()


def hub(request: Request, deps: Annotated[Console, Depends(console)]) -> Hub:
    """The process's hub, made when the first page asks for it."""
    state = request.app.state
    if not hasattr(state, "hub"):
        state.hub = Hub(deps)
    found: Hub = state.hub
    return found


Live = Annotated[Hub, Depends(hub)]
LastEventId = Annotated[str | None, Header()]


@router.get("/events")
async def events(
    live: Live,
    session: Annotated[Session, Depends(browser)],
    topic: str = EVERYTHING,
    after: int | None = None,
    last_event_id: LastEventId = None,
) -> EventSourceResponse:
    """Live updates for a signed-in browser; `topic` is an incident, a release, or `all`."""
    return _stream(live, session.person, topic, after, last_event_id)


@router.get("/api/v1/events")
async def api_events(
    live: Live,
    person: Annotated[Person, Depends(api_person)],
    topic: str = EVERYTHING,
    after: int | None = None,
    last_event_id: LastEventId = None,
) -> EventSourceResponse:
    """The same for a bearer token."""
    return _stream(live, person, topic, after, last_event_id)


def _stream(live: Hub, person: Person, topic: str, after: int | None, last_event_id: str | None) -> EventSourceResponse:
    if not live.room_for(person.subject):
        raise Problem(429, "rate_limited", f"{MAX_STREAMS} live pages are open already.", "Close some of them.")
    if last_event_id is not None and last_event_id.isdigit():
        after = int(last_event_id)
    return EventSourceResponse(
        live.listen(person.subject, topic, after),
        ping=PING_SECONDS,
        ping_message_factory=lambda: ServerSentEvent(event="ping", data="{}"),
        headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"},
    )
