"""What the demo is played with: the local processes, the demo service with its users, and calls to both.

The console is only ever spoken to through its public API, as any other client would.
"""

from __future__ import annotations

import secrets
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from countermand.cli import environment
from countermand.cli.client import answer
from countermand.cli.environment import Place
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import JsonObject
from countermand.cli.processes import Child, answers, free_port

if TYPE_CHECKING:
    import httpx

RELEASE, SERVICE = "support-assistant-v7", "support-assistant"
#: Whoever registers a release cannot approve its rollback.
REGISTRAR, OWNER = "local|lena", "local|jonas"
_MARKER = ".countermand-demo"


class World:
    """One local environment with a demo service. `client` is open while the demo runs."""

    def __init__(self, place: Place, client: httpx.AsyncClient) -> None:
        self.place = place
        self.passwords: dict[str, str] = {}
        self.service_url = f"http://127.0.0.1:{free_port(8890)}"
        self._client = client
        self._read_token, self._write_token = (secrets.token_urlsafe(24) for _ in range(2))
        self._tokens: dict[str, str] = {}

    async def prepare(self) -> None:
        """An empty data directory with files, database, key, accounts, and the service as a target."""
        place = self.place
        empty(place.data)
        self.passwords = await environment.prepare(place)
        read = place.secret("demo-read.token", self._read_token)
        write = place.secret("demo-write.token", self._write_token)
        (place.data / "targets.yaml").write_text(
            f"targets:\n  demo:\n    kind: embedded\n    url: {self.service_url}\n"
            f"    read_token_file: {read}\n    write_token_file: {write}\n"
        )
        notes = place.secret("demo-notes.url", f"sqlite+aiosqlite:///{place.data / 'service.db'}")
        (place.data / "data_sources.yaml").write_text(
            f"data_sources:\n  notes:\n    kind: sql\n    url_file: {notes}\n    max_rows: 50000\n"
        )

    def service_process(self) -> Child:
        """Two assistants behind one split."""
        port = self.service_url.rpartition(":")[2]
        command = [sys.executable, "-m", "examples.demo.service", "--port", port]
        command += ["--database", str(self.place.data / "service.db")]
        tokens = {"DEMO_READ_TOKEN": self._read_token, "DEMO_WRITE_TOKEN": self._write_token}
        return self.place.child("service", command, answers(f"{self.service_url}/healthz"), more=tokens)

    def traffic_process(self, rare: Path) -> Child:
        """Users and their judge; the file says which share of questions is about what the candidate cannot answer."""
        command = [sys.executable, "-m", "examples.demo.traffic", "--service", self.service_url]
        command += ["--console", self.place.console_url, "--release", RELEASE, "--rare-file", str(rare), "--rate", "90"]
        token = (self.place.keys / "judge.token").read_text()
        return self.place.child("traffic", command, _at_once, more={"DEMO_SIGNALS_TOKEN": token})

    async def call(self, method: str, path: str, who: str = REGISTRAR, **request: Any) -> JsonObject:
        """One call of the console's public API as this person. Raises Failure with the console's own words."""
        if who not in self._tokens:
            self._tokens[who] = await self._sign_in(who)
        headers = request.pop("headers", {}) | {"Authorization": f"Bearer {self._tokens[who]}"}
        url = f"{self.place.console_url}{path}"
        return answer(await self._client.request(method, url, headers=headers, **request))

    async def _sign_in(self, who: str) -> str:
        body = {"subject": who, "password": self.passwords[who]}
        response = await self._client.post(f"{self.place.console_url}/api/v1/login", json=body)
        return str(answer(response)["token"])

    async def service(self, path: str) -> Any:
        """What the demo service itself says: with its read token, not through Countermand."""
        headers = {"Authorization": f"Bearer {self._read_token}"}
        response = await self._client.get(f"{self.service_url}{path}", headers=headers)
        response.raise_for_status()
        return response.json()

    async def register(self, playbook: bytes) -> tuple[str, str]:
        """Register exactly the bundles that the service says it serves; returns the names of both."""
        kind = {"Content-Type": "application/yaml"}
        sent = await self.call("POST", "/api/v1/playbooks", content=playbook, headers=kind)
        arms = await self.service("/control/arms")
        release = {
            "release_id": RELEASE,
            "environment": "demo",
            "service": SERVICE,
            "candidate": arms["candidate"]["bundle"],
            "baseline": arms["baseline"]["bundle"],
            "playbook_digest": sent["digest"],
            "owner": OWNER,
        }
        await self.call("POST", "/api/v1/releases", json=release)
        return release["candidate"]["name"], release["baseline"]["name"]

    async def approve(self, ask_id: str, who: str, reason: str) -> None:
        """Read the card as this person, and approve exactly that. Raises Failure."""
        shown = await self.call("GET", f"/api/v1/asks/{ask_id}", who)
        decision = {
            "kind": "approve",
            "approval_digest": shown["card"]["approval_digest"],
            "view_sha256": shown["view_sha256"],
            "reason": reason,
        }
        key = {"Idempotency-Key": str(uuid4())}
        await self.call("POST", f"/api/v1/asks/{ask_id}/decisions", who, json=decision, headers=key)


async def _at_once(_: Child) -> bool:
    return True


def empty(data: Path) -> None:
    """Remove what an earlier demo left. Raises Failure for a directory that is not a demo's."""
    others = [file for file in data.iterdir() if file.name != "lock"]
    if others and not (data / _MARKER).exists():
        raise Failure(
            Exit.usage, f"{data} is not empty and not a demo's", accepted="an empty or a new directory in --data"
        )
    for file in others:
        if file.is_dir():
            shutil.rmtree(file)
        else:
            file.unlink()
    (data / _MARKER).touch()
