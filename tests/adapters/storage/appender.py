"""A writer of its own process: `python -m tests.adapters.storage.appender URL NAME COUNT`, one append per record.

It says when it is ready and begins when it is told to.
"""

from __future__ import annotations

import asyncio
import sys

from adapters.database import Database
from adapters.ledger import SqlLedger
from tests.adapters.storage.entries import entry


async def append(url: str, name: str, count: int) -> None:
    """Append COUNT records, one after the other."""
    db = Database(url)
    ledger = SqlLedger(db)
    await ledger.head()
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(count):
        await ledger.append(entry(f"{name}/{number}"))
        # SQLite gives its lock to whoever asks first: without a breath it is always the one who just had it.
        await asyncio.sleep(0.002)
    await db.close()


if __name__ == "__main__":
    asyncio.run(append(sys.argv[1], sys.argv[2], int(sys.argv[3])))
