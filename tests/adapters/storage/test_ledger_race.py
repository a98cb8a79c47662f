"""Many writers, one chain."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from itertools import pairwise

from adapters.database import Database
from adapters.ledger import SqlLedger, verify
from tests.adapters.storage.entries import entry
from tests.adapters.storage.stores import Store

EACH = 1_000 if os.environ.get("COUNTERMAND_FULL") == "1" else 200


async def test_two_processes_race_their_appends_into_one_gapless_chain(db: Database, store: Store) -> None:
    writers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.adapters.storage.appender", store.url, name, str(EACH)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for name in ("left", "right")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert await writer.stdout.readline() == b"ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
    assert await asyncio.gather(*[writer.wait() for writer in writers]) == [0, 0]
    records = await SqlLedger(db).records()
    assert [record.seq for record in records] == list(range(2 * EACH + 1))
    assert (await verify(db))[0] == 2 * EACH + 1
    by_writer = Counter(record.idem_key.partition("/")[0] for record in records)
    assert by_writer == {"genesis": 1, "left": EACH, "right": EACH}
    turns = sum(a.idem_key[0] != b.idem_key[0] for a, b in pairwise(records))
    assert turns > 10, "the writers did not run at the same time, so this proved nothing"


async def test_many_tasks_of_one_process_wait_for_their_turn_without_an_error(db: Database) -> None:
    ledger = SqlLedger(db)
    await asyncio.gather(*[ledger.append(entry(f"{task}")) for task in range(100)])
    assert (await verify(db))[0] == 101


async def test_readers_see_whole_transactions_while_others_write(db: Database) -> None:
    ledger = SqlLedger(db)
    done = asyncio.Event()
    seen = []

    async def write() -> None:
        for number in range(40):
            await ledger.append(*[entry(f"{number}/{part}") for part in range(5)])
        done.set()

    async def read() -> None:
        while not done.is_set():
            count, _ = await verify(db)
            seen.append(count)

    await asyncio.gather(write(), read())
    assert {count % 5 for count in seen if count} <= {1}
    assert seen == sorted(seen)
    assert len(set(seen)) > 3


async def test_cancelled_appends_leave_a_whole_chain_and_no_lock(db: Database) -> None:
    ledger = SqlLedger(db)
    await ledger.append(entry("first"))
    began = time.perf_counter()
    await ledger.append(entry("second"))
    usual = time.perf_counter() - began
    outcomes: list[object] = []
    for number in range(60):
        append = asyncio.create_task(ledger.append(entry(f"{number}/a"), entry(f"{number}/b")))
        await asyncio.sleep(usual * number / 10)
        append.cancel()
        outcomes += await asyncio.gather(append, return_exceptions=True)
    async with asyncio.timeout(5):
        await ledger.append(entry("last"))
    records = await ledger.records()
    assert (await verify(db))[0] == len(records)
    pairs = Counter(record.idem_key.partition("/")[0] for record in records[3:-1])
    assert set(pairs.values()) <= {2}, "an append is whole or not there"
    assert any(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes), "nothing was cancelled"
