"""HAProxy's runtime socket: one line of commands per connection, answers in text (targets.md §6.4)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from activities.ports import TargetRejected, TargetUnavailable
from adapters.target_http import Keep, Lost, kept

_CONNECT_SECONDS = 2.0
_CALL_SECONDS = 10.0


class RuntimeSocket:
    """One connection at a time: HAProxy takes few at once, and resets the rest."""

    def __init__(self, path: Path, keep: Keep | None = None) -> None:
        self.path = path
        self._keep = keep
        self._turn = asyncio.Lock()

    async def ask(self, line: str) -> tuple[str, str]:
        """The whole answer to one line, and its digest.

        Raises TargetUnavailable when nothing was sent, TargetRejected when this process may not use the socket, Lost
        when the line may have been sent and no answer came.
        """
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await self._turn.acquire()
        except TimeoutError:
            raise TargetUnavailable(f"{self.path}: {line!r} was not sent: other calls are waiting") from None
        try:
            raw = await self._exchange(line)
        finally:
            self._turn.release()
        return raw.decode(errors="replace"), await kept(self._keep, raw, "text/plain")

    async def _exchange(self, line: str) -> bytes:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                reader, writer = await asyncio.open_unix_connection(self.path)
        except PermissionError:
            raise TargetRejected(f"{self.path}: the right to read and write this socket is needed") from None
        except (OSError, TimeoutError) as error:
            raise TargetUnavailable(f"{self.path}: {line!r} was not sent: {type(error).__name__}") from None
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                writer.write(line.encode() + b"\n")
                await writer.drain()
                raw = await reader.read(-1)
        except (OSError, TimeoutError) as error:
            raise Lost(f"{self.path}: {line!r} had no answer: {type(error).__name__}") from None
        finally:
            writer.close()
        if not raw:
            raise Lost(f"{self.path}: {line!r} had an empty answer")
        return raw
