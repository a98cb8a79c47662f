"""Purge samples and sums that sources sent, when their blocks are sealed and their time is over (OBL-31)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlmodel import SQLModel, col, delete, select, tuple_

from adapters.database import Database, utc_now
from adapters.ledger import SqlLedger
from adapters.retention import Run, kept_now
from adapters.tables import CountedTable, ObservationTable, ReleaseTable
from countermand.ledger.retention_bodies import PurgeCertificate
from countermand.retention.classes import RetentionClass, shipped_classes
from countermand.retention.holding import Item, may_delete
from countermand.retention.register import ids_root

#: Rows in one certificate; each is named by up to six values, and SQLite takes 32,766 in one statement.
BATCH = 2_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _Kept:
    """A table of the buffer: its key, when each row happened, and the class of its rows."""

    what: Literal["samples", "sums"]
    table: type[SQLModel]
    key: tuple[Any, ...]
    at_us: Any
    class_id: str


_TABLES = (
    _Kept(
        "samples",
        ObservationTable,
        (col(ObservationTable.source_id), col(ObservationTable.observation_id)),
        col(ObservationTable.event_us),
        "evidence_samples",
    ),
    _Kept(
        "sums",
        CountedTable,
        tuple(
            col(getattr(CountedTable, name))
            for name in ("source_id", "release_id", "signal", "arm", "segment", "start_us")
        ),
        col(CountedTable.start_us),
        "system_logs",
    ),
)


class SqlSamplePurge:
    """Deletes batch by batch, each with its certificate in the same transaction."""

    def __init__(
        self,
        db: Database,
        ledger: SqlLedger,
        classes: Mapping[str, RetentionClass] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._db = db
        self._ledger = ledger
        self._classes = shipped_classes() if classes is None else classes
        self._clock = clock

    async def purge_release(self, run: Run, release_id: str) -> tuple[int, int]:
        """(rows deleted, rows held or claimed) in one batch of each table of a release; (0, …): nothing is left."""
        gone = held = 0
        for kept in _TABLES:
            deleted, stayed = await self._batch(run, kept, release_id)
            gone, held = gone + deleted, held + stayed
        return gone, held

    async def _batch(self, run: Run, kept: _Kept, release_id: str) -> tuple[int, int]:
        rule, began = self._classes[kept.class_id], self._clock()
        table: Any = kept.table
        async with self._db.writing() as session:
            standing = await kept_now(session, self._db.dialect)
            release = await session.get(ReleaseTable, release_id)
            query = select(kept.at_us, *kept.key).where(table.release_id == release_id)
            if release is not None and release.closed_at is None:
                query = query.where(kept.at_us < (release.sealed_until_us or 0))
            rows = (await session.exec(query.order_by(kept.at_us, *kept.key).limit(BATCH))).all()
            due = []
            for at_us, *key in rows:
                until = rule.keep.after(_EPOCH + timedelta(microseconds=at_us))
                item = Item(class_id=kept.class_id, release_id=release_id, keep_until=until)
                verdict = may_delete(item, standing.holds, standing.claims, began)
                if verdict.word in ("held", "claimed"):
                    return 0, len(rows)
                if verdict.may:
                    due.append((at_us, tuple(key)))
            if not due:
                return 0, 0
            await session.exec(delete(kept.table).where(tuple_(*kept.key).in_([key for _, key in due])))
            salt = secrets.token_bytes(32)
            certificate = PurgeCertificate(
                run_id=run.run_id,
                what=kept.what,
                class_id=kept.class_id,
                rule_digest=rule.rule_digest,
                count=len(due),
                size=0,
                salt=salt.hex(),
                ids_root=ids_root(salt, ["/".join(map(str, key)) for _, key in due]),
                first=_EPOCH + timedelta(microseconds=due[0][0]),
                until=_EPOCH + timedelta(microseconds=due[-1][0]),
                keys=(),
                items=(),
                releases=(release_id,),
                held=0,
                approver=run.approver,
                operator=run.operator,
                started_at=began,
                ended_at=self._clock(),
            )
            await self._ledger.append_in(session, certificate.entry(f"purge/{salt.hex()}", run.operator))
        return len(due), 0
