"""Many rehearsals at once, each in a process of its own, with their progress on one screen."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

#: Sandboxes mostly wait; more at once than this make a small machine miss the limits of stages.
AT_ONCE = 3
_ROOT = Path(__file__).resolve().parent.parent
#: A drill that hangs is ended after this many seconds.
_LIMIT = 300.0
_MARKS = {"waiting": "·", "running": "…", "held": "✓", "failed": "✗"}


@dataclass
class Drill:
    """One scenario on its way. state: waiting, running, held (every line of its oracle), failed."""

    file: Path
    state: str = "waiting"
    doing: str = ""
    began: float = 0.0
    took: float = 0.0
    log: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return self.took or (time.monotonic() - self.began if self.began else 0.0)


async def play_all(files: Sequence[Path], out: Path, console: Console) -> list[Drill]:
    """Play every scenario; each leaves `run.json`, `report.md` and `report.html` in a directory of its name."""
    drills = [Drill(file) for file in files]
    slots = asyncio.Semaphore(AT_ONCE)
    began = time.monotonic()
    with Live(console=console, refresh_per_second=4, transient=console.is_terminal) as live:

        async def show() -> None:
            while True:
                live.update(_screen(drills, time.monotonic() - began))
                await asyncio.sleep(0.25)

        showing = asyncio.create_task(show()) if console.is_terminal else None
        try:
            await asyncio.gather(*(_play(drill, out, slots, console) for drill in drills))
        finally:
            if showing:
                showing.cancel()
    return drills


async def _play(drill: Drill, out: Path, slots: asyncio.Semaphore, console: Console) -> None:
    async with slots:
        drill.state, drill.began = "running", time.monotonic()
        command = [sys.executable, "-m", "rehearsal", "play", str(drill.file), "--out", str(out / drill.file.stem)]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=PIPE, stderr=PIPE, env=clean_environment(), cwd=_ROOT
        )
        try:
            async with asyncio.timeout(_LIMIT):
                _, problems = await asyncio.gather(_follow(drill, process), _read(process))
                code = await process.wait()
        except TimeoutError:
            code, problems = 1, f"not over within {_LIMIT:.0f} s"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        drill.took = time.monotonic() - drill.began
        drill.state = "held" if code == 0 else "failed"
        if problems and code not in (0, 7):
            drill.log = problems.strip().splitlines()[-12:]
            drill.doing = drill.log[-1] if drill.log else f"exit {code}"
        if not console.is_terminal:
            console.print(f"{_MARKS[drill.state]} {drill.file.stem} ({drill.took:.0f} s): {drill.doing}")


async def _follow(drill: Drill, process: Process) -> None:
    assert process.stdout is not None  # noqa: S101, asked for above
    async for line in process.stdout:
        try:
            drill.doing = str(json.loads(line)["doing"])
        except (ValueError, KeyError, TypeError):
            drill.doing = line.decode(errors="replace").strip() or drill.doing


async def _read(process: Process) -> str:
    assert process.stderr is not None  # noqa: S101, asked for above
    return (await process.stderr.read()).decode(errors="replace")


def clean_environment() -> dict[str, str]:
    """This shell's environment without anything of production's (LRN-20)."""
    foreign = ("COUNTERMAND_", "TEMPORAL_", "SLACK_")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def _screen(drills: Sequence[Drill], seconds: float) -> Group:
    table = Table.grid(padding=(0, 2))
    for drill in drills:
        table.add_row(
            _MARKS[drill.state], drill.file.stem, f"{drill.seconds:4.0f} s" if drill.began else "", drill.doing
        )
    over = sum(drill.state in ("held", "failed") for drill in drills)
    return Group(table, Text(f"{over} of {len(drills)} rehearsals over, {seconds:.0f} s", style="dim"))


def print_end(drills: Sequence[Drill], report: Path, console: Console) -> None:
    """How it ended, what failed first, and where to read on."""
    for drill in sorted(drills, key=lambda one: one.state == "held"):
        console.print(f"{_MARKS[drill.state]} {drill.file.stem} ({drill.took:.0f} s): {drill.doing}", highlight=False)
        for line in drill.log:
            console.print(f"    {line}", style="dim", highlight=False)
    held = sum(drill.state == "held" for drill in drills)
    console.print(f"\n{held} of {len(drills)} rehearsals held every line. Report: {report}", highlight=False)
