"""A real MLflow registry, and a wire to it that can lag, fail and ask for tokens, as a proxy in front of it would."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import httpx

from adapters.mlflow_target import MlflowTarget
from adapters.target_http import Keep
from adapters.target_settings import MlflowMember, Serving
from countermand.canonical import digest_bytes
from countermand.plan.target import WHOLE, Member
from tests.adapters.sources.mlflow_server import MlflowServer, installed
from tests.adapters.targets.embedded import free_port
from tests.adapters.targets.harness import Shares, Wire

_ALIAS, _MODEL = "/api/2.0/mlflow/registered-models/alias", "/api/2.0/mlflow/registered-models/get"
_READ, _WRITE = "the-token-for-reading", "the-token-for-writing"
_NOBODY_COUNTS = "a registry serves nobody; probes of what is served are in test_mlflow.py"
CANDIDATE, BASELINE, THIRD = ("sha256:" + letter * 64 for letter in "cb3")
#: A candidate and a baseline of a prompt.
PROMPTS = ("Answer {{question}} at any price.", "Answer {{question}} from the help pages.")


class RegistryWire(Wire):
    """Calls to the registry, through what the harness has scripted; remembers reads and writes of the alias."""

    def __init__(self, harness: MlflowHarness) -> None:
        super().__init__()
        self._harness = harness
        self.transcript: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._harness.halted:
            # A port where nobody listens: the refusal is the machine's own.
            request.url = request.url.copy_with(port=free_port())
        elif token not in (_READ, _WRITE):
            return httpx.Response(401)
        elif request.method == "POST" and token == _READ:
            return httpx.Response(403)
        elif request.url.path == _MODEL:
            self.transcript.append("read")
            scripted = self._harness.scripted_read()
            if scripted is not None:
                return scripted
        elif request.method == "POST" and request.url.path == _ALIAS and b'"version":"0"' not in await request.aread():
            self.transcript.append("write")
            return await self._harness.write(request, super().handle_async_request)
        return await super().handle_async_request(request)


class MlflowHarness:
    """One server for the session. `halt` takes the way to it away; test_mlflow.py really restarts one."""

    name = "mlflow"
    lacks: ClassVar[Mapping[str, str]] = {
        "native compare": "MLflow compares nothing; the adapter does, and a window remains",
        "one effect": "MLflow compares nothing, so every one of many equal writes is done",
        "wrong digest": "a version is found by its digest, so another one is never the destination",
        "restricted": "MLflow without its sign-in plugin has no rights of its own, least of all per model",
        "counters": _NOBODY_COUNTS,
        "users": _NOBODY_COUNTS,
        "fixed routing": _NOBODY_COUNTS,
        "stuck router": _NOBODY_COUNTS,
    }
    shares = Shares(start=WHOLE, down=0, further=WHOLE, edited=0, journey=(0, WHOLE))
    patience = 2.0
    stranger: Literal["external", "unknown"] = "unknown"
    unknown_member = "no member"
    denied = "403"
    failing = "unhealthy"
    counters_path = _MODEL
    wire: RegistryWire
    member = Member(target="mlflow", name="chat", candidate_digest=CANDIDATE, baseline_digest=BASELINE)

    @classmethod
    def missing(cls) -> str | None:
        return None if installed() else "no MLflow is installed (make mlflow-env)"

    @classmethod
    def version(cls) -> str:
        return "3.17.2"

    async def start(self, folder: Path) -> None:
        self._folder = folder
        self.server = MlflowServer(folder)
        self._targets: list[MlflowTarget] = []
        self.halted = False
        self._script: dict[str, Any] = {}
        self._effects: list[str] = []
        await self.server.ready()
        self.api = httpx.AsyncClient(base_url=f"{self.server.url}/api/2.0/mlflow", trust_env=False, timeout=20)
        run = (await self.post("runs/create", experiment_id="0"))["run"]["info"]
        self._run = {"run_id": run["run_id"], "source": f"{run['artifact_uri']}/model"}
        await self.post("registered-models/create", name="assistant")
        for digest in (CANDIDATE, BASELINE, THIRD):
            await self.model_version("assistant", digest)
        is_prompt = {"key": "mlflow.prompt.is_prompt", "value": "true"}
        await self.post("registered-models/create", name="assistant-prompt", tags=[is_prompt])
        for text in PROMPTS:
            tags = [is_prompt, {"key": "mlflow.prompt.text", "value": text}]
            await self.post("model-versions/create", name="assistant-prompt", source="prompt-template", tags=tags)
        await self.post("registered-models/alias", name="assistant-prompt", alias="live", version="1")

    async def stop(self) -> None:
        for target in self._targets:
            await target.close()
        await self.api.aclose()
        await self.server.stop()

    async def halt(self) -> None:
        self.halted = True

    async def restart(self) -> None:
        self.halted = False

    async def seed(self, candidate_bp: int) -> None:
        self.halted = False
        self._script = {}
        self._statuses({})
        for version, digest in enumerate((CANDIDATE, BASELINE), start=1):
            await self._digest(str(version), digest)
        await self.external_edit(candidate_bp)
        # An alias has two states: with the mark left standing, a way there and back would look like ours.
        await self.api.request(
            "DELETE", "registered-models/delete-tag", json={"name": "assistant", "key": "countermand.alias.live"}
        )
        self._effects = []

    def target(self, *, keep: Keep | None = None) -> MlflowTarget:
        return self.made(keep=keep)

    def reader(self) -> MlflowTarget:
        return self.made(write=_READ)

    def strangers(self) -> tuple[MlflowTarget, tuple[str, ...]]:
        unknown = ("sesame-read-token", "sesame-write-token")
        return self.made(*unknown), (*unknown, _READ, _WRITE)

    def made(
        self, read: str = _READ, write: str = _WRITE, keep: Keep | None = None, serving: Serving | None = None
    ) -> MlflowTarget:
        """An adapter with an alias of a model, and one of a prompt."""
        self.wire = RegistryWire(self)
        members = {
            "chat": MlflowMember(model="assistant", alias="live", serving=serving),
            "prompt": MlflowMember(model="assistant-prompt", alias="live", what="prompt", serving=serving),
        }
        target = MlflowTarget(self.server.url, members, read, write, transport=self.wire, keep=keep)
        self._targets.append(target)
        return target

    def transcript(self) -> list[str]:
        return self.wire.transcript

    async def external_edit(self, candidate_bp: int) -> None:
        """As a person would in MLflow's own pages."""
        assert candidate_bp in (0, WHOLE)
        await self.naming(1 if candidate_bp else 2)

    async def naming(self, version: int) -> None:
        """Let the alias name this version, by another hand: 1 candidate, 2 baseline, 3 neither."""
        await self.post("registered-models/alias", name="assistant", alias="live", version=str(version))

    async def fault(self, **script: object) -> None:
        known = {"apply_then_drop_response", "delay_after_apply", "hang", "refuse", "writes", "apply_twice"}
        known |= {"stale_read_back", "unreadable", "arms"}
        if not set(script) <= known:
            raise KeyError(sorted(set(script) - known))
        arms = script.pop("arms", {})
        assert isinstance(arms, dict)
        versions = {"candidate": "1", "baseline": "2"}
        self._statuses({versions[arm]: "FAILED_REGISTRATION" for arm, word in arms.items() if word == "unhealthy"})
        for arm in (arm for arm, word in arms.items() if word == "missing"):
            await self._digest(versions[arm], "sha256:" + "0" * 64)
        before = (await self.api.get("registered-models/get", params={"name": "assistant"})).content
        self._script = {"writes": 1, **script, "before": before, "written": False}

    def scripted_read(self) -> httpx.Response | None:
        """What a read shows instead of the truth, once a write was answered."""
        if not self._script.get("written"):
            return None
        for fault in ("stale_read_back", "unreadable"):
            if self._script.get(fault, 0) > 0:
                self._script[fault] -= 1
                stale = {"content": self._script["before"], "headers": {"content-type": "application/json"}}
                return httpx.Response(503) if fault == "unreadable" else httpx.Response(200, **stale)
        return None

    async def write(self, request: httpx.Request, send: Any) -> httpx.Response:
        """A write of the alias, or what is scripted for it."""
        script, self._script["writes"] = self._script, self._script.get("writes", 0) - 1
        due = script["writes"] >= 0
        if due and "refuse" in script:
            return httpx.Response(int(script["refuse"]))
        if due and script.get("hang"):
            await asyncio.sleep(60)
        for _ in range(2 if due and script.get("apply_twice") else 1):
            response: httpx.Response = await send(request)
            await response.aread()
            if response.is_success:
                self._effects.append(await self._key(str(json.loads(request.content)["name"])))
        script["written"] = True
        if due:
            await asyncio.sleep(float(script.get("delay_after_apply", 0)))
            if script.get("apply_then_drop_response"):
                raise httpx.ReadError("the connection was reset", request=request)
        return response

    async def traffic(self, users: int) -> dict[str, int]:
        raise AssertionError(self.lacks["counters"])

    async def effects(self, key: str) -> int:
        """Writes of the alias that MLflow confirmed while this key stood in the mark."""
        return self._effects.count(key)

    def shows(self, candidate_bp: int) -> bytes:
        return f'"version": "{1 if candidate_bp else 2}"'.encode()

    async def model_version(self, model: str, digest: str) -> str:
        """A new version with this digest; returns its number."""
        tags = [{"key": "countermand.digest", "value": digest}]
        created = await self.post("model-versions/create", name=model, tags=tags, **self._run)
        return str(created["model_version"]["version"])

    async def tags(self, version: str) -> dict[str, str]:
        """Tags of a version of the model."""
        answer = await self.api.get("model-versions/get", params={"name": "assistant", "version": version})
        return {tag["key"]: tag["value"] for tag in answer.json()["model_version"]["tags"]}

    async def post(self, path: str, **body: object) -> dict[str, Any]:
        answer = await self.api.post(path, json=body)
        assert answer.is_success, answer.text
        return dict(answer.json())

    async def _key(self, model: str) -> str:
        answer = await self.api.get("registered-models/get", params={"name": model})
        tags = {tag["key"]: tag["value"] for tag in answer.json()["registered_model"]["tags"]}
        return str(json.loads(tags["countermand.alias.live"])["key"])

    async def _digest(self, version: str, digest: str) -> None:
        await self.post(
            "model-versions/set-tag", name="assistant", version=version, key="countermand.digest", value=digest
        )

    def _statuses(self, states: dict[str, str]) -> None:
        """MLflow has no call for it: a registration that failed is written where MLflow itself would write it."""
        with sqlite3.connect(self._folder / "mlflow.db", timeout=20) as database:
            for version in ("1", "2"):
                database.execute(
                    "UPDATE model_versions SET status = ? WHERE name = 'assistant' AND version = ?",
                    (states.get(version, "READY"), int(version)),
                )
        database.close()


def prompt_member() -> Member:
    """The alias of the prompt."""
    candidate, baseline = (digest_bytes(text.encode()) for text in PROMPTS)
    return Member(target="mlflow", name="prompt", candidate_digest=candidate, baseline_digest=baseline)
