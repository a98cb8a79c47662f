"""The demo's traffic as a process: labels reach a console that is late, refuses and hangs up."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from examples.demo.judge import SIGNALS
from tests.adapters.targets.embedded import EmbeddedHarness


class Console:
    """Takes batches like the real intake; what happens to the first ones is scripted."""

    def __init__(self, *script: str) -> None:
        self._script = list(script)
        self.tokens: set[str] = set()
        self.bodies: list[bytes] = []
        self.stored: dict[str, list[dict[str, str | None]]] = {}

    @property
    def items(self) -> list[dict[str, str | None]]:
        return [item for batch in self.stored.values() for item in batch]

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._one(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert head.startswith("post /api/v1/signals ")
        headers = dict(line.split(": ", 1) for line in head.splitlines()[1:] if line)
        raw = await reader.readexactly(int(headers["content-length"]))
        self.tokens.add(headers["authorization"])
        self.bodies.append(raw)
        action = self._script.pop(0) if self._script else "store"
        if action == "hang up":
            raise ConnectionError
        body = json.loads(raw)
        assert body["schema"] == "countermand.signals/v1"
        answer = {"accepted": len(body["items"]), "duplicates": 0, "late": 0, "rejected": []}
        status = {"store": "202 Accepted", "busy": "503 Service Unavailable", "refuse": "403 Forbidden"}[action]
        if action == "store":
            self.stored[body["batch_id"]] = body["items"]
        payload = json.dumps(answer).encode()
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(payload)}\r\n\r\n".encode() + payload)
        await writer.drain()


@pytest.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedHarness]:
    harness = EmbeddedHarness()
    await harness.start(tmp_path_factory.mktemp("traffic"))
    yield harness
    await harness.stop()


async def traffic(service: EmbeddedHarness, console: Console, *arguments: str, until: Callable[[], bool]) -> str:
    """Run the generator against both until enough has come; it must end with 0 within 5 s of SIGTERM."""
    server = await asyncio.start_server(console, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "examples.demo.traffic", "--rate=200", "--release=rel-7", *arguments,
        f"--service={service.url}", f"--console=http://127.0.0.1:{port}",
        env={"DEMO_SIGNALS_TOKEN": "source-token"}, stdout=subprocess.PIPE,
    )  # fmt: skip
    for _ in range(6_000):  # a minute: five processes may share one core
        if until():
            break
        await asyncio.sleep(0.01)
    assert until()
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    assert process.returncode == 0
    server.close()
    return out.decode()


async def test_every_label_arrives_once_although_the_console_is_busy_and_hangs_up(
    service: EmbeddedHarness,
) -> None:
    console = Console("busy", "hang up", "store")
    out = await traffic(service, console, until=lambda: len(console.items) >= 600)
    assert console.tokens == {"bearer source-token"}
    assert console.bodies[0] == console.bodies[1] == console.bodies[2]
    items = console.items
    assert len({item["observation_id"] for item in items}) == len(items)
    assert f"accepted {len(items)} " in out
    assert out.rstrip().endswith("waiting 0")
    assert {item["signal"] for item in items} == set(SIGNALS)
    assert {item["release_id"] for item in items} == {"rel-7"}
    assert {item["outcome"] for item in items} <= {"ok", "bad", None}


async def test_the_arm_of_a_label_is_the_one_that_served(service: EmbeddedHarness) -> None:
    await service.seed(0)
    console = Console()
    await traffic(service, console, until=lambda: len(console.items) >= 150)
    assert {item["arm"] for item in console.items} == {"baseline"}


async def test_an_answer_that_failed_is_served_and_not_labelled(service: EmbeddedHarness) -> None:
    await service.seed(10_000)
    await service.fault(arms={"candidate": "unhealthy"})
    console = Console()
    out = await traffic(service, console, until=lambda: len(console.items) >= 150)
    assert {item["arm"] for item in console.items} == {"candidate"}
    assert {item["outcome"] for item in console.items} == {None}
    assert f"failed {len(console.items) // len(SIGNALS)} " in out
    await service.seed(5_000)


async def test_what_the_console_refuses_is_counted(service: EmbeddedHarness) -> None:
    console = Console("refuse")
    out = await traffic(service, console, until=lambda: bool(console.items))
    refused = len(json.loads(console.bodies[0])["items"])
    assert f"refused (403) {refused}" in out


async def test_what_could_not_be_delivered_is_counted_as_waiting(service: EmbeddedHarness) -> None:
    console = Console(*["busy"] * 100)
    out = await traffic(service, console, until=lambda: len(console.bodies) >= 3)
    waiting = int(out.rstrip().split("waiting ")[-1])
    assert waiting > len(json.loads(console.bodies[0])["items"])
    assert len({json.loads(body)["batch_id"] for body in console.bodies}) == 1


async def test_a_file_says_how_many_ask_about_rare_topics(service: EmbeddedHarness, tmp_path: Path) -> None:
    share = tmp_path / "rare"
    share.write_text("0.6")
    console = Console()
    out = await traffic(service, console, f"--rare-file={share}", until=lambda: len(console.items) >= 1_600)
    assert "| 60% rare |" in out
    bad = Counter(
        item["arm"] for item in console.items if item["signal"] == "hallucinations" and item["outcome"] == "bad"
    )
    assert bad["candidate"] > 3 * bad["baseline"]
