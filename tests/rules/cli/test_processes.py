"""The supervisor: ready means ready, a crash is said and mended, and nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from countermand.cli.exits import Failure
from countermand.cli.processes import Child, Ready, Supervisor, free_port, port_open, says, until_stopped
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[3]
PATIENT = "import signal; print('ready', flush=True); signal.pause()"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
)


class Started:
    """A supervisor with children that are short Python programs."""

    def __init__(self, directory: Path) -> None:
        self.said: list[str] = []
        self.supervisor = Supervisor(self.said.append)
        self._directory = directory

    async def start(
        self, name: str, program: str, ready: Ready | None = None, *, tier: int = 0, within: float = 10
    ) -> Child:
        child = Child(
            name=name,
            command=[sys.executable, "-c", program],
            ready=ready or says("ready"),
            environment=os.environ,
            directory=self._directory,
            log=self._directory / "logs" / f"{name}.log",
            tier=tier,
        )
        await self.supervisor.start(child, within=within)
        return child


@pytest.fixture
async def started(tmp_path: Path) -> AsyncIterator[Started]:
    running = Started(tmp_path)
    yield running
    await running.supervisor.stop()


def alive(pid: int | None) -> bool:
    """Whether the process runs; one that ended and waits to be collected does not."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    return False


async def test_start_returns_when_the_child_says_that_it_is_ready(started: Started) -> None:
    child = await started.start("slow", "import time; time.sleep(0.3); " + PATIENT)
    assert "ready" in child.log_tail
    assert alive(child.pid)


async def test_a_port_can_be_the_sign_of_readiness(started: Started) -> None:
    port = free_port(0)
    server = f"import socket, signal; s = socket.create_server(('127.0.0.1', {port})); signal.pause()"
    await started.start("server", server, port_open(port))
    assert await port_open(port)(Child("", [], says(""), {}, Path(), Path()))


async def test_a_child_that_ends_before_it_is_ready_shows_the_end_of_its_log(started: Started) -> None:
    with pytest.raises(Failure, match="no such setting") as failure:
        await started.start("broken", "raise SystemExit('no such setting')")
    assert "broken ended" in failure.value.wrong
    assert "broken.log" in failure.value.next


async def test_a_child_that_never_gets_ready_is_given_up_and_ended(started: Started) -> None:
    with pytest.raises(Failure, match=r"was not ready within 0 s"):
        await started.start("mute", "import signal; print('hello', flush=True); signal.pause()", within=0.4)
    await started.supervisor.stop()


async def test_a_crashed_child_is_started_again_and_that_is_said(started: Started) -> None:
    child = await started.start("worker", PATIENT)
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)

    async def replaced() -> bool:
        return child.pid != first and await child.ready(child)

    await until(replaced, "a second worker")
    assert len(started.said) == 1
    assert "worker was ended by SIGKILL; starting it again in 0.5 s" in started.said[0]


async def test_pauses_grow_while_a_child_keeps_crashing(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("countermand.cli.processes._FIRST_PAUSE", 0.01)
    monkeypatch.setattr("countermand.cli.processes._LONGEST_PAUSE", 0.04)
    await started.start("flaky", "import time; print('ready', flush=True); time.sleep(0.1); raise SystemExit(3)")

    async def often() -> bool:
        return len(started.said) >= 4

    await until(often, "four crashes")
    pauses = [line.partition("again in ")[2].split()[0] for line in started.said[:4]]
    assert pauses == ["0.01", "0.02", "0.04", "0.04"]
    assert "flaky ended with exit code 3" in started.said[0]


async def test_stop_ends_everything_within_5_seconds_even_what_ignores_sigterm(started: Started) -> None:
    children = [
        await started.start("patient", PATIENT),
        await started.start("stubborn", STUBBORN),
        await started.start("server", PATIENT, tier=1),
    ]
    began = time.monotonic()
    await started.supervisor.stop()
    assert time.monotonic() - began < 5
    assert not any(alive(child.pid) for child in children)
    assert started.said == []


async def test_a_higher_tier_is_stopped_after_the_lower_one(started: Started) -> None:
    note = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(print(time.time(), flush=True)));"
    )
    children = [
        await started.start(name, note + "print('ready', flush=True); signal.pause()", tier=tier)
        for name, tier in (("server", 1), ("worker", 0))
    ]
    await started.supervisor.stop()
    server, worker = (float(child.log_tail.splitlines()[-1]) for child in children)
    assert worker < server


async def test_helpers_of_a_child_end_with_it(started: Started, tmp_path: Path) -> None:
    program = (
        f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {PATIENT!r}]); print(p.pid);" + PATIENT
    )
    child = await started.start("parent", program)
    helper = int(child.log_tail.split()[0])
    assert alive(helper)
    await started.supervisor.stop()

    async def gone() -> bool:
        return not alive(helper)

    await until(gone, "the end of the helper")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
async def test_kill_minus_9_of_the_supervisor_leaves_no_child(tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import asyncio, os, sys
        from pathlib import Path
        from countermand.cli.processes import Child, Supervisor, says

        async def main():
            command = [sys.executable, "-c", {STUBBORN!r}]
            child = Child("c", command, says("ready"), os.environ, Path("."), Path("c.log"))
            await Supervisor(print).start(child)
            print(child.pid, flush=True)
            await asyncio.Event().wait()

        asyncio.run(main())
    """)
    supervisor = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program),
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert supervisor.stdout is not None
    child = int(await supervisor.stdout.readline())
    assert alive(child)
    supervisor.kill()
    await supervisor.wait()

    async def gone() -> bool:
        return not alive(child)

    await until(gone, "the end of the child", within=5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_the_work_and_lets_it_clean_up(number: signal.Signals) -> None:
    cleaned = False

    async def work() -> None:
        nonlocal cleaned
        try:
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), number)  # impatience changes nothing
            await asyncio.sleep(0.05)
            cleaned = True

    asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), number)
    assert await until_stopped(work) is False
    assert cleaned


async def test_work_that_ends_by_itself_was_not_stopped() -> None:
    async def work() -> None:
        await asyncio.sleep(0)

    assert await until_stopped(work) is True


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    taken = free_port(0)
    with _listening(taken):
        assert free_port(taken) not in (0, taken)
    assert free_port(taken) == taken


def _listening(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))
