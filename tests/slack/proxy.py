"""Between the product and the emulator: remembers calls, fails on demand, adds flags the emulator does not know."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, TCPConnector, web

Json = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One call of the Web API, and what Slack answered; None when the answer was lost or never given.

    at: when it was answered, seconds since 1970.
    """

    method: str
    arguments: Json
    answer: Json | None
    at: float = field(default_factory=time.time)


class Proxy:
    """`fail` queues faults for the next calls of a method; `flags` are laid over users and channels by id."""

    def __init__(self, emulator: str) -> None:
        self._emulator = emulator
        self._faults: dict[str, deque[str]] = defaultdict(deque)
        self.calls: list[Call] = []
        self.flags: dict[str, Json] = {}
        self.dark = False
        self.url = ""
        self._runner: web.AppRunner | None = None
        self._session: ClientSession | None = None

    def fail(self, method: str, *faults: str) -> None:
        """Faults: `429 SECONDS`, `500`, `lost` (done, answer lost), `cut` (not done), `slow SECONDS`, `error CODE`."""
        self._faults[method] += faults

    def heal(self) -> None:
        """Forget faults that have not come up yet."""
        self._faults.clear()

    def of(self, *methods: str) -> list[Call]:
        return [call for call in self.calls if call.method in methods]

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/api/{method}", self._handle)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/api/"
        self._session = ClientSession(connector=TCPConnector(force_close=True))

    async def stop(self) -> None:
        assert self._runner is not None
        assert self._session is not None
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        arguments = await _arguments(request)
        fault = self._faults[method].popleft() if self._faults[method] else "cut" if self.dark else ""
        kind, _, value = fault.partition(" ")
        if kind == "429":
            self.calls.append(Call(method, arguments, {"ok": False, "error": "ratelimited"}))
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": value})
        if kind == "500":
            self.calls.append(Call(method, arguments, None))
            return web.Response(status=500, text="upstream connect error", content_type="text/html")
        if kind == "error":
            self.calls.append(Call(method, arguments, {"ok": False, "error": value}))
            return web.json_response({"ok": False, "error": value})
        if kind == "cut":
            self.calls.append(Call(method, arguments, None))
            return _cut(request)
        if kind == "slow":
            await asyncio.sleep(float(value))
        answer = await self._forward(request, method)
        self.calls.append(Call(method, arguments, None if kind == "lost" else answer))
        if kind == "lost":
            return _cut(request)
        return web.json_response(answer)

    async def _forward(self, request: web.Request, method: str) -> Json:
        assert self._session is not None
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        # Some calls carry their arguments in the query; the emulator reads bodies only.
        body = await request.read() or request.query_string.encode()
        if request.query_string:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        # Slack takes what its SDK sends for a truth value; the emulator knows the word only.
        body = body.replace(b"is_private=1", b"is_private=true")
        async with self._session.post(f"{self._emulator}/api/{method}", data=body, headers=headers) as response:
            answer: Json = await response.json()
        for part in ("user", "channel"):
            if isinstance(answer.get(part), dict):
                answer[part] |= self.flags.get(answer[part].get("id", ""), {})
        return answer


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _arguments(request: web.Request) -> Json:
    if request.content_type == "application/json":
        return dict(await request.json())
    given = {**request.query, **(await request.post())}
    parsed: Json = {}
    for name, value in given.items():
        try:
            structured = json.loads(str(value))
        except ValueError:
            structured = None
        parsed[name] = structured if isinstance(structured, dict | list) else value
    return parsed
