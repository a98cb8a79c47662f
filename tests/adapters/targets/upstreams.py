"""Two arms behind a router: small servers that say which arm they are, and can be made to fail."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Awaitable, Callable

import httpx
from aiohttp import web


class Upstream:
    """One arm. `state`: `good`, `unhealthy` (its health endpoint says 503), `failing` (healthy, and answers 500)."""

    def __init__(self, arm: str) -> None:
        self.arm = arm
        self.state = "good"
        self.port = 0

    async def start(self) -> None:
        application = web.Application()
        application.router.add_get("/healthz", self._health)
        application.router.add_get("/chat", self._chat)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(status=503 if self.state == "unhealthy" else 200)

    async def _chat(self, _: web.Request) -> web.Response:
        return web.Response(status=500 if self.state == "failing" else 200, headers={"x-release-arm": self.arm})


class Upstreams:
    """Both arms."""

    def __init__(self) -> None:
        self.arms = {arm: Upstream(arm) for arm in ("candidate", "baseline")}

    async def start(self) -> None:
        for arm in self.arms.values():
            await arm.start()

    async def stop(self) -> None:
        for arm in self.arms.values():
            await arm.stop()

    def set(self, states: dict[str, str]) -> None:
        """States by arm; arms that are not named are good."""
        for name, arm in self.arms.items():
            arm.state = states.get(name, "good")
            assert arm.state in ("good", "unhealthy", "failing")


async def ask(client: httpx.AsyncClient, users: int, path: str = "/chat") -> dict[str, int]:
    """One request per user; how many each arm says it served."""
    served = {"candidate": 0, "baseline": 0}
    for number in range(users):
        response = await client.get(path, headers={"x-user-id": f"user-{number}"})
        served[response.headers["x-release-arm"]] += 1
    return served


def start_quietly(*command: str) -> subprocess.Popen[bytes]:
    """A process whose log nobody reads: what it did is asked of itself."""
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def until(true: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for something that a running system does by itself. Raises AssertionError after 10 s."""
    for _ in range(500):
        if await true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within 10 s: {what}")
