"""Slack waits three seconds for an answer: answers come before the work behind them (SLK-12)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

#: Seconds that work waits at most. A trigger lives for three: the dialog of a click has to open within the rest.
PATIENCE = 1.0


class Turns:
    """Counts requests that have no answer yet."""

    def __init__(self) -> None:
        self._unanswered = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """While one request is answered."""
        self._unanswered += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._unanswered -= 1
            if not self._unanswered:
                self._quiet.set()

    async def work(self) -> None:
        """Returns once no request waits for its answer, or when `PATIENCE` is over."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), PATIENCE)
