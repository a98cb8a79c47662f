"""A local environment: one data directory, free ports, and the three processes of Countermand."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import countermand
from countermand.cli import starter
from countermand.cli.exits import Exit, Failure
from countermand.cli.processes import Child, Ready, Supervisor, answers, free_port, port_open, says

_ATTRIBUTES = ("Environment", "Service", "Release", "Severity", "Phase", "WaitingFor")
#: Without these a timer or transfer waits noticeably (measured in docs/temporal.md): only for this small server.
_DYNAMIC = (
    "history.transferProcessorMaxPollRPS=2000",
    "history.timerProcessorMaxPollRPS=2000",
    "history.visibilityProcessorMaxPollRPS=2000",
    'history.timerProcessorMaxTimeShift="1ms"',
)


@dataclass(frozen=True)
class Place:
    """Where everything of one local environment is."""

    checkout: Path
    data: Path
    temporal_port: int
    ui_port: int
    console_port: int

    @classmethod
    def choose(cls, data: Path | None, default: str) -> Place:
        """The data directory (below the checkout unless given) and ports that are free now. Raises Failure."""
        root = checkout()
        return cls(
            checkout=root,
            data=(data or root / default).resolve(),
            temporal_port=free_port(7233),
            ui_port=free_port(8233),
            console_port=free_port(8800),
        )

    @property
    def console_url(self) -> str:
        return f"http://127.0.0.1:{self.console_port}"

    @property
    def ui_url(self) -> str:
        return f"http://127.0.0.1:{self.ui_port}"

    @property
    def keys(self) -> Path:
        return self.data / "keys"

    @property
    def environment(self) -> dict[str, str]:
        """What the processes get: this shell's environment without its own Temporal and Countermand settings."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("COUNTERMAND_", "TEMPORAL_"))}
        return kept | {
            "COUNTERMAND_DATA": str(self.data),
            "COUNTERMAND_GOVERNANCE": str(self.data / "governance.yaml"),
            "COUNTERMAND_TARGETS": str(self.data / "targets.yaml"),
            "COUNTERMAND_DATA_SOURCES": str(self.data / "data_sources.yaml"),
            "COUNTERMAND_PROFILE": str(self.data / "profile.yaml"),
            "COUNTERMAND_CONSOLE_PORT": str(self.console_port),
            "COUNTERMAND_CONSOLE_URL": self.console_url,
            "COUNTERMAND_TEMPORAL_UI_URL": self.ui_url,
            "TEMPORAL_ADDRESS": f"127.0.0.1:{self.temporal_port}",
            "TEMPORAL_CONFIG_FILE": str(self.data / "temporal.toml"),
            "PYTHONUNBUFFERED": "1",
        }

    def child(
        self,
        name: str,
        command: Sequence[str | Path],
        ready: Ready,
        *,
        tier: int = 0,
        more: Mapping[str, str] | None = None,
    ) -> Child:
        """A process of this environment, with `more` variables; its log is named after it."""
        return Child(
            name=name,
            command=command,
            ready=ready,
            environment=self.environment | dict(more or {}),
            directory=self.checkout,
            log=self.data / "logs" / f"{name}.log",
            tier=tier,
        )

    def secret(self, name: str, value: str) -> Path:
        """Keep a secret in a file of the data directory that only its owner can read."""
        self.keys.mkdir(exist_ok=True, mode=0o700)
        file = self.keys / name
        file.touch(mode=0o600)
        file.write_text(value)
        return file


def checkout() -> Path:
    """The directory with worker.py. Raises Failure when only the package is installed."""
    root = Path(countermand.__file__).resolve().parent.parent
    if not (root / "worker.py").exists():
        raise Failure(
            Exit.usage,
            f"{root} is no checkout of Countermand: worker and console are not part of the installed package",
            accepted="`up` and `demo` from a checkout",
            next="clone the repository and run `make demo`",
        )
    return root


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Hold the data directory: two servers on one database would destroy it. Raises Failure when it is taken."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (data / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure(
                Exit.refused,
                f"another `countermand up` or `demo` is using {data}",
                next="stop it with Ctrl-C, or choose another directory with --data",
            ) from None
        yield


def temporal_binary() -> Path:
    """The server that was installed with the application. Raises Failure."""
    beside = Path(sys.executable).parent / "temporal"
    found = beside if beside.exists() else shutil.which("temporal")
    if found is None:
        raise Failure(
            Exit.failed, f"no `temporal` binary in {beside.parent} or on the PATH", next="make demo installs it"
        )
    return Path(found)


def temporal_server(place: Place) -> Child:
    """The real Temporal server with its database file in the data directory; stopped last."""
    command: list[str | Path] = [temporal_binary(), "server", "start-dev", "--headless=false", "--ip", "127.0.0.1"]
    command += ["--port", str(place.temporal_port), "--ui-port", str(place.ui_port), "--ui-disable-news-fetch"]
    command += ["--ui-codec-endpoint", f"{place.console_url}/codec"]
    command += ["--db-filename", place.data / "temporal.db", "--namespace", "default", "--log-level", "warn"]
    command += ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"]
    command += [f"--dynamic-config-value={setting}" for setting in _DYNAMIC]
    command += [f"--search-attribute=Countermand{name}=Keyword" for name in _ATTRIBUTES]
    return place.child("temporal", command, port_open(place.temporal_port), tier=1)


def worker(place: Place) -> Child:
    return place.child("worker", [sys.executable, "worker.py"], says("worker ready"))


def console(place: Place) -> Child:
    return place.child("console", [sys.executable, "-m", "console"], answers(f"{place.console_url}/healthz"))


async def admin(place: Place, *arguments: str, given: str = "") -> str:
    """Run one command of `python -m console.admin`; returns what it printed. Raises Failure."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "console.admin", *arguments),
        cwd=place.checkout,
        env=place.environment,
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        printed, _ = await process.communicate(f"{given}\n".encode())
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    text = printed.decode(errors="replace").strip()
    if process.returncode:
        raise Failure(Exit.failed, f"console.admin {' '.join(arguments[:2])} failed:\n{text}")
    return text


async def prepare(place: Place) -> dict[str, str]:
    """Files, database, key; on the first start also accounts and a signal source. Returns the new passwords."""
    (place.data / "temporal.toml").touch()
    first = not (place.data / "governance.yaml").exists()
    if first and (place.data / "countermand.db").exists():
        raise Failure(
            Exit.refused, f"the first start in {place.data} did not finish", next=f"remove {place.data}, start again"
        )
    if first:
        (place.data / "targets.yaml").write_text(starter.TARGETS)
        (place.data / "data_sources.yaml").write_text(starter.DATA_SOURCES)
        (place.data / "profile.yaml").write_text(starter.PROFILE)
    passwords = {subject: starter.password() for subject in starter.PEOPLE} if first else {}
    beginning = {
        "accounts": [
            {"subject": subject, "name": starter.PEOPLE[subject], "password": password}
            for subject, password in passwords.items()
        ],
        "sources": ["judge"] if first else [],
    }
    tokens = json.loads(await admin(place, "setup", given=json.dumps(beginning)))
    if not first:
        return {}
    place.secret("judge.token", tokens["judge"])
    (place.data / "governance.yaml").write_text(starter.GOVERNANCE)  # last: its presence says that this was done
    return passwords


async def start(place: Place, supervisor: Supervisor, *, within: float = 60.0) -> None:
    """Server first; then worker and console, which need it; each is ready `within` seconds. Raises Failure."""
    await supervisor.start(temporal_server(place), within=within)
    both = (worker(place), console(place))
    await asyncio.gather(*(supervisor.start(child, within=within) for child in both))
