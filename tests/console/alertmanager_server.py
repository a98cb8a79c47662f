"""A real Alertmanager, and the console's door as it sees it: one that can be shut or answer something else."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from ruamel.yaml import YAML

from adapters.accounts import Accounts
from adapters.database import utc_now
from adapters.source_settings import AlertmanagerSettings
from console.app import create_app
from countermand.canonical import instant
from tests import cases
from tests.console.world import RELEASE, World
from tests.waiting import until

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
needs_alertmanager = pytest.mark.skipif(
    PROGRAM is None, reason="no Alertmanager on this machine (Debian: apt install prometheus-alertmanager)"
)

SOURCE = "pager"
PATH = "/api/v1/signals/alertmanager"


def a_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class Door:
    """The console on one port. `statuses`: what each message was answered. `instead`: a status to answer without it."""

    world: World
    token: str
    person: str
    port: int
    app: Any
    statuses: list[int] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    instead: int | None = None
    _server: uvicorn.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = bytearray()

        async def listening() -> Any:
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        async def telling(message: Any) -> None:
            if scope["path"] == PATH and message["type"] == "http.response.start":
                self.statuses.append(message["status"])
                self.bodies.append(json.loads(body) if body else {})
            await send(message)

        if self.instead is None:
            await self.app(scope, listening, telling)
            return
        while (await listening()).get("more_body"):
            pass
        await telling({"type": "http.response.start", "status": self.instead, "headers": []})
        await telling({"type": "http.response.body", "body": b""})

    async def open(self) -> None:
        config = uvicorn.Config(self, port=self.port, log_level="error", lifespan="off", ws="none")
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup()

    async def shut(self) -> None:
        """Nobody listens any more, and every connection is cut."""
        server, self._server = self._server, None
        if server is not None:
            for listener in server.servers:
                listener.close()
            for connection in tuple(server.server_state.connections):
                connection.transport.abort()  # type: ignore[union-attr]  # every HTTP protocol has one
            await asyncio.sleep(0)

    async def alerts(self, **query: str) -> dict[str, Any]:
        """`GET /api/v1/alerts` as a signed-in person."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=10) as http:
            answer = await http.get("/api/v1/alerts", params=query, headers={"Authorization": f"Bearer {self.person}"})
        body: dict[str, Any] = answer.raise_for_status().json()
        return body

    async def post(self, body: object, **headers: str) -> httpx.Response:
        """A message as an Alertmanager would send it."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"} | headers
        async with httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=20) as http:
            return await http.post(PATH, content=content, headers=sent)


@asynccontextmanager
async def a_door(world: World, **settings: Any) -> AsyncIterator[Door]:
    """An open door of a console with the source `pager`. It runs on the wall clock, as an Alertmanager does."""
    matching = {"release_label": "release", "version_label": "version", "environment_label": "env"}
    source = AlertmanagerSettings.model_validate({"kind": "alertmanager", **matching, **settings})
    deps = replace(world.deps, clock=utc_now, sources={SOURCE: source}, accounts=Accounts(world.deps.database))
    token = (await deps.accounts.issue_source_token(SOURCE)).token
    person = (await deps.accounts.issue_person_token(cases.MARIA)).token
    door = Door(world, token, person, a_free_port(), create_app(deps))
    await door.open()
    try:
        yield door
    finally:
        await door.shut()


@dataclass
class Alertmanager:
    """A running Alertmanager."""

    url: str

    async def say(self, *alerts: dict[str, Any]) -> None:
        """Tell it about alerts as Prometheus does."""
        await self.post("/api/v2/alerts", list(alerts))

    async def post(self, path: str, body: object) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=5) as http:
            return (await http.post(path, json=body)).raise_for_status()


@asynccontextmanager
async def an_alertmanager(
    folder: Path, door: Door, *, port: int | None = None, max_alerts: int = 0, group_interval: str = "300ms"
) -> AsyncIterator[Alertmanager]:
    """Sends to the door in groups by name; its cluster port stays shut."""
    url = f"http://127.0.0.1:{port or a_free_port()}"
    config = _config(folder, door, max_alerts, group_interval)
    assert PROGRAM is not None
    process = await asyncio.create_subprocess_exec(
        *(PROGRAM, f"--config.file={config}", f"--web.listen-address={url.removeprefix('http://')}"),
        *("--cluster.listen-address=", f"--storage.path={folder / 'data'}"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def ready() -> bool:
        try:
            async with httpx.AsyncClient(trust_env=False) as http:
                return (await http.get(f"{url}/-/ready")).status_code == 200
        except httpx.TransportError:
            return False

    try:
        await until(ready, "the Alertmanager is ready", within=10)
        yield Alertmanager(url)
    finally:
        process.terminate()
        await process.wait()


def _config(folder: Path, door: Door, max_alerts: int, group_interval: str) -> Path:
    folder.mkdir()
    token, config = folder / "token", folder / "alertmanager.yml"
    token.write_text(door.token)
    hook = {
        "url": door.url + PATH,
        "send_resolved": True,
        "max_alerts": max_alerts,
        "http_config": {"authorization": {"type": "Bearer", "credentials_file": str(token)}},
    }
    times = {"group_wait": "100ms", "group_interval": group_interval, "repeat_interval": group_interval}
    document = {
        "route": {"receiver": "counter.mand", "group_by": ["alertname"], **times},
        "receivers": [{"name": "counter.mand", "webhook_configs": [hook]}],
    }
    with config.open("w") as file:
        YAML().dump(document, file)
    return config


def an_alert(name: str = "HighErrorRate", since: datetime | None = None, **labels: str) -> dict[str, Any]:
    """An alert about the release of the story, as Prometheus tells it; it fires for a minute unless told otherwise."""
    about = {"release": RELEASE, "env": "production"}
    starts = since or utc_now()
    return {
        "labels": {"alertname": name, **about, **labels},
        "annotations": {"summary": "too many errors"},
        "startsAt": instant(starts),
        "endsAt": instant(utc_now() + timedelta(minutes=1)),
        "generatorURL": "http://127.0.0.1/graph",
    }


def over(alert: dict[str, Any]) -> dict[str, Any]:
    """The same alert, resolved now."""
    return alert | {"endsAt": instant(utc_now())}
