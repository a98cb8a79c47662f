"""A real Unleash server with a PostgreSQL of its own. Opt-in: `make test-unleash` installs it and asks for it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any, ClassVar

import httpx

from adapters.target_settings import UnleashMember
from adapters.unleash_target import UnleashTarget
from countermand.plan.target import Member
from tests.adapters import postgres
from tests.adapters.targets.embedded import free_port
from tests.adapters.targets.patched import BASELINE, CANDIDATE, LACKS, FaultyWire, PatchedHarness, Process

_MODULES = Path(__file__).resolve().parents[3] / "requirements/unleash/node_modules"
_HOW = "make test-unleash"
ADMIN = "/api/admin/projects/default/features"


class UnleashHarness(PatchedHarness):
    """One server; `assistant` is the flag of the suite, in environment `development` of project `default`."""

    name = "unleash"
    lacks: ClassVar[Mapping[str, str]] = LACKS | {
        "native compare": "conditions of a patch are checked right before it is written, and a window remains",
        "restricted": "the open-source edition has no write token for one flag alone",
        "one effect": "two patches within that window both take effect, with one and the same content",
    }
    counters_path = "/api/client/features/assistant"
    member = Member(target="unleash", name="chat", candidate_digest=CANDIDATE, baseline_digest=BASELINE)

    @classmethod
    def missing(cls) -> str | None:
        if not (_MODULES / "unleash-server").exists() or not list(_MODULES.glob("node-linux-*")):
            return f"no Unleash is installed ({_HOW})"
        return None if postgres.installed() else "no PostgreSQL is installed"

    @classmethod
    def version(cls) -> str:
        server = json.loads((_MODULES / "unleash-server/package.json").read_text())["version"]
        return f"{server} (Node {json.loads(_node().joinpath('package.json').read_text())['version']})"

    async def start(self, folder: Path) -> None:
        await self.prepare(folder)
        self.read_token = f"default:development.{token_hex(16)}"
        self.write_token = f"*:*.{token_hex(16)}"
        programs = postgres.installed()
        assert programs is not None
        self._postgres = postgres.Postgres(programs)
        self._postgres.start()
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        headers = {"Authorization": f"Bearer {self.write_token}"}
        self.admin = httpx.AsyncClient(base_url=self.url, headers=headers, trust_env=False, timeout=30)
        self._database = self._postgres.new_database(migrated=False)
        await self._run()
        self._strategies: dict[str, str] = {}
        for flag in ("assistant", "greeting"):
            await self.new_flag(flag)

    async def new_flag(self, flag: str, **strategy: object) -> None:
        """A flag that is on for everybody in a gradual rollout of 60 %."""
        (await self.admin.post(ADMIN, json={"name": flag, "type": "release"})).raise_for_status()
        parameters = {"rollout": "60", "stickiness": "default", "groupId": flag}
        body = {"name": "flexibleRollout", "title": "Release", "parameters": parameters} | strategy
        place = f"{ADMIN}/{flag}/environments/development"
        self._strategies[flag] = (
            (await self.admin.post(f"{place}/strategies", json=body)).raise_for_status().json()["id"]
        )
        (await self.admin.post(f"{place}/on")).raise_for_status()

    async def _run(self) -> None:
        database = self._postgres.url(self._database, postgres.OWNER)
        variables = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": database.replace("postgresql+psycopg", "postgres"),
            "DATABASE_SSL": "false",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(self._port),
            "INIT_ADMIN_API_TOKENS": self.write_token,
            "INIT_CLIENT_API_TOKENS": self.read_token,
            "CHECK_VERSION": "false",
            "SEND_TELEMETRY": "false",
            "LOG_LEVEL": "error",
        }
        node, server = str(_node() / "bin/node"), _MODULES / "unleash-server"
        log = self.folder / "unleash.log"
        self._process = Process(log, node, "dist/server.js", cwd=server, variables=variables)
        await self._process.until(self._up)

    async def _up(self) -> bool:
        try:
            return (await self.admin.get("/health")).status_code == 200
        except httpx.TransportError:
            return False

    async def halt(self) -> None:
        await self._process.end()

    async def restart(self) -> None:
        if self._process.runs:
            await self.halt()
        await self._run()

    async def stop(self) -> None:
        await self.finish()
        await self.admin.aclose()
        await self.halt()
        self._postgres.stop()

    async def seed(self, candidate_bp: int) -> None:
        self.clear()
        self.upstreams.set({})
        await self.external_edit(candidate_bp)

    async def external_edit(self, candidate_bp: int) -> None:
        """As a person does it in Unleash: our mark stays as it was."""
        await self.edit(
            "assistant", {"op": "replace", "path": "/parameters/rollout", "value": str(candidate_bp // 100)}
        )

    async def edit(self, flag: str, *edits: dict[str, object]) -> None:
        (await self.admin.patch(self.strategy(flag), json=list(edits))).raise_for_status()

    def strategy(self, flag: str) -> str:
        return f"{ADMIN}/{flag}/environments/development/strategies/{self._strategies[flag]}"

    def made(self, read_token: Path, write_token: Path, **more: Any) -> UnleashTarget:
        self.wire = FaultyWire(self, None)
        flags = {"chat": "assistant"} | more.pop("flags", {})
        members = {
            name: UnleashMember.model_validate(
                {"project": "default", "environment": "development", "flag": flag} | self.health()
            )
            for name, flag in flags.items()
        }
        target = UnleashTarget(self.url, read_token, write_token, members, transport=self.wire, **more)
        self.targets.append(target)
        return target

    def takes_effect(self, request: httpx.Request) -> bool:
        return len(json.loads(request.content)) > 1

    async def effects(self, key: str) -> int:
        """Out of Unleash's own log of who changed what."""
        found = await self.admin.get("/api/admin/search/events?feature=IS:assistant&type=IS:feature-strategy-update")
        done = 0
        for event in found.raise_for_status().json()["events"]:
            parameters = event["data"]["parameters"]
            mark = json.loads(parameters.get("countermand", "{}"))
            done += mark.get("key") == key and str(mark["candidate"]) == parameters["rollout"]
        return done

    def shows(self, candidate_bp: int) -> bytes:
        return f'"rollout":"{candidate_bp // 100}"'.encode()


def _node() -> Path:
    return next(_MODULES.glob("node-linux-*"))
