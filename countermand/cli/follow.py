"""Following one thing at the console: read it anew whenever the console says that something happened to it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

from countermand.cli.client import Api
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import JsonObject

_PAUSE = 1.0
#: A ledger record, or a newly judged block; pings are not news.
_NEWS = ("event: changed", "event: judged")


def following(api: Api, topic: str, read: Callable[[], JsonObject]) -> Iterator[JsonObject]:
    """What `read` answers, now and after every change of `topic` (an incident, a release, or `all`), without end.

    Whatever was missed while the stream was broken is in the next answer, because each one is whole. Where the
    console offers no stream it is read once a second. Raises Failure if the first read fails; later a console
    that does not answer is waited for.
    """
    last: JsonObject | None = None
    lost = False
    for _ in _ticks(api, topic):
        try:
            body = read()
        except Failure as failure:
            if last is None or failure.code is not Exit.unreachable:
                raise
            if not lost:
                print("… updates lost: the console does not answer; trying again", file=sys.stderr)
            lost = True
            continue
        if lost:
            print("… updates are back", file=sys.stderr)
            lost = False
        if body != last:
            last = body
            yield body


def _ticks(api: Api, topic: str) -> Iterator[None]:
    """Once when the stream is open, then once per event; about once a second while there is no stream."""
    import httpx

    while True:
        try:
            with api.stream("/api/v1/events", topic=topic) as response:
                yield  # only now: nothing can happen between this read and the stream
                if response.is_success:
                    for line in response.iter_lines():
                        if line in _NEWS:
                            yield
        except httpx.TransportError:
            yield
        time.sleep(_PAUSE)
