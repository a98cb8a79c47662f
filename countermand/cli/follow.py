"""Following one thing at the console: read it anew whenever the ledger says that something happened to it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator

from countermand.cli.client import Api
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import JsonObject

_PAUSE = 1.0


def following(api: Api, read: Callable[[], JsonObject], *, poll: bool = False) -> Iterator[JsonObject]:
    """What `read` answers, now and after every change, without end.

    Whatever was missed while the stream was broken is in the next answer, because each one is whole. With
    `poll`, or where the console has no event stream, it is read once a second. Raises Failure if the first
    read fails; later a console that does not answer is waited for.
    """
    last: JsonObject | None = None
    lost = False
    for _ in _seconds() if poll else _ticks(api):
        try:
            body = read()
        except Failure as failure:
            if last is None or failure.code is not Exit.unreachable:
                raise
            if not lost:
                print("… updates lost: the console does not answer; trying again", file=sys.stderr)
            lost = True
            time.sleep(_PAUSE)
            continue
        if lost:
            print("… updates are back", file=sys.stderr)
            lost = False
        if body != last:
            last = body
            yield body


def _seconds() -> Iterator[None]:
    while True:
        yield
        time.sleep(_PAUSE)


def _ticks(api: Api) -> Iterator[None]:
    """Once when the stream is open, then once per ledger record; about once a second while there is no stream."""
    import httpx

    while True:
        try:
            with api.stream("/api/v1/events") as response:
                yield  # only now: nothing can happen between this read and the stream
                if response.is_success:
                    for line in response.iter_lines():
                        if line.startswith("data:") and _is_record(line):
                            yield
        except httpx.TransportError:
            yield
        time.sleep(_PAUSE)


def _is_record(line: str) -> bool:
    try:
        return "seq" in json.loads(line.removeprefix("data:"))
    except (ValueError, TypeError):
        return False
