"""What systems have in common that are read by GET and written by PATCH: a wire with scripted faults, tokens, arms."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any, ClassVar, Literal

import httpx

from activities.ports import Target
from tests.adapters.targets.harness import Shares, Wire
from tests.adapters.targets.upstreams import Upstreams

CANDIDATE, BASELINE = "sha256:" + "c" * 64, "sha256:" + "b" * 64
_FAULTS = {
    "apply_then_drop_response",
    "delay_after_apply",
    "hang",
    "refuse",
    "writes",
    "stale_read_back",
    "unreadable",
    "external_edit",
}
_NOBODY_COUNTS = "the system counts nobody in a way that can be used"
LACKS = {
    "missing arm": "the system knows no arms of its own; a flag or route without them is refused when it is read",
    "digest": "the system knows no digests",
    "wrong digest": "the system knows no digests",
    "counters": _NOBODY_COUNTS,
    "users": _NOBODY_COUNTS,
    "fixed routing": _NOBODY_COUNTS,
    "stuck router": _NOBODY_COUNTS,
    "twice": "a repeated patch no longer meets its own condition, and the system refuses it",
}


class FaultyWire(Wire):
    """Goes wrong as the harness has scripted, with writes that take effect; dry runs and conditions are left alone."""

    def __init__(self, harness: PatchedHarness, tls: ssl.SSLContext | None) -> None:
        super().__init__(tls)
        self._harness = harness

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        harness, script = self._harness, self._harness.script
        if request.method == "GET":
            if harness.written and script.get("unreadable"):
                self.methods.append("GET")
                raise httpx.ReadError("unreadable")
            frozen = harness.frozen.get(str(request.url)) if harness.stale_reads else None
            if frozen is not None:
                self.methods.append("GET")
                harness.stale_reads -= 1
                return httpx.Response(200, content=frozen, headers={"content-type": "application/json"})
            response = await super().handle_async_request(request)
            harness.answers[str(request.url)] = await response.aread()
            return response
        if not harness.takes_effect(request):
            return await super().handle_async_request(request)
        if harness.failing_writes:
            harness.failing_writes -= 1
            self.methods.append(request.method)
            if script.get("hang"):
                await asyncio.sleep(60)
            return httpx.Response(int(script["refuse"]))
        if "external_edit" in script:
            await harness.external_edit(script.pop("external_edit"))
        harness.written, harness.frozen = True, dict(harness.answers)
        response = await super().handle_async_request(request)
        await response.aread()
        harness.stale_reads = int(script.get("stale_read_back", 0))
        await asyncio.sleep(script.get("delay_after_apply", 0))
        if script.get("apply_then_drop_response"):
            raise httpx.ReadError("dropped")
        return response


class PatchedHarness:
    """Base: subclasses start the system and know its paths."""

    name: ClassVar[str]
    lacks: ClassVar[Mapping[str, str]] = LACKS
    shares = Shares()
    patience = 0.4
    stranger: Literal["external", "unknown"] = "unknown"
    unknown_member = "no member"
    denied = "403"
    failing = "failing"
    counters_path: str
    wire: FaultyWire

    async def prepare(self, folder: Path) -> None:
        """Arms, token files and no faults."""
        self.folder = folder
        self.upstreams = Upstreams()
        await self.upstreams.start()
        self.targets: list[Any] = []
        self._edits = 0
        self.read_token, self.write_token = f"read-{token_hex(16)}", f"write-{token_hex(16)}"
        self.clear()

    def clear(self, **script: Any) -> None:
        self.script: dict[str, Any] = script
        self.answers: dict[str, bytes] = {}
        self.frozen: dict[str, bytes] = {}
        self.written = False
        self.stale_reads = 0
        self.failing_writes = int(script.get("writes", 1)) if script.keys() & {"hang", "refuse"} else 0

    def takes_effect(self, request: httpx.Request) -> bool:
        """Whether it is a write, and not a rehearsal of one."""
        raise NotImplementedError

    async def external_edit(self, candidate_bp: int) -> None:
        raise NotImplementedError

    def made(self, read_token: Path, write_token: Path, **more: Any) -> Any:
        """An adapter with these token files, on a new wire."""
        raise NotImplementedError

    def token(self, text: str) -> Path:
        """A file with a token in it, as a secret is mounted."""
        path = self.folder / f"token-{text.rpartition('.')[2]}"
        path.write_text(f"{text}\n")
        return path

    def health(self) -> dict[str, str]:
        """Settings of both arms."""
        return {f"{arm}_health": f"http://127.0.0.1:{up.port}/healthz" for arm, up in self.upstreams.arms.items()}

    def target(self, *, keep: Any = None) -> Any:
        return self.made(self.token(self.read_token), self.token(self.write_token), keep=keep)

    def reader(self) -> Any:
        return self.made(self.token(self.read_token), self.token(self.read_token))

    def strangers(self) -> tuple[Target, tuple[str, ...]]:
        unknown = ("sesame-read-token", "sesame-write-token")
        target = self.made(*(self.token(text) for text in unknown))
        return target, (*unknown, self.read_token, self.write_token)

    def transcript(self) -> list[str]:
        """A write of these adapters is a look right before it and a patch: both together are one `write`."""
        done: list[str] = []
        for method in self.wire.methods:
            if method == "PATCH" and done and done[-1] == "read":
                done.pop()
            done.append("read" if method == "GET" else "write")
        return done

    async def fault(self, **script: object) -> None:
        arms = script.pop("arms", {})
        assert isinstance(arms, dict)
        if not set(script) <= _FAULTS:
            raise KeyError(sorted(set(script) - _FAULTS))
        self.upstreams.set(arms)
        self.clear(**script)

    async def traffic(self, users: int) -> dict[str, int]:
        raise AssertionError(_NOBODY_COUNTS)

    async def finish(self) -> None:
        for target in self.targets:
            await target.close()
        await self.upstreams.stop()


class Process:
    """A program that writes into a log of its own."""

    def __init__(
        self, log: Path, *command: str, cwd: Path | None = None, variables: dict[str, str] | None = None
    ) -> None:
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(command, cwd=cwd, env=variables, stdout=output, stderr=output)

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    async def until(self, ready: Callable[[], Awaitable[bool]]) -> None:
        """Raises AssertionError with the end of the log when the program ended, or is not ready within 120 s."""
        for _ in range(600):
            if await ready():
                return
            assert self.runs, self._end()
            await asyncio.sleep(0.2)
        raise AssertionError(f"not ready within 120 s: {self._end()}")

    async def end(self) -> None:
        """End it, and kill it when it does not end."""
        self._process.terminate()
        try:
            await asyncio.to_thread(self._process.wait, 20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait, 20)

    def _end(self) -> str:
        return self._log.read_text()[-2_000:]
