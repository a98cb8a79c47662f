"""The whole product as real processes: Temporal, worker, console, demo service, users; driven over HTTP only."""

from __future__ import annotations

import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from countermand.cli import environment
from countermand.cli.demo_world import name_notes
from countermand.cli.processes import Child, Supervisor, answers, at_once, free_port
from tests.waiting import until

RELEASE, SERVICE = "support-assistant-v7", "support-assistant"


class Stack:
    """One running installation in its own directory."""

    def __init__(self, data: Path) -> None:
        # Ports that nobody asks for by number, so that two runs on one machine never meet.
        own = {name: free_port(0) for name in ("temporal_port", "ui_port", "console_port")}
        self.place = replace(environment.Place.choose(data, "."), **own)
        self.service_url = f"http://127.0.0.1:{free_port(0)}"
        self.notes: list[str] = []
        self.supervisor = Supervisor(self.notes.append)
        self.read_token, self.write_token = (secrets.token_urlsafe(24) for _ in range(2))
        self.tokens: dict[str, str] = {}
        self.client = httpx.AsyncClient(trust_env=False, timeout=20)

    async def start(self) -> None:
        self.place.data.mkdir(parents=True, mode=0o700)
        place = self.place
        self.passwords = await environment.prepare(place)
        governance = place.data / "governance.yaml"  # these tests are not about who may adopt a playbook
        governance.write_text(governance.read_text().replace("adoption: required", "adoption: open"))
        files = [place.secret(f"demo-{name}.token", token) for name, token in
                 (("read", self.read_token), ("write", self.write_token))]  # fmt: skip
        (place.data / "targets.yaml").write_text(
            f"targets:\n  demo:\n    kind: embedded\n    url: {self.service_url}\n"
            f"    read_token_file: {files[0]}\n    write_token_file: {files[1]}\n"
        )
        name_notes(place)
        port = self.service_url.rpartition(":")[2]
        command = [sys.executable, "-m", "examples.demo.service", "--port", port, "--faults"]
        command += ["--database", str(place.data / "service.db")]
        await self.supervisor.start(environment.temporal_server(place), within=120)
        tokens = {"DEMO_READ_TOKEN": self.read_token, "DEMO_WRITE_TOKEN": self.write_token}
        await self.supervisor.start(
            place.child("service", command, answers(f"{self.service_url}/healthz"), more=tokens)
        )
        self.worker = environment.worker(place)
        await self.supervisor.start(self.worker, within=120)
        await self.supervisor.start(environment.console(place), within=120)

    async def call(self, method: str, path: str, who: str = "local|lena", **request: Any) -> dict[str, Any]:
        """One call of the public API as this person. Raises HTTPStatusError."""
        if who not in self.tokens:
            body = {"subject": who, "password": self.passwords[who]}
            signed_in = await self.client.post(f"{self.place.console_url}/api/v1/login", json=body)
            self.tokens[who] = signed_in.raise_for_status().json()["token"]
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} | request.pop("headers", {})
        response = await self.client.request(method, f"{self.place.console_url}{path}", headers=headers, **request)
        answer: dict[str, Any] = response.raise_for_status().json()
        return answer

    async def service(self, method: str, path: str, **request: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.write_token}"}
        response = await self.client.request(method, f"{self.service_url}{path}", headers=headers, **request)
        return response.raise_for_status().json() if response.content else None

    async def register(self, playbook: bytes, release_id: str = RELEASE) -> None:
        kind = {"Content-Type": "application/yaml"}
        sent = await self.call("POST", "/api/v1/playbooks", content=playbook, headers=kind)
        arms = await self.service("GET", "/control/arms")
        await self.call(
            "POST",
            "/api/v1/releases",
            json={
                "release_id": release_id,
                "environment": "test",
                "service": SERVICE,
                "candidate": arms["candidate"]["bundle"],
                "baseline": arms["baseline"]["bundle"],
                "playbook_digest": sent["digest"],
                "owner": "local|jonas",
            },
        )

    async def users(self, *, shift_after: float) -> Child:
        """Start the traffic; what users ask about shifts after some seconds."""
        command = [sys.executable, "-m", "examples.demo.traffic", "--service", self.service_url, "--rate", "60"]
        command += ["--console", self.place.console_url, "--release", RELEASE, "--shift-after", str(shift_after)]
        token = {"DEMO_SIGNALS_TOKEN": (self.place.keys / "judge.token").read_text()}
        traffic = self.place.child("traffic", command, at_once, more=token)
        await self.supervisor.start(traffic)
        return traffic

    async def incident_of(self, release_id: str = RELEASE) -> dict[str, Any] | None:
        items = (await self.call("GET", "/api/v1/incidents"))["items"]
        return next((item for item in items if item["release_id"] == release_id), None)

    async def pending_ask(self) -> str:
        async def there() -> str | None:
            items = (await self.call("GET", "/api/v1/asks"))["items"]
            return next((item["ask_id"] for item in items if item["status"] == "pending"), None)

        return await until(there, "a request for approval", within=90)

    async def approve(self, ask_id: str, who: str) -> dict[str, Any]:
        shown = await self.call("GET", f"/api/v1/asks/{ask_id}", who)
        vote = {
            "kind": "approve",
            "approval_digest": shown["card"]["approval_digest"],
            "view_sha256": shown["view_sha256"],
            "reason": "read the evidence and the plan",
        }
        return await self.call("POST", f"/api/v1/asks/{ask_id}/decisions", who, json=vote)

    async def splits(self) -> list[int]:
        """The candidate's shares in the order in which the service itself recorded them."""
        history = await self.service("GET", f"/control/splits/{SERVICE}/history")
        return [entry["candidate_bp"] for entry in history]


@asynccontextmanager
async def running(data: Path) -> AsyncIterator[Stack]:
    stack = Stack(data)
    try:
        await stack.start()
        yield stack
    finally:
        await stack.supervisor.stop()
        await stack.client.aclose()


def processes_of(data: Path) -> list[str]:
    """Processes that still run in this data directory."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"COUNTERMAND_DATA={data}".encode() in environ.read_bytes():
                found.append(environ.parent.name)
    return found
