"""The order of a purge run: texts class by class, then samples and sums release by release."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime

from sqlmodel import select

from activities.obligation_ports import Duties
from activities.retaining import BatchDone
from adapters.database import Database, utc_now
from adapters.ledger import SqlLedger
from adapters.retention import Run, SqlRetention
from adapters.sample_purge import SqlSamplePurge
from adapters.tables import ReleaseTable
from countermand.canonical import instant, parse_instant
from countermand.retention.classes import RetentionClass, in_force, shipped_classes

#: Who carries a run out.
OPERATOR = "worker"


class SqlRetentionRun:
    """Implements the port `Retention`."""

    def __init__(
        self, db: Database, ledger: SqlLedger, duties: Duties, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._db = db
        self._ledger = ledger
        self._duties = duties
        self._clock = clock

    async def batch(self, run_id: str, approver: str, at: str) -> BatchDone:
        """Go on from `at` until something was deleted, or nothing is left to look at. Raises ValueError while the
        periods of the organisation cannot be used; nothing is deleted then."""
        rows, _ = await self._duties.read()
        classes = in_force(rows.retention_classes, self._clock())
        run = Run(run_id=run_id, approver=approver, operator=OPERATOR)
        steps = await self._steps()
        begin, after = json.loads(at) if at else (steps[0], None)
        held = 0
        for step in [one for one in steps if one >= begin]:
            done = await self._step(run, classes, step, after if step == begin else None)
            held += done.held
            if done.deleted or done.next:
                following = next((one for one in steps if one > step), None)
                where = done.next or (None if following is None else json.dumps([following, None]))
                return BatchDone(deleted=done.deleted, held=held, next=where)
        return BatchDone(held=held, next=None)

    async def _steps(self) -> list[str]:
        async with self._db.reading() as session:
            releases = list(await session.exec(select(ReleaseTable.release_id)))
        return sorted([*(f"1/{name}" for name in shipped_classes()), *(f"2/{name}" for name in releases)])

    async def _step(
        self, run: Run, classes: Mapping[str, RetentionClass], step: str, after: list[str] | None
    ) -> BatchDone:
        kind, name = step.split("/", 1)
        if kind == "1":
            since = None if after is None else (parse_instant(after[0]), after[1])
            texts = await SqlRetention(self._db, self._ledger, classes, self._clock).purge_texts(run, name, since)
            where = texts.next and json.dumps([step, [instant(texts.next[0]), texts.next[1]]])
            return BatchDone(deleted=texts.deleted, held=texts.held, next=where or None)
        deleted, held = await SqlSamplePurge(self._db, self._ledger, classes, self._clock).purge_release(run, name)
        return BatchDone(deleted=deleted, held=held, next=json.dumps([step, None]) if deleted else None)
