"""Servers on free loopback ports: exporters, a real Prometheus, and a stub whose answers a test writes byte by byte."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit
from wsgiref.simple_server import WSGIServer

import httpx
from prometheus_client import CollectorRegistry, start_http_server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Exporter:
    """One process as Prometheus sees it: a registry behind a port that stays the same over stops and restarts."""

    def __init__(self) -> None:
        self.port = free_port()
        self.registry = CollectorRegistry()
        self._serving: tuple[WSGIServer, threading.Thread] | None = None

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve `registry`; what it counted before goes on, as if only the network had been away."""
        self._serving = start_http_server(self.port, addr="127.0.0.1", registry=self.registry)

    def stop(self) -> None:
        if self._serving is not None:
            server, thread = self._serving
            server.shutdown()
            server.server_close()
            thread.join()
        self._serving = None


class Prometheus:
    """A real server that scrapes every second. Raises AssertionError when it does not start."""

    def __init__(self, folder: Path, jobs: dict[str, list[str]]) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._folder = folder
        scrapes = [{"job_name": job, "static_configs": [{"targets": targets}]} for job, targets in jobs.items()]
        everything = {"global": {"scrape_interval": "1s", "scrape_timeout": "900ms"}, "scrape_configs": scrapes}
        (folder / "prometheus.yml").write_text(json.dumps(everything))  # JSON is YAML

    @staticmethod
    def installed() -> bool:
        return shutil.which("prometheus") is not None

    def _run(self) -> None:
        with (self._folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self._folder / 'prometheus.yml'}",
                    f"--web.listen-address={self.url.removeprefix('http://')}",
                    f"--storage.tsdb.path={self._folder / 'tsdb'}",
                ],
                stdout=log,
                stderr=log,
            )

    async def start(self) -> None:
        self._run()
        async with asyncio.timeout(20):
            while not await self._ready():
                assert self._process.poll() is None, (self._folder / "prometheus.log").read_text()
                await asyncio.sleep(0.05)

    async def until_found(self, text: str, series: int) -> None:
        """Wait until so many series answer a query."""
        async with asyncio.timeout(20):
            while len(await self.query(text)) < series:  # noqa: ASYNC110, another process has no event to wait for
                await asyncio.sleep(0.1)

    async def query(self, text: str, **parameters: str) -> list[dict[str, Any]]:
        """The result of an instant query."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
            answer = await client.get("/api/v1/query", params={"query": text, **parameters})
        return list(answer.raise_for_status().json()["data"]["result"])

    async def stop(self) -> None:
        self._process.terminate()
        assert await asyncio.to_thread(self._process.wait, 10) == 0

    async def _ready(self) -> bool:
        try:
            async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
                return (await client.get("/-/ready")).status_code == 200
        except httpx.TransportError:
            return False


#: From the query to the raw bytes of the answer; None hangs for ever.
Respond = Callable[[str], bytes | None]


class Stub:
    """Answers with the bytes a test gives, then closes the connection. `requests` remembers what was sent."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.respond: Respond = lambda _query: answered(500, b"")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def queries(self) -> list[str]:
        paths = [urlsplit(request.split(" ")[1]) for request in self.requests]
        return [query for path in paths for query in parse_qs(path.query).get("query", [])]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
        answer = self.respond(self.queries[-1] if self.queries else "")
        if answer is None:
            await reader.read()  # until the other side gives up
        else:
            writer.write(answer)
        writer.close()


def answered(status: int, body: bytes, *headers: str) -> bytes:
    """A whole HTTP answer."""
    lines = [f"HTTP/1.1 {status} Because", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def ok(kind: str, result: object, **more: object) -> bytes:
    """A successful answer of Prometheus."""
    content = {"status": "success", "data": {"resultType": kind, "result": result}, **more}
    return answered(200, json.dumps(content).encode())
