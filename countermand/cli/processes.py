"""A small supervisor: starts our own processes, starts a crashed one again, and leaves none behind.

Each process gets its own process group, so that Ctrl-C reaches this one alone and everything is stopped in
order. On Linux a child is killed by the kernel when its supervisor dies (`PR_SET_PDEATHSIG`), even by kill -9.
On other systems a killed supervisor leaves its children; they end when their terminal closes.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from countermand.cli.exits import Exit, Failure

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_FIRST_PAUSE, _LONGEST_PAUSE, _STEADY = 0.5, 8.0, 30.0  # seconds

Ready = Callable[["Child"], Awaitable[bool]]


@dataclass
class Child:
    """One process to keep running. `tier` 0 is stopped first; `ready` is asked until it says yes."""

    name: str
    command: Sequence[str | Path]
    ready: Ready
    environment: Mapping[str, str]
    directory: Path
    log: Path
    tier: int = 0
    pid: int | None = None
    log_from: int = field(default=0, init=False)

    @property
    def log_tail(self) -> str:
        """The last lines it wrote since it was started."""
        with self.log.open("rb") as file:
            file.seek(self.log_from)
            return "\n".join(file.read()[-4_000:].decode(errors="replace").splitlines()[-12:])


def port_open(port: int) -> Ready:
    """Ready when something on this machine accepts connections on the port."""

    async def ready(_: Child) -> bool:
        try:
            _reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    return ready


def answers(url: str) -> Ready:
    """Ready when this address answers with a success."""

    async def ready(_: Child) -> bool:
        import httpx

        try:
            async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
                return (await client.get(url)).is_success
        except httpx.TransportError:
            return False

    return ready


def says(line: str) -> Ready:
    """Ready when this line stands in its log."""

    async def ready(child: Child) -> bool:
        return line in child.log_tail.splitlines()

    return ready


async def at_once(_: Child) -> bool:
    """Ready as soon as it was started."""
    return True


def free_port(wanted: int) -> int:
    """`wanted` if nobody listens there, else a free port of this machine."""
    for port in (wanted, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise Failure(Exit.unexpected, "this machine has no free port on 127.0.0.1")


class Supervisor:
    """Runs children until told to stop; `say` hears about every crash and restart."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._running: list[tuple[Child, Process]] = []
        self._guards: list[asyncio.Task[None]] = []

    async def start(self, child: Child, *, within: float = 60.0) -> None:
        """Start it and wait until it is ready. Raises Failure with the end of its log when it is not."""
        process = await self._spawn(child)
        deadline = time.monotonic() + within
        while not await child.ready(child):
            if process.returncode is not None or time.monotonic() > deadline:
                what = "ended" if process.returncode is not None else f"was not ready within {within:.0f} s"
                raise Failure(
                    Exit.failed, f"{child.name} {what}; its log ends with:\n{child.log_tail}", next=f"see {child.log}"
                )
            await asyncio.sleep(0.05)
        self._guards.append(asyncio.create_task(self._guard(child, process)))

    async def _spawn(self, child: Child) -> Process:
        child.log.parent.mkdir(parents=True, exist_ok=True)
        with child.log.open("ab") as log:
            child.log_from = log.tell()
            process = await asyncio.create_subprocess_exec(
                *child.command,
                cwd=child.directory,
                env=child.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
                preexec_fn=_die_with_parent(os.getpid()),
            )
        child.pid = process.pid
        self._running.append((child, process))
        return process

    async def _guard(self, child: Child, process: Process) -> None:
        """Start it again whenever it ends, with growing pauses."""
        pause = _FIRST_PAUSE
        while True:
            started = time.monotonic()
            code = await process.wait()
            self._running.remove((child, process))
            if time.monotonic() - started > _STEADY:
                pause = _FIRST_PAUSE
            self._say(f"{child.name} {_ended(code)}; starting it again in {pause:g} s (log: {child.log})")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            process = await self._spawn(child)

    async def stop(self, *, within: float = 4.5) -> None:
        """End every child: tier by tier with SIGTERM, and with SIGKILL what is left after `within` seconds."""
        for guard in self._guards:
            guard.cancel()
        deadline = time.monotonic() + within
        tiers = sorted({child.tier for child, _ in self._running})
        for index, tier in enumerate(tiers):
            processes = [process for child, process in self._running if child.tier == tier]
            _signal(processes, signal.SIGTERM)
            patience = (deadline - time.monotonic()) / (len(tiers) - index)
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*(process.wait() for process in processes)), patience)
        _signal([process for _, process in self._running], signal.SIGKILL)
        await asyncio.gather(*(process.wait() for _, process in self._running), *self._guards, return_exceptions=True)
        self._running.clear()


async def until_stopped(work: Callable[[], Awaitable[None]]) -> bool:
    """Do `work`; False when SIGINT, SIGTERM or SIGHUP ended it early (it is cancelled and cleans up)."""
    task = asyncio.ensure_future(work())

    def stop() -> None:
        if not task.cancelling():  # a second Ctrl-C must not interrupt the cleaning up
            task.cancel()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        return False
    finally:
        for number in numbers:
            asyncio.get_running_loop().remove_signal_handler(number)
    return True


def _signal(processes: Sequence[Process], number: signal.Signals) -> None:
    """To the whole group, so that helpers of a child end with it."""
    for process in processes:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)


def _ended(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _die_with_parent(parent: int) -> Callable[[], None]:
    """Runs in the child between fork and exec: nothing here may allocate much or take a lock."""

    def ask_the_kernel() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it died before we asked
                os._exit(1)

    return ask_the_kernel
