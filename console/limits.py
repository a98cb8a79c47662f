"""How many requests a signal source may send: one memory per process for every kind of intake (T17)."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from fastapi import Request
from fastapi.responses import JSONResponse

from console.problems import Problem

#: Requests of one source per minute; as many may come at once.
PER_MINUTE = 600

_EACH = timedelta(minutes=1) / PER_MINUTE


class TooMany(Problem):
    """429 with the seconds after which the next request will be taken."""

    def __init__(self, source_id: str, seconds: int) -> None:
        super().__init__(
            429,
            "rate_limited",
            f"Source {source_id!r} sent more than {PER_MINUTE} requests in a minute; nothing was kept.",
            f"Send again after {seconds} s, with more items in each request.",
        )
        self.seconds = seconds

    def response(self) -> JSONResponse:
        response = super().response()
        response.headers["Retry-After"] = str(self.seconds)
        return response


class Limits:
    """Of each source: until when the requests that it sent last it to, at its rate."""

    def __init__(self) -> None:
        self._used_until: dict[str, datetime] = {}

    def take(self, source_id: str, now: datetime) -> None:
        """Count one request. Raises TooMany."""
        used = max(self._used_until.get(source_id, now), now)
        wait = used + _EACH - now - timedelta(minutes=1)
        if wait > timedelta():
            raise TooMany(source_id, math.ceil(wait / timedelta(seconds=1)))
        self._used_until[source_id] = used + _EACH


def limited(request: Request, source_id: str, now: datetime) -> None:
    """Count a request of an authenticated source. Raises 429."""
    state = request.app.state
    if not hasattr(state, "limits"):
        state.limits = Limits()
    limits: Limits = state.limits
    limits.take(source_id, now)
