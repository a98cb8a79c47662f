"""Deliveries of sources in, sealed blocks out, on SQL (SRC-1…SRC-9).

Intake and sealing of one release exclude each other: an output is either committed before its block is
sealed, and counted, or it sees the sealed boundary and is marked late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import tuple_
from sqlmodel import col, func, select

from activities.signal_ports import Batch, BatchAnswer, BatchConflict, May
from adapters.database import Database, insert_or_keep
from adapters.delivery import BatchKnown, Known, deliver, lock
from adapters.sealing import Grid, in_order, seal_due
from adapters.tables import BatchTable, EvaluationTable, LateTable, ReleaseTable, SealedTable
from countermand.canonical import digest_bytes
from countermand.detection.blocks import Row
from countermand.playbook.signals import SignalSpec


class SqlSignals:
    """Implements the port `SignalStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: Known = {}

    async def add(self, source_id: str, batch: Batch, now: datetime, *, may: May) -> BatchAnswer:
        """Store a batch durably, whole or not at all; the same batch again returns the first answer.

        `may`: whether its credential reaches a release. Raises BatchConflict when the batch id is
        known with another body.
        """
        try:
            return await self._db.in_thread(lambda session: deliver(session, self._known, source_id, batch, now, may))
        except BatchKnown:
            return await self._first_answer(source_id, batch)

    async def _first_answer(self, source_id: str, batch: Batch) -> BatchAnswer:
        async with self._db.reading() as session:
            first = await session.get_one(BatchTable, (source_id, batch.batch_id))
        if first.body_sha256 != batch.body_sha256:
            raise BatchConflict(
                f"batch {batch.batch_id!r} of source {source_id!r} came before with another body; "
                "give every batch its own id"
            )
        return BatchAnswer.model_validate(first.answer)

    async def seal(
        self, release_id: str, *, signals: Mapping[str, SignalSpec], start: datetime, block: timedelta, until: datetime
    ) -> list[Row]:
        """Seal every block that ends at or before `until` and is not sealed yet; returns the new rows.

        Raises KeyError for an unknown release, ValueError when `start` or `block` differ from earlier calls.
        """
        async with self._db.writing() as session:
            await session.run_sync(lock, {release_id}, exclusive=True)
            release = await session.get(ReleaseTable, release_id)
            if release is None:
                raise KeyError(f"release {release_id!r} is not registered")
            return await seal_due(session, release, signals, Grid.of(start, block), until)

    async def sealed(self, release_id: str) -> int:
        """How many rows are sealed: the `seq` of the next one."""
        query = select(func.max(SealedTable.seq)).where(SealedTable.release_id == release_id)
        async with self._db.reading() as session:
            newest = (await session.exec(query)).one()
        return 0 if newest is None else newest + 1

    async def rows(self, release_id: str, *, after_seq: int = -1, limit: int = 100_000) -> list[Row]:
        """Sealed rows in the order in which they are judged; `after_seq` and `limit` count rows that are not late.

        Raises ValueError when a stored row is not what was sealed.
        """
        query = select(SealedTable.seq, SealedTable.row, SealedTable.digest)
        query = query.where(SealedTable.release_id == release_id, col(SealedTable.seq) > after_seq)
        async with self._db.reading() as session:
            stored = (await session.exec(query.order_by(col(SealedTable.seq)).limit(limit))).all()
            if not stored:
                return []
            of_late = select(LateTable.closed_after, LateTable.seq, LateTable.row, LateTable.digest).where(
                LateTable.release_id == release_id,
                col(LateTable.closed_after).between(stored[0][0], stored[-1][0]),
            )
            late = (await session.exec(of_late)).all()
        return in_order(
            [_read(release_id, seq, row, digest) for seq, row, digest in stored],
            [(after, _read(release_id, seq, row, digest)) for after, seq, row, digest in late],
        )

    async def put_evaluations(self, release_id: str, records: Mapping[int, dict[str, object]]) -> None:
        """Keep what was judged, by row `seq`; rows that were judged before stay as they are."""
        rows = [{"release_id": release_id, "seq": seq, "record": record} for seq, record in records.items()]
        if rows:
            async with self._db.writing() as session:
                await session.exec(insert_or_keep(session, EvaluationTable), params=rows)

    async def evaluations(
        self, release_id: str, *, after_seq: int = -1, limit: int = 100_000
    ) -> list[tuple[int, dict[str, object]]]:
        """(seq, verdict record) of the evaluated rows in order."""
        query = select(EvaluationTable.seq, EvaluationTable.record)
        query = query.where(EvaluationTable.release_id == release_id, col(EvaluationTable.seq) > after_seq)
        async with self._db.reading() as session:
            stored = await session.exec(query.order_by(col(EvaluationTable.seq)).limit(limit))
            return [(seq, dict(record)) for seq, record in stored]

    async def newest_evaluations(
        self, release_ids: Sequence[str] | None = None
    ) -> dict[str, tuple[int, dict[str, object]]]:
        """The newest judged row of these releases (None: of all that are still watched), by release id."""
        of_release = select(func.max(EvaluationTable.seq)).where(EvaluationTable.release_id == ReleaseTable.release_id)
        wanted = select(ReleaseTable.release_id, of_release.correlate(ReleaseTable).scalar_subquery().label("seq"))
        if release_ids is None:
            wanted = wanted.where(col(ReleaseTable.closed_at).is_(None))
        else:
            wanted = wanted.where(col(ReleaseTable.release_id).in_(release_ids))
        # Two statements: joined into one, SQLite may read every judged row to find the newest.
        async with self._db.reading() as session:
            newest = [(release_id, seq) for release_id, seq in await session.exec(wanted) if seq is not None]
            query = select(EvaluationTable.release_id, EvaluationTable.seq, EvaluationTable.record).where(
                tuple_(col(EvaluationTable.release_id), col(EvaluationTable.seq)).in_(newest)
            )
            return {release_id: (seq, dict(record)) for release_id, seq, record in await session.exec(query)}


def _read(release_id: str, seq: int, row: str, digest: str) -> Row:
    if digest_bytes(row.encode()) != digest:
        raise ValueError(f"sealed row {seq} of release {release_id!r} has another digest than when sealed")
    return Row.model_validate_json(row)
