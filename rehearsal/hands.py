"""The worker of a sandbox: it can be taken away and put back while the story goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from temporalio.worker import Worker


class Hands:
    """`make`: new workers, for effects and for watches. What a worker that is taken away was doing is tried again by
    the next one."""

    def __init__(self, make: Callable[[], tuple[Worker, Worker]]) -> None:
        self._make = make
        self._running: tuple[Worker, ...] = ()
        self._turn = asyncio.Lock()

    @property
    def at_work(self) -> bool:
        return bool(self._running)

    async def start(self) -> None:
        """Nothing happens when they are at work."""
        async with self._turn:
            if not self._running:
                self._running = self._make()
                await asyncio.gather(*(worker.__aenter__() for worker in self._running))

    async def stop(self) -> None:
        """Take them away; at most the seconds that a worker has for what it is doing."""
        async with self._turn:
            running, self._running = self._running, ()
            await asyncio.gather(*(worker.__aexit__(None, None, None) for worker in running))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
