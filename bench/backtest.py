"""`python -m bench backtest`: one proposal on 30 days of 50 signals in less than 60 s on two cores (LRN-9).

50 signals in 24 triggers, blocks of a minute, 30 watches of a day. Beside it one plain pass of the evaluator: measured
on one of the days and counted for all of them; it has read rows before it, where a backtest reads them from files
first. Seconds on the clock mean what they say only when nothing else runs, so the load before is told.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from rich.progress import Progress as Bar

from adapters.backtest_run import BacktestRequest, run_backtest
from countermand.canonical import instant
from countermand.detection.blocks import Arm, Block, BlockState, Row
from countermand.detection.evaluator import Evaluator
from countermand.learning.episode import Episode
from countermand.learning.episode_file import SUFFIX, of_lines, rows_of
from countermand.learning.processes import Progress
from countermand.learning.row_lines import line_of
from countermand.playbook.load import parse
from tests import cases

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

#: What a backtest of 30 days may take on two cores, in seconds on the clock.
LIMIT = 60.0


class Measured(NamedTuple):
    """Seconds on the clock, of the processor in all processes, and of one plain pass on one core."""

    rows: int
    wall: float
    processor: float
    plain: float


def measured(
    days: int = 30, signals: int = 50, rows: int = 1_440, progress: Callable[[Progress], None] = lambda _: None
) -> Measured:
    """One backtest of a changed ratio on `days` quiet watches of `rows` blocks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [line_of(row) + b"\n" for row in _rows(signals, rows)]
        episodes = tuple(_episode(folder, day, lines) for day in range(days))
        current, proposed = playbook(signals, "1.3"), playbook(signals, "1.2")
        request = BacktestRequest(
            current=current, proposed=proposed, episodes=episodes, folder=name, seed=1, trusted=True
        )
        plain = _plain(current, folder / f"{episodes[0].episode_id}{SUFFIX}") * days
        before, began = _processor(), time.perf_counter()
        asyncio.run(run_backtest(request, progress))
        return Measured(days * rows, time.perf_counter() - began, _processor() - before, plain)


def playbook(signals: int, ratio: str) -> str:
    """`signals` rates: every fifth in a trigger of its own with its severe lane, the others in threes of which two must
    be worse. The ratio is that of the first trigger."""
    document = cases.playbook_document()
    names = [f"signal_{number:02}" for number in range(signals)]
    own = document["detection"]["signals"]["hallucinations"]
    alone, others = names[::5], [name for name in names if names.index(name) % 5]
    protects = {"kind": "user_impact", "what": "users get true answers"}
    triggers: list[dict[str, Any]] = [
        {"id": f"alone-{name[-2:]}", "any": [{"signal": name, "tolerate": {"ratio": "1.3"}}]} for name in alone
    ]
    triggers += [
        {"id": f"some-{three[0][-2:]}", "at_least": {"k": min(2, len(three)), "of": _tolerant(three)}}
        for three in (others[i : i + 3] for i in range(0, len(others), 3))
    ]
    triggers[0]["any"][0]["tolerate"]["ratio"] = ratio
    share = str(round(0.9 / len(triggers), 4))
    document["detection"] |= {
        "block": "60s",
        "watch": "24h",
        "sustain": "5m",
        "signals": dict.fromkeys(names, own),
        "triggers": [{"severity": "sev2", "protects": protects, "share": share, **one} for one in triggers],
    }
    document["verification"] = {
        "signals": [{"signal": name, "at_most": "0.05", "min_scored": 400} for name in names],
        "time_limit": "4h",
    }
    for stage in document["revert"]["stages"]:
        stage["soak"] = "10m"
    document["revert"]["stage_time_limit"] = "1h"
    return cases.Playbook.model_validate(document).model_dump_json(by_alias=True, exclude_none=True)


def _tolerant(names: list[str]) -> list[dict[str, Any]]:
    return [{"signal": name, "tolerate": {"ratio": "1.3"}} for name in names]


def episode_of(folder: Path, signals: int, rows: int) -> Episode:
    """The first day, written to a folder."""
    return _episode(folder, 0, [line_of(row) + b"\n" for row in _rows(signals, rows)])


def _episode(folder: Path, day: int, lines: Sequence[bytes]) -> Episode:
    """Each day counts the same at another time: making every row anew would take longer than judging it."""
    begins = BEGIN + day * timedelta(days=1)
    episode = Episode(
        episode_id=f"day-{day:02}",
        kind="quiet",
        source="synthetic",
        release_id=f"release-{day:02}",
        service="test-bot",
        begins=begins,
        ends=begins + len(lines) * MINUTE,
    )
    moved = [_moved(line, seq, begins) for seq, line in enumerate(lines)]
    (folder / f"{episode.episode_id}{SUFFIX}").write_bytes(of_lines(episode, moved))
    return episode


def _moved(line: bytes, seq: int, begins: datetime) -> bytes:
    own, other = (f'"start":"{instant(day + seq * MINUTE)}"'.encode() for day in (BEGIN, begins))
    return line.replace(own, other)


def _rows(signals: int, rows: int) -> Iterator[Row]:
    for seq in range(rows):
        blocks = tuple(
            Block(
                signal=f"signal_{number:02}",
                arm=arm,
                state=BlockState.ok,
                served=500,
                scored=500,
                bad=8 + (seq * 7 + number * 3 + len(arm)) % 5,
            )
            for number in range(signals)
            for arm in Arm
        )
        yield Row(seq=seq, start=BEGIN + seq * MINUTE, block=MINUTE, blocks=blocks)


def _plain(text: str, file: Path) -> float:
    """Processor seconds of the live evaluator over the rows of one file, already read."""
    detection = parse(text.encode()).detection
    rows = list(rows_of(file, detection.signals))
    evaluator = Evaluator(detection)
    gc.collect()
    began = time.process_time()
    for row in rows:
        evaluator.judge(row)
    return time.process_time() - began


def _processor() -> float:
    """Processor seconds of this process and of all that have ended."""
    own, ended = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


def main() -> int:
    """0 when it was fast enough, else 1."""
    load = os.getloadavg()[0]
    with Bar(transient=True) as bar:
        task = bar.add_task("judging", total=None)
        found = measured(progress=lambda now: bar.update(task, completed=now.done, total=now.total))
    fast = found.wall < LIMIT
    print(
        f"{found.rows:,} blocks of 50 signals: {found.wall:.0f} s on the clock, {found.processor:.0f} s of processor; "
        f"one plain pass of the evaluator {found.plain:.0f} s of one core; "
        f"ratio {found.processor / found.plain:.2f}, on the clock {found.wall / found.plain:.2f}.\n"
        f"{'Pass' if fast else 'Fail'}: the limit is {LIMIT:.0f} s on two cores of which nothing else uses any; "
        f"{load:.1f} processes were running before.",
        file=sys.stdout,
    )
    return 0 if fast else 1
