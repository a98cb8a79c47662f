"""The embedded Target: the demo service as a real process on a free port."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import ClassVar, Literal

import httpx

from adapters.embedded_target import EmbeddedTarget
from adapters.target_http import Keep
from countermand.plan.target import Member
from examples.demo.bundles import BASELINE, CANDIDATE, SERVICE
from tests.adapters.targets.harness import Shares, Wire


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_service(*arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "examples.demo.service", *arguments], env=environment)


class EmbeddedHarness:
    """Starts `python -m examples.demo.service --faults`; it must end with 0 within 5 s of SIGTERM."""

    name = "embedded"
    lacks: ClassVar[Mapping[str, str]] = {"restricted": "its write token is for the whole service, which has one split"}
    shares = Shares()
    patience = 0.4
    stranger: Literal["external", "unknown"] = "external"
    unknown_member = "404"
    denied = "403"
    failing = "unhealthy"
    counters_path = f"/control/splits/{SERVICE}/observed"
    member = Member(
        target="embedded",
        name=SERVICE,
        candidate_digest=CANDIDATE.bundle.digest,
        baseline_digest=BASELINE.bundle.digest,
    )

    @classmethod
    def missing(cls) -> str | None:
        return None

    @classmethod
    def version(cls) -> str:
        return ""

    async def start(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.read_token, self.write_token = f"read-{token_hex(16)}", f"write-{token_hex(16)}"
        self._targets: list[EmbeddedTarget] = []
        self._edits = 0
        self._client = httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=60)
        await self._run()

    async def _run(self) -> None:
        self._process = start_service(
            "--faults",
            f"--port={self._port}",
            f"--database={self._folder / 'demo.sqlite'}",
            DEMO_READ_TOKEN=self.read_token,
            DEMO_WRITE_TOKEN=self.write_token,
        )
        async with asyncio.timeout(20):
            while not await self._up():
                assert self._process.poll() is None, "the demo service did not start"
                await asyncio.sleep(0.05)

    async def _up(self) -> bool:
        try:
            return (await self._client.get("/healthz")).status_code == 200
        except httpx.TransportError:
            return False

    async def halt(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(self._process.wait, 5) == 0

    async def stop(self) -> None:
        for target in self._targets:
            await target.close()
        await self.halt()
        await self._client.aclose()

    async def restart(self) -> None:
        if self._process.poll() is None:
            await self.halt()
        await self._run()

    async def seed(self, candidate_bp: int) -> None:
        (await self._client.delete("/faults")).raise_for_status()
        await self.external_edit(candidate_bp)

    def target(self, *, keep: Keep | None = None) -> EmbeddedTarget:
        return self._made(self.read_token, self.write_token, keep)

    def reader(self) -> EmbeddedTarget:
        return self._made(self.read_token, self.read_token)

    def strangers(self) -> tuple[EmbeddedTarget, tuple[str, ...]]:
        unknown = ("sesame-read-token", "sesame-write-token")
        return self._made(*unknown), (*unknown, self.read_token, self.write_token)

    def _made(self, read_token: str, write_token: str, keep: Keep | None = None) -> EmbeddedTarget:
        self.wire = Wire()
        target = EmbeddedTarget(self.url, read_token, write_token, transport=self.wire, keep=keep)
        self._targets.append(target)
        return target

    def transcript(self) -> list[str]:
        return ["read" if method == "GET" else "write" for method in self.wire.methods]

    async def external_edit(self, candidate_bp: int) -> None:
        state = (await self._control("GET")).json()
        self._edits += 1
        await self._control(
            "PUT",
            headers={"If-Match": f'"{state["generation"]}"'},
            json={
                "candidate_bp": candidate_bp,
                "baseline_bp": 10_000 - candidate_bp,
                "idempotency_key": f"by another hand {self._edits}",
                "fence": state["fence"],
            },
        )

    async def fault(self, **script: object) -> None:
        (await self._client.post("/faults", json=script)).raise_for_status()

    async def traffic(self, users: int) -> dict[str, int]:
        served = {"candidate": 0, "baseline": 0}
        for number in range(users):
            response = await self._client.post(
                "/chat", json={"question": "Are dogs welcome?"}, headers={"x-user-id": f"user-{number}"}
            )
            served[response.headers["x-release-arm"]] += 1
        return served

    async def effects(self, key: str) -> int:
        history = (await self._control("GET", "/history")).json()
        return sum(line["idempotency_key"] == key for line in history)

    def shows(self, candidate_bp: int) -> bytes:
        return str(candidate_bp).encode()

    async def _control(self, method: str, below: str = "", **call: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.write_token}"} | call.pop("headers", {})  # type: ignore[operator]
        path = f"/control/splits/{SERVICE}{below}"
        response = await self._client.request(method, path, headers=headers, **call)  # type: ignore[arg-type]
        response.raise_for_status()
        return response
