"""What the example runs beside Countermand: MLflow, the door before it, the service and its users."""

from __future__ import annotations

import asyncio
import secrets
import sys
from pathlib import Path
from string import Template
from time import time
from typing import NamedTuple

import httpx
from countermand.cli.environment import Place
from countermand.cli.exits import Exit, Failure
from countermand.cli.processes import Child, answers, at_once, free_port

from examples.llm.registry import Registry
from examples.llm.versions import BASELINE, CANDIDATE, LIVE, MODEL, PROMPT, STABLE

_HERE = Path(__file__).parent
_LOOK_SECONDS = 0.1
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


class Named(NamedTuple):
    """Which versions both aliases named, from this time on (seconds since 1970)."""

    model: str
    prompt: str
    since: float


class World:
    """One registry with two models in it, and a service. `registry` speaks to it as the release pipeline does."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._mlflow, self._port, self._service = (free_port(0) for _ in range(3))
        self._read, self._write = (secrets.token_urlsafe(24) for _ in range(2))
        self._frozen = place.data / "frozen"
        self.rare = place.data / "rare"
        self.door_url, self.service_url = (f"http://127.0.0.1:{port}" for port in (self._port, self._service))
        self.registry = Registry(self.door_url, self._write)
        self.versions: dict[str, dict[str, str]] = {MODEL: {}, PROMPT: {}}

    def write_files(self) -> None:
        """Countermand's entry for the registry, and the tokens it may use."""
        filled = {
            "REGISTRY_PORT": str(self._port),
            "SERVICE_PORT": str(self._service),
            "READ_TOKEN_FILE": str(self._place.secret("registry-read.token", self._read)),
            "WRITE_TOKEN_FILE": str(self._place.secret("registry-write.token", self._write)),
        }
        text = Template((_HERE / "targets.yaml").read_text()).substitute(filled)
        (self._place.data / "targets.yaml").write_text(text)
        self.rare.write_text("0")

    def mlflow(self) -> Child:
        """Raises Failure when no MLflow is installed."""
        programs = self._place.checkout / ".venv-mlflow/bin"
        if not (programs / "mlflow").exists():
            raise Failure(Exit.failed, f"no MLflow in {programs}", next="make mlflow-env installs it")
        folder = self._place.data / "mlflow"
        folder.mkdir()
        command = [programs / "mlflow", "server", "--host", "127.0.0.1", "--port", str(self._mlflow), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
        command += ["--artifacts-destination", str(folder / "artifacts")]
        path = f"{programs}:{self._place.environment['PATH']}"
        more = {"PATH": path, "HOME": str(folder)} | _QUIET
        return self._place.child("mlflow", command, answers(f"http://127.0.0.1:{self._mlflow}/version"), more=more)

    def door(self) -> Child:
        command = [sys.executable, "-m", "examples.llm.door", "--port", str(self._port)]
        command += ["--registry", f"http://127.0.0.1:{self._mlflow}", "--frozen", str(self._frozen)]
        tokens = {"LLM_READ_TOKEN": self._read, "LLM_WRITE_TOKEN": self._write}

        async def listens(_: Child) -> bool:
            try:
                async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
                    return (await client.get(self.door_url)).status_code == 401
            except httpx.TransportError:
                return False

        return self._place.child("door", command, listens, more=tokens)

    def service(self) -> Child:
        command = [sys.executable, "-m", "examples.llm.service", "--port", str(self._service)]
        command += ["--registry", self.door_url]
        ready = answers(f"{self.service_url}/healthz")
        return self._place.child("service", command, ready, more={"LLM_READ_TOKEN": self._read})

    def users(self, release: str) -> Child:
        command = [sys.executable, "-m", "examples.llm.users", "--service", self.service_url]
        command += ["--console", self._place.console_url, "--release", release, "--rare-file", str(self.rare)]
        token = {"EXAMPLE_SIGNALS_TOKEN": (self._place.keys / "judge.token").read_text()}
        return self._place.child("users", command, at_once, more=token)

    async def publish(self) -> None:
        """What a release pipeline does: register both versions of both parts, and let users get the new ones."""
        await self.registry.create(MODEL, prompt=False)
        await self.registry.create(PROMPT, prompt=True)
        for version, alias in ((BASELINE, STABLE), (CANDIDATE, LIVE)):
            model = await self.registry.add_model(MODEL, version.model)
            prompt = await self.registry.add_prompt(PROMPT, version.prompt)
            for name, number in ((MODEL, model), (PROMPT, prompt)):
                await self.registry.point(name, alias, number)
                self.versions[name][number] = version.bundle.name

    def freeze_prompt(self) -> None:
        """From now on the door moves no alias of the prompt."""
        self._frozen.write_text(PROMPT)

    async def watch(self, seen: list[Named]) -> None:
        """A witness beside Countermand: ask ten times a second what both aliases name, until cancelled."""
        while True:
            model, prompt = [
                self.versions[name].get(str((await self.registry.version(name, LIVE))["version"]), "another version")
                for name in (MODEL, PROMPT)
            ]
            if not seen or (seen[-1].model, seen[-1].prompt) != (model, prompt):
                seen.append(Named(model, prompt, time()))
            await asyncio.sleep(_LOOK_SECONDS)

    async def served(self) -> dict[str, str]:
        """The digests that the service itself names now."""
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            answer = await client.get(f"{self.service_url}/healthz")
        return dict(answer.raise_for_status().headers)
