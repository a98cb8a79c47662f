"""A purge in its own process that stops before its commit: `python -m tests.adapters.storage.killed_purge URL`."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from typing import Any

from adapters.database import Database
from adapters.ledger import SqlLedger
from adapters.retention import Run
from adapters.sample_purge import SqlSamplePurge


class StopsAfter(SqlLedger):
    """Says that the certificate is written, and waits to be killed."""

    async def append_in(self, session: Any, *entries: Any) -> Any:
        await super().append_in(session, *entries)
        await session.flush()
        print("deleted and certified, not committed", flush=True)
        await asyncio.sleep(60)


async def purge(url: str) -> None:
    db = Database(url)
    run = Run(run_id="run-1", approver="schedule", operator="worker")
    late = datetime(2040, 1, 1, tzinfo=UTC)
    await SqlSamplePurge(db, StopsAfter(db), clock=lambda: late).purge_release(run, "rel-1")


if __name__ == "__main__":
    asyncio.run(purge(sys.argv[1]))
