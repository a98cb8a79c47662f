"""The console of a rehearsal, served on this machine for real people."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from fastapi import FastAPI


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs the rehearsal."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def reserve(port: int) -> socket.socket:
    """A listener on a loopback port (0: any that is free). Raises OSError when it is taken."""
    # With the protocol spelled out asyncio sets TCP_NODELAY; without, every answer in two parts takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


@asynccontextmanager
async def served(app: FastAPI, listener: socket.socket) -> AsyncIterator[None]:
    """Answer requests until the block ends; whoever is connected then is cut off after a second."""
    config = uvicorn.Config(
        app, log_config=None, log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=1
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = True
        with suppress(TimeoutError):
            await asyncio.wait_for(serving, 2)
