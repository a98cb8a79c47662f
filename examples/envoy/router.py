"""The Envoy of the example: its files, its process, and a witness that asks it again and again what is in force."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from string import Template
from time import time
from typing import NamedTuple

import httpx
from countermand.cli.environment import Place
from countermand.cli.exits import Exit, Failure
from countermand.cli.processes import Child, answers, free_port

_HERE = Path(__file__).parent
_CANDIDATE, _BASELINE = "routing.assistant.canary", "routing.assistant.stable"
_LOOK_SECONDS = 0.05


class InForce(NamedTuple):
    """Weights that Envoy said were in force, without a break, from `since` to `until` (seconds since 1970)."""

    candidate: int
    baseline: int
    since: float
    until: float


class Router:
    """One Envoy in front of two assistants."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._folder = place.data / "runtime"
        self.admin_url, self.users_url = (f"http://127.0.0.1:{free_port(0)}" for _ in range(2))
        self.canary_port, self.stable_port = free_port(0), free_port(0)

    def write_files(self) -> None:
        """Envoy's configuration, the file of its runtime layer, and Countermand's entry for both."""
        self._folder.mkdir()
        file = self._folder / "countermand.json"
        file.write_text((_HERE / "runtime.json").read_text())
        filled = {
            "ADMIN_PORT": self.admin_url.rpartition(":")[2],
            "USERS_PORT": self.users_url.rpartition(":")[2],
            "CANARY_PORT": str(self.canary_port),
            "STABLE_PORT": str(self.stable_port),
            "RUNTIME_FILE": str(file),
            "RUNTIME_FOLDER": str(self._folder),
        }
        for name in ("envoy.yaml", "targets.yaml"):
            (self._place.data / name).write_text(Template((_HERE / name).read_text()).substitute(filled))

    def process(self) -> Child:
        """Raises Failure when no Envoy is installed."""
        command = [program(self._place.checkout), "-c", self._place.data / "envoy.yaml"]
        options = ["--disable-hot-restart", "--concurrency", "2", "-l", "warning"]
        return self._place.child("envoy", [*command, *options], answers(f"{self.admin_url}/ready"))

    async def loads(self, client: httpx.AsyncClient) -> int:
        """How often Envoy has taken over a new content of its runtime file, its first one included."""
        response = await client.get(f"{self.admin_url}/stats?format=json&filter=^runtime.update_success$")
        return int(response.raise_for_status().json()["stats"][0]["value"])

    async def watch(self, client: httpx.AsyncClient, seen: list[InForce]) -> None:
        """Ask 20 times a second, and add to `seen` until cancelled. What Envoy does not answer is not seen."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            asked = time()
            try:
                entries = (await client.get(f"{self.admin_url}/runtime")).raise_for_status().json()["entries"]
            except httpx.HTTPError:
                continue
            candidate, baseline = (int(entries[key]["final_value"]) for key in (_CANDIDATE, _BASELINE))
            if seen and (seen[-1].candidate, seen[-1].baseline) == (candidate, baseline):
                seen[-1] = seen[-1]._replace(until=asked)
            else:
                # Answered after it was so, asked before it was otherwise: the times are never too generous.
                answered = time()
                seen.append(InForce(candidate, baseline, answered, answered))


def program(checkout: Path) -> Path:
    """Envoy from the environment of `make routers-env`, else from the PATH. Raises Failure."""
    own = checkout / ".venv-routers/bin/envoy"
    found = own if own.exists() else shutil.which("envoy")
    if found is None:
        raise Failure(Exit.failed, f"no Envoy in {own.parent} or on the PATH", next="make routers-env installs it")
    return Path(found)
