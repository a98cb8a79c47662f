"""HAProxy as it is packaged, behind sockets of ours that can lose, swallow and double what goes through."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import ClassVar, Literal

import httpx

from adapters.haproxy_socket import RuntimeSocket
from adapters.haproxy_target import HaproxyTarget
from adapters.target_http import Keep
from adapters.target_settings import HaproxyMember
from countermand.plan.target import Member
from tests.adapters.targets.embedded import free_port
from tests.adapters.targets.harness import Shares
from tests.adapters.targets.upstreams import Upstreams, ask, start_quietly, until

CONFIGURATION = """
global
  stats socket {folder}/admin.sock mode 600 level admin
  stats socket {folder}/operator.sock mode 600 level operator
  stats socket {folder}/user.sock mode 600 level user
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
  timeout check 1s
frontend chat
  bind 127.0.0.1:{port}
  use_backend sticky if {{ path_beg /sticky }}
  default_backend chat
backend chat
  balance roundrobin
  option httpchk GET /healthz
  default-server check inter 50ms fall 1 rise 1
  server canary 127.0.0.1:{candidate} weight 120
  server stable 127.0.0.1:{baseline} weight 80
backend sticky
  balance roundrobin
  cookie ARM insert
  http-request set-path /chat
  server canary 127.0.0.1:{candidate} cookie canary weight 100
  server stable 127.0.0.1:{baseline} cookie stable weight 100
backend static
  balance static-rr
  server canary 127.0.0.1:{candidate} weight 100
  server stable 127.0.0.1:{baseline} weight 100
backend crowded
  balance roundrobin
  server canary 127.0.0.1:{candidate} weight 100
  server stable 127.0.0.1:{baseline} weight 100
  server other 127.0.0.1:{baseline} weight 1
"""
_ON_ARRIVAL = {"hang", "refuse", "says", "half", "writes", "arms"}
FAULTS = _ON_ARRIVAL | {"apply_then_drop_response", "apply_twice", "delay_after_apply", "unreadable", "reads_say"}
_HERE_READS = "the process that takes a weight answers reads from the same memory"


class HaproxyHarness:
    """One HAProxy in the foreground; its runtime state is lost with every restart, as everywhere."""

    name = "haproxy"
    lacks: ClassVar[Mapping[str, str]] = {
        "status codes": "the runtime socket speaks text",
        "stale reads": _HERE_READS,
        "one effect": "weights are compared in the adapter; twenty equal writes set equal weights",
        "native compare": "the runtime socket has no compare-and-swap",
        "fence": "there is no place for a key or a fence",
        "credentials": "the credential is the right to open a socket",
        "missing arm": "a server that runs cannot be taken away; test_haproxy.py names one that never was",
        "digest": "servers have no digests",
        "users": "HAProxy counts requests",
        "stuck router": _HERE_READS,
        "restricted": "HAProxy has no rights per backend",
    }
    shares = Shares()
    patience = 0.4
    stranger: Literal["external", "unknown"] = "unknown"
    unknown_member = "no member"
    denied = "Permission denied"
    failing = "failing"
    counters_path = ""
    member = Member(
        target="haproxy", name="chat", candidate_digest="sha256:" + "c" * 64, baseline_digest="sha256:" + "b" * 64
    )

    @classmethod
    def missing(cls) -> str | None:
        return None if shutil.which("haproxy") else "no HAProxy is installed (Debian: apt install haproxy)"

    @classmethod
    def version(cls) -> str:
        said = subprocess.run(["haproxy", "-v"], capture_output=True, text=True, check=True).stdout
        return said.split()[2]

    async def start(self, folder: Path) -> None:
        # Paths of sockets are limited to 108 characters; folders of tests are longer.
        self.folder = Path(mkdtemp(prefix="haproxy-"))
        self.upstreams = Upstreams()
        await self.upstreams.start()
        port = free_port()
        arms = {name: arm.port for name, arm in self.upstreams.arms.items()}
        text = CONFIGURATION.format(folder=self.folder, port=port, **arms)
        (self.folder / "haproxy.cfg").write_text(text)
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60)
        self._script: dict[str, object] = {}
        self.lines: list[str] = []
        self._writes = 0
        await self._run()

    async def _run(self) -> None:
        self._process = start_quietly("haproxy", "-db", "-q", "-f", str(self.folder / "haproxy.cfg"))
        self._gates = [
            await asyncio.start_unix_server(self._pass_on, self.folder / "write.sock"),
            await asyncio.start_unix_server(self._pass_on_operator, self.folder / "read.sock"),
        ]
        await until(self._healthy, "both servers are up")

    async def halt(self) -> None:
        for gate in self._gates:
            gate.close()
        self._process.terminate()
        await asyncio.to_thread(self._process.wait, 5)

    async def restart(self) -> None:
        if self._process.poll() is None:
            await self.halt()
        await self._run()

    async def stop(self) -> None:
        await self.client.aclose()
        await self.halt()
        await self.upstreams.stop()
        shutil.rmtree(self.folder)

    async def seed(self, candidate_bp: int) -> None:
        self._script = {}
        self.upstreams.set({})
        await until(self._healthy, "both servers are up")
        await self.external_edit(candidate_bp)
        self._writes = 0

    def target(self, *, keep: Keep | None = None) -> HaproxyTarget:
        return self.made("read.sock", "write.sock", keep)

    def reader(self) -> HaproxyTarget:
        return self.made("read.sock", "read.sock")

    def made(self, read: str, write: str, keep: Keep | None = None, **members: HaproxyMember) -> HaproxyTarget:
        """An adapter on these sockets; with `members` besides the one of the suite."""
        self.lines = []
        chat = HaproxyMember(backend="chat", candidate="canary", baseline="stable")
        return HaproxyTarget(self.folder / read, self.folder / write, {"chat": chat} | members, keep)

    def transcript(self) -> list[str]:
        return ["read" if line.startswith("show") else "write" for line in self.lines]

    async def external_edit(self, candidate_bp: int) -> None:
        weight = candidate_bp // 50
        line = f"set server chat/canary weight {weight};set server chat/stable weight {200 - weight}"
        assert await self.admin(line) == "\n\n"

    async def admin(self, line: str) -> str:
        """A command by another hand, past the gates."""
        return (await RuntimeSocket(self.folder / "admin.sock").ask(line))[0]

    async def fault(self, **script: object) -> None:
        unknown = set(script) - FAULTS
        if unknown:
            raise KeyError(sorted(unknown))
        arms = script.pop("arms", {})
        assert isinstance(arms, dict)
        self.upstreams.set(arms)
        self._script = {"writes": 1} | script if script else {}
        if "unhealthy" in arms.values():
            await until(self._not_healthy, "a server is down")

    async def traffic(self, users: int) -> dict[str, int]:
        return await ask(self.client, users)

    async def effects(self, key: str) -> int:
        return self._writes

    def shows(self, candidate_bp: int) -> bytes:
        return f",UP,{candidate_bp // 50},".encode()

    async def _healthy(self) -> bool:
        try:
            return (await self.admin("show stat -1 4 -1")).count(",UP,") == 2
        except Exception:
            return False

    async def _not_healthy(self) -> bool:
        return not await self._healthy()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._gate("admin.sock", reader, writer)

    async def _pass_on_operator(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._gate("operator.sock", reader, writer)

    async def _gate(self, socket: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One line of the adapter and its answer, through whatever is scripted."""
        with contextlib.suppress(ConnectionError):
            line = (await reader.readline()).decode().strip()
            self.lines.append(line)
            writer.write(await self._answer(socket, line))
            await writer.drain()
        writer.close()

    async def _answer(self, socket: str, line: str) -> bytes:
        """What the adapter gets to see; nothing at all stands for a connection that broke."""
        writes = line.startswith("set server") and "weight 257" not in line
        if not writes and self._script.get("blind"):
            return b""
        if not writes and "reads_say" in self._script:
            return str(self._script["reads_say"]).encode()
        script = self._script if writes and self._script.get("writes") else {}
        if script:
            self._script = script | {"writes": int(str(script["writes"])) - 1, "blind": script.get("unreadable")}
        if script.get("hang"):
            await asyncio.sleep(60)
        if script.get("refuse") or script.get("hang"):
            return b""
        if "says" in script:
            return str(script["says"]).encode()
        if script.get("half"):
            await self.admin(line.partition(";")[0])
            return b"\nNo such server.\n\n"
        for _ in range(2 if script.get("apply_twice") else 1):
            self._writes += writes
            said, _ = await RuntimeSocket(self.folder / socket).ask(line)
        await asyncio.sleep(float(str(script.get("delay_after_apply", 0))))
        return b"" if script.get("apply_then_drop_response") else said.encode()
