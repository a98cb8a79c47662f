"""Labelled outputs in, sealed blocks out, on SQL (SRC-1…SRC-9).

Intake and sealing of one release exclude each other: an output is either committed before its block is
sealed, and counted, or it sees the sealed boundary and is marked late.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import tuple_, update
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.ports import BatchAnswer, BatchConflict, LabelledOutput
from adapters.database import Database, insert_new, insert_or_keep, run_sql
from adapters.intake import Gate, Sorted, microseconds, sort_batch
from adapters.tables import BatchTable, EvaluationTable, ObservationTable, ReleaseTable, SealedTable
from countermand.canonical import canonical, digest_bytes, instant
from countermand.detection.models import Arm, Block, BlockState, Row

# One statement and one parameter on PostgreSQL: a parameter per value or a row per message is far slower.
_INSERT = {
    "sqlite": "INSERT INTO observation"
    " (source_id, observation_id, batch_id, release_id, signal, arm, event_us, bad, late)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    "postgresql": "INSERT INTO observation"
    " (source_id, observation_id, batch_id, release_id, signal, arm, event_us, bad, late)"
    " SELECT v->>0, v->>1, v->>2, v->>3, v->>4, v->>5, (v->>6)::bigint, (v->>7)::smallint, (v->>8)::boolean"
    " FROM jsonb_array_elements(%s::jsonb) v ON CONFLICT DO NOTHING",
}
_COUNTS = (
    "SELECT (event_us - :start_us) / :block_us, signal, arm, count(*), count(bad), coalesce(sum(bad), 0) "
    "FROM observation WHERE release_id = :release_id AND event_us >= :from_us AND event_us < :until_us "
    "GROUP BY 1, 2, 3"
)


class SqlSignals:
    """Implements the port `SignalStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(
        self, source_id: str, batch_id: str, body_sha256: str, items: Sequence[LabelledOutput], now: datetime
    ) -> BatchAnswer:
        """Store a batch durably, whole or not at all; the same batch again returns the first answer.

        Raises BatchConflict when `batch_id` is known with another body.
        """
        claim = {"source_id": source_id, "batch_id": batch_id, "body_sha256": body_sha256, "at": now}
        async with self._db.writing() as session:
            if not await insert_new(session, BatchTable, **claim):
                return await _first_answer(session, source_id, batch_id, body_sha256)
            gates = await self._gates(session, {item.release_id for item in items})
            batch = sort_batch(source_id, batch_id, items, gates, now)
            await self._insert(session, source_id, batch_id, batch)
            answer = BatchAnswer(
                batch_id=batch_id,
                accepted=len(batch.fresh),
                duplicates=batch.duplicates,
                late=sum(row.late for _, row in batch.fresh.values()),
                rejected=tuple(sorted(batch.rejected, key=lambda item: item.index)),
            )
            await session.exec(
                update(BatchTable)
                .where(col(BatchTable.source_id) == source_id, col(BatchTable.batch_id) == batch_id)
                .values(answer=answer.model_dump(mode="json"))
            )
        return answer

    async def seal(
        self, release_id: str, *, signals: Sequence[str], start: datetime, block: timedelta, until: datetime
    ) -> list[Row]:
        """Seal every block that ends at or before `until` and is not sealed yet; returns the new rows.

        Raises KeyError for an unknown release, ValueError when `start` or `block` differ from earlier calls.
        """
        start_us, block_us = microseconds(start), microseconds(start + block) - microseconds(start)
        async with self._db.writing() as session:
            await self._lock(session, {release_id}, exclusive=True)
            release = await session.get(ReleaseTable, release_id)
            if release is None:
                raise KeyError(f"release {release_id!r} is not registered")
            newest = await session.exec(select(func.max(SealedTable.seq)).where(SealedTable.release_id == release_id))
            first = -1 if (seq := newest.one()) is None else seq
            first, from_us = first + 1, start_us + (first + 1) * block_us
            if release.sealed_until_us not in (None, from_us):
                raise ValueError(
                    f"release {release_id!r} is sealed on another grid than start {start} and block {block}; "
                    "both are fixed by the first sealing"
                )
            end = (microseconds(until) - start_us) // block_us
            if end <= first:
                return []
            counts = await _counts(session, release_id, start_us, block_us, from_us, start_us + end * block_us)
            rows = [
                Row(
                    seq=seq,
                    start=start + seq * block,
                    block=block,
                    blocks=tuple(
                        _block(signal, arm, *counts.get((seq, signal, arm.value), (0, 0, 0)))
                        for signal in sorted(signals)
                        for arm in sorted(Arm)
                    ),
                )
                for seq in range(first, end)
            ]
            session.add_all(_sealed(release_id, row) for row in rows)
            release.sealed_until_us = start_us + end * block_us
        return rows

    async def rows(self, release_id: str, *, after_seq: int = -1, limit: int = 100_000) -> list[Row]:
        """Sealed rows in order. Raises ValueError when a stored row is not what was sealed."""
        query = select(SealedTable.row, SealedTable.digest, SealedTable.seq)
        query = query.where(SealedTable.release_id == release_id, col(SealedTable.seq) > after_seq)
        async with self._db.reading() as session:
            stored = (await session.exec(query.order_by(col(SealedTable.seq)).limit(limit))).all()
        for row, digest, seq in stored:
            if digest_bytes(row.encode()) != digest:
                raise ValueError(f"sealed row {seq} of release {release_id!r} has another digest than when sealed")
        return [Row.model_validate_json(row) for row, _, _ in stored]

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

    async def _gates(self, session: AsyncSession, release_ids: Collection[str]) -> dict[str, Gate]:
        await self._lock(session, release_ids, exclusive=False)
        found = await session.exec(select(ReleaseTable).where(col(ReleaseTable.release_id).in_(release_ids)))
        return {release.release_id: _gate(release) for release in found}

    async def _lock(self, session: AsyncSession, release_ids: Collection[str], *, exclusive: bool) -> None:
        """Batches share a release, sealing has it alone. SQLite has one writer anyway.

        Advisory locks queue up in order; with row locks a stream of batches could keep sealing out for ever.
        """
        if self._db.dialect == "postgresql":
            kind = "" if exclusive else "_shared"
            statement = f"SELECT pg_advisory_xact_lock{kind}(hashtextextended(:release_id, 0))"
            for release_id in sorted(release_ids):
                await run_sql(session, statement, release_id=release_id)

    async def _insert(self, session: AsyncSession, source_id: str, batch_id: str, batch: Sorted) -> None:
        """Store the fresh rows and move those whose id was stored earlier to the repetitions."""
        if not batch.fresh:
            return
        # In the order of the key: two batches with ids in common wait for each other, never in a circle.
        rows = [row for _, (_, row) in sorted(batch.fresh.items())]
        connection = await session.connection()
        result = await connection.exec_driver_sql(
            _INSERT[self._db.dialect], rows if self._db.dialect == "sqlite" else (json.dumps(rows),)
        )
        if result.rowcount == len(rows):
            return
        earlier = await session.exec(
            select(ObservationTable).where(
                ObservationTable.source_id == source_id,
                col(ObservationTable.observation_id).in_(list(batch.fresh)),
                ObservationTable.batch_id != batch_id,
            )
        )
        for stored in earlier:
            index, row = batch.fresh.pop(stored.observation_id)
            batch.repeat(index, row, (stored.release_id, stored.signal, stored.arm, stored.event_us, stored.bad))


def _gate(release: ReleaseTable) -> Gate:
    start = microseconds(release.registered_at.replace(microsecond=0))
    late_before = start if release.sealed_until_us is None else release.sealed_until_us
    return Gate(frozenset(release.signals), release.closed_at is not None, late_before)


async def _first_answer(session: AsyncSession, source_id: str, batch_id: str, body_sha256: str) -> BatchAnswer:
    first = await session.get_one(BatchTable, (source_id, batch_id))
    if first.body_sha256 != body_sha256:
        raise BatchConflict(
            f"batch {batch_id!r} of source {source_id!r} came before with another body; give every batch its own id"
        )
    return BatchAnswer.model_validate(first.answer)


async def _counts(
    session: AsyncSession, release_id: str, start_us: int, block_us: int, from_us: int, until_us: int
) -> dict[tuple[int, str, str], tuple[int, int, int]]:
    """(served, scored, bad) by (seq, signal, arm)."""
    found = await run_sql(
        session,
        _COUNTS,
        release_id=release_id,
        start_us=start_us,
        block_us=block_us,
        from_us=from_us,
        until_us=until_us,
    )
    return {(seq, signal, arm): (served, scored, bad) for seq, signal, arm, served, scored, bad in found}


def _block(signal: str, arm: Arm, served: int, scored: int, bad: int) -> Block:
    reason = "no_traffic" if served == 0 else "empty" if scored == 0 else None
    state = BlockState.ok if reason is None else BlockState.unknown
    return Block(signal=signal, arm=arm, state=state, reason=reason, served=served, scored=scored, bad=bad)


def _sealed(release_id: str, row: Row) -> SealedTable:
    line = canonical(row.model_dump(mode="json") | {"start": instant(row.start)})
    return SealedTable(release_id=release_id, seq=row.seq, start=row.start, row=line.decode(), digest=row.digest)
