"""`make bench`: what the hot paths cost beside the least they could cost, in one run of about two minutes."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from adapters.database import Database
from adapters.ledger import SqlLedger
from adapters.migrate import upgrade
from bench import backtest, decision, evidence, intake
from countermand.detection.models import Arm, Block, BlockState, Row
from countermand.detection.rules import compile_rules
from countermand.detection.watch import advance, start, step
from countermand.ledger.bodies import AskRung
from countermand.playbook.load import parse

ROOT = Path(__file__).parent.parent
PLAYBOOK = (ROOT / "playbooks" / "conversational-agent.yaml").read_bytes()
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def main() -> None:
    table = Table("operation", "measured", "floor of the same run", "ratio", title="make bench")
    for row in (*detection(), *intake.measured(), *decision.measured(), *evidence.measured(), *asyncio.run(storage())):
        table.add_row(*row)
    Console().print(table)


# --- detection --------------------------------------------------------------------------------------------------


def detection() -> list[tuple[str, str, str, str]]:
    """A trigger on one rate signal, with its severe lane, over a day of one-minute blocks; per criterion and block."""
    detection = parse(PLAYBOOK).detection
    rule = next(r for r, t in zip(compile_rules(detection), detection.triggers, strict=True) if len(t.criteria) == 1)
    rows = [_row(seq, detection.block, sorted(detection.signals)) for seq in range(1_440)]
    for row in rows:
        _ = row.digest  # hashed once when it is sealed, not when it is judged

    def all_steps() -> None:
        state = start(rule)
        for row in rows:
            state, _ = step(rule, state, row)

    def all_read() -> None:
        state = start(rule)
        for row in rows:
            state, verdict = step(rule, state, row)
            _ = verdict.sentence

    def all_advances() -> None:
        state = start(rule)
        for row in rows:
            state = advance(rule, state, row)

    each = len(rows) * len(rule.criteria)
    per_step, per_read, per_advance = (best(run) / each * 1e6 for run in (all_steps, all_read, all_advances))
    floor = f"state only: {per_advance:.0f} µs"
    return [
        (
            "judge one block by one rate criterion: `step`",
            f"{per_step:.0f} µs",
            floor,
            f"{per_step / per_advance:.1f} ×",
        ),
        ("the same, and its record and sentence read", f"{per_read:.0f} µs", floor, f"{per_read / per_advance:.1f} ×"),
    ]


def _row(seq: int, block: timedelta, signals: list[str]) -> Row:
    blocks = tuple(
        Block(signal=signal, arm=arm, state=BlockState.ok, served=1_000, scored=1_000, bad=(seq * 7 + len(signal)) % 9)
        for signal in signals
        for arm in Arm
    )
    return Row(seq=seq, start=BEGIN + seq * block, block=block, blocks=blocks)


# --- storage ----------------------------------------------------------------------------------------------------


async def storage() -> list[tuple[str, str, str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        url = f"sqlite+aiosqlite:///{path}"
        upgrade(url)
        database = Database(url)
        try:
            return [await ledger(database, Path(folder))]
        finally:
            await database.close()


async def ledger(database: Database, folder: Path, records: int = 500) -> tuple[str, str, str, str]:
    """Records appended one by one, each committed durably before the next."""
    book = SqlLedger(database)
    entries = [
        AskRung(ask_id="ask", rung=n, do="remind", to=("safety_lead",)).entry(f"bench/{n}", "bench")
        for n in range(records)
    ]
    began = time.perf_counter()
    for entry in entries:
        await book.append(entry)
    ours = records / (time.perf_counter() - began)
    floor = bare_inserts(folder / "ledger-floor.db", records, 1)
    return (
        "append to the Ledger, SQLite, one by one",
        f"{ours:,.0f}/s",
        f"bare durable insert: {floor:,.0f}/s",
        f"{ours / floor:.2f} ×",
    )


def bare_inserts(path: Path, commits: int, rows: int) -> float:
    """Rows a second of the plainest table that is as durable (WAL, synchronous=FULL)."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE floor (id TEXT PRIMARY KEY, a TEXT, b TEXT, c TEXT, at INTEGER, bad INTEGER)")
    began = time.perf_counter()
    for commit in range(commits):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO floor VALUES (?,?,?,?,?,?)",
            [(f"{commit}-{row}", "source", "release", "signal", commit, 0) for row in range(rows)],
        )
        connection.execute("COMMIT")
    elapsed = time.perf_counter() - began
    connection.close()
    return commits * rows / elapsed


def best(run: Callable[[], None], times: int = 3) -> float:
    """Seconds of the fastest of some runs."""
    elapsed = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        elapsed.append(time.perf_counter() - began)
    return min(elapsed)


if __name__ == "__main__":
    # A backtest of 30 days takes as long as all the others together.
    sys.exit(backtest.main() if sys.argv[1:] == ["backtest"] else main())
