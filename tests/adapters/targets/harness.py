"""What a Target has to offer to be put through the conformance suite (targets.md §7)."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import httpx

from activities.ports import Target
from adapters.target_http import Keep
from countermand.plan.target import Member


class Wire(httpx.AsyncBaseTransport):
    """Passes calls on and remembers their methods in order; answers for paths in `replaced` itself."""

    def __init__(self) -> None:
        self._inner = httpx.AsyncHTTPTransport()
        self.methods: list[str] = []
        self.statuses: list[int] = []
        self.replaced: dict[str, httpx.Response] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.methods.append(request.method)
        response = self.replaced.get(request.url.path)
        if response is None:
            response = await self._inner.handle_async_request(request)
        self.statuses.append(response.status_code)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class Harness(Protocol):
    """One real release-control system, running beside the tests."""

    name: str
    member: Member
    read_token: str
    write_token: str
    wire: Wire  # of the adapter made last

    async def start(self, folder: Path) -> None: ...

    async def stop(self) -> None: ...

    async def halt(self) -> None:
        """End the system and keep what it stores."""
        ...

    async def restart(self) -> None:
        """End it if it runs, and start it again with what it stored."""
        ...

    async def seed(self, candidate_bp: int) -> None:
        """Bring the split here by another hand, with no fault left over."""
        ...

    def target(
        self, *, read_token: str | None = None, write_token: str | None = None, keep: Keep | None = None
    ) -> Target:
        """A new adapter, as a new worker would make it; `stop` closes them all."""
        ...

    async def external_edit(self, candidate_bp: int) -> None: ...

    async def fault(self, **script: object) -> None:
        """What goes wrong with the next writes."""
        ...

    async def traffic(self, users: int) -> dict[str, int]:
        """One request of each of so many users; returns how many each arm says it served."""
        ...

    async def effects(self, key: str) -> int:
        """How often a write under this key took effect, by the target's own record."""
        ...
