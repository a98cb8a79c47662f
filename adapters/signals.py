"""Deliveries of sources in, sealed blocks out, on SQL (SRC-1…SRC-9).

Intake and sealing of one release exclude each other: an output is either committed before its block is
sealed, and counted, or it sees the sealed boundary and is marked late.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import tuple_, update
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.signal_ports import Batch, BatchAnswer, BatchConflict, CountedBlock, ExternalEvent, May
from adapters.database import Database, insert_new, insert_or_keep, run_sql
from adapters.intake import Gate, SignalGate, Sorted, gates_of, microseconds, sort_batch
from adapters.sealing import Grid, in_order, seal_due
from adapters.tables import (
    BatchTable,
    CountedTable,
    EvaluationTable,
    EventTable,
    LateTable,
    ObservationTable,
    PlaybookTable,
    ReleaseTable,
    SealedTable,
)
from countermand.canonical import digest_bytes
from countermand.detection.blocks import Row
from countermand.detection.sealing import LATE_HORIZON
from countermand.playbook.load import parse
from countermand.playbook.signals import SignalSpec

# One statement and one parameter per batch: a parameter per value or a row per message is far slower, and between the
# rows of SQLite's executemany the thread would wait for the interpreter's lock.
_INSERT = {
    "sqlite": "INSERT INTO observation"
    " (source_id, observation_id, batch_id, release_id, signal, arm, event_us, value, segments, late)"
    " SELECT v.value->>0, v.value->>1, v.value->>2, v.value->>3, v.value->>4, v.value->>5, v.value->>6, v.value->>7,"
    " v.value->>8, v.value->>9 FROM json_each(?) v WHERE true ON CONFLICT DO NOTHING",
    "postgresql": "INSERT INTO observation"
    " (source_id, observation_id, batch_id, release_id, signal, arm, event_us, value, segments, late)"
    " SELECT v->>0, v->>1, v->>2, v->>3, v->>4, v->>5, (v->>6)::bigint, (v->>7)::integer, v->>8,"
    " (v->>9)::integer::boolean FROM jsonb_array_elements(%s::jsonb) v ON CONFLICT DO NOTHING",
}

#: Databases take a limited number of parameters in one statement; a source that is asked can answer with many outputs.
_IDS_AT_ONCE = 10_000


class SqlSignals:
    """Implements the port `SignalStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db
        # A playbook never changes under its digest: (what its signals take, length of a block).
        self._known: dict[str, tuple[dict[str, SignalGate], timedelta]] = {}

    async def add(self, source_id: str, batch: Batch, now: datetime, *, may: May) -> BatchAnswer:
        """Store a batch durably, whole or not at all; the same batch again returns the first answer.

        `may`: whether its credential reaches a release. Raises BatchConflict when the batch id is
        known with another body.
        """
        claim = {"source_id": source_id, "batch_id": batch.batch_id, "body_sha256": batch.body_sha256, "at": now}
        async with self._db.writing() as session:
            if not await insert_new(session, BatchTable, **claim):
                return await _first_answer(session, source_id, batch)
            releases = {item.release_id for part in (batch.items, batch.counts) for item in part}
            gates = await self._gates(session, releases, exclusive=bool(batch.counts))
            found = sort_batch(source_id, batch, gates, now, may)
            await self._insert(session, source_id, batch.batch_id, found)
            taken = len(found.fresh) + await _add_counted(session, source_id, found)
            taken += await _add_events(session, source_id, batch.events, found)
            answer = BatchAnswer(
                batch_id=batch.batch_id,
                accepted=taken,
                duplicates=found.duplicates,
                late=sum(row.late for _, row in found.fresh.values()) + sum(late for *_, late in found.counted),
                rejected=tuple(sorted(found.rejected, key=lambda item: (item.part, item.index))),
            )
            await session.exec(
                update(BatchTable)
                .where(col(BatchTable.source_id) == source_id, col(BatchTable.batch_id) == batch.batch_id)
                .values(answer=answer.model_dump(mode="json"))
            )
        return answer

    async def seal(
        self, release_id: str, *, signals: Mapping[str, SignalSpec], start: datetime, block: timedelta, until: datetime
    ) -> list[Row]:
        """Seal every block that ends at or before `until` and is not sealed yet; returns the new rows.

        Raises KeyError for an unknown release, ValueError when `start` or `block` differ from earlier calls.
        """
        async with self._db.writing() as session:
            await self._lock(session, {release_id}, exclusive=True)
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

    async def _gates(self, session: AsyncSession, release_ids: Collection[str], *, exclusive: bool) -> dict[str, Gate]:
        await self._lock(session, release_ids, exclusive=exclusive)
        found = await session.exec(select(ReleaseTable).where(col(ReleaseTable.release_id).in_(release_ids)))
        return {release.release_id: await self._gate(session, release) for release in found}

    async def _gate(self, session: AsyncSession, release: ReleaseTable) -> Gate:
        if release.playbook_digest not in self._known:
            playbook = await session.get_one(PlaybookTable, release.playbook_digest)
            detection = parse(playbook.content, release.playbook_digest).detection
            self._known[release.playbook_digest] = gates_of(detection.signals), detection.block
        signals, block = self._known[release.playbook_digest]
        start = release.registered_at.replace(microsecond=0)
        sealed_us = release.sealed_until_us
        late_before = microseconds(start) if sealed_us is None else sealed_us
        horizon = microseconds(start + LATE_HORIZON * block) - microseconds(start)
        return Gate(
            signals,
            release.release["environment"],
            release.closed_at is not None,
            microseconds(start),
            late_before,
            late_before - horizon,
        )

    async def _lock(self, session: AsyncSession, release_ids: Collection[str], *, exclusive: bool) -> None:
        """Batches share a release, sealing has it alone. SQLite has one writer anyway.

        Advisory locks queue up in order; with row locks a stream of batches could keep sealing out for ever.
        """
        if self._db.dialect == "postgresql":
            kind = "" if exclusive else "_shared"
            statement = f"SELECT pg_advisory_xact_lock{kind}(hashtextextended(:release_id, 0))"
            for release_id in sorted(release_ids):
                await run_sql(session, statement, release_id=release_id)

    async def _insert(self, session: AsyncSession, source_id: str, batch_id: str, found: Sorted) -> None:
        """Store the fresh rows and move those whose id was stored earlier to the repetitions."""
        if not found.fresh:
            return
        # In the order of the key: two batches with ids in common wait for each other, never in a circle.
        rows = [row for _, (_, row) in sorted(found.fresh.items())]
        connection = await session.connection()
        result = await connection.exec_driver_sql(_INSERT[self._db.dialect], (json.dumps(rows),))
        if result.rowcount == len(rows):
            return
        ids = list(found.fresh)
        for at in range(0, len(ids), _IDS_AT_ONCE):
            earlier = await session.exec(
                select(ObservationTable).where(
                    ObservationTable.source_id == source_id,
                    col(ObservationTable.observation_id).in_(ids[at : at + _IDS_AT_ONCE]),
                    ObservationTable.batch_id != batch_id,
                )
            )
            for stored in earlier:
                index, row = found.fresh.pop(stored.observation_id)
                found.repeat(index, row, _content(stored))


async def _first_answer(session: AsyncSession, source_id: str, batch: Batch) -> BatchAnswer:
    first = await session.get_one(BatchTable, (source_id, batch.batch_id))
    if first.body_sha256 != batch.body_sha256:
        raise BatchConflict(
            f"batch {batch.batch_id!r} of source {source_id!r} came before with another body; "
            "give every batch its own id"
        )
    return BatchAnswer.model_validate(first.answer)


async def _add_counted(session: AsyncSession, source_id: str, found: Sorted) -> int:
    """Store counted blocks, whose release is held alone; returns how many were new or replaced a former one."""
    taken = 0
    for index, counted, start_us, late in found.counted:
        place = (source_id, counted.release_id, counted.signal, counted.arm.value, counted.segment, start_us)
        block = _block_of(counted)
        former = await session.get(CountedTable, place)
        if former is None:
            session.add(
                CountedTable(
                    source_id=source_id,
                    release_id=counted.release_id,
                    signal=counted.signal,
                    arm=counted.arm.value,
                    segment=counted.segment,
                    start_us=start_us,
                    block=block,
                    late=late,
                )
            )
            await session.flush()
        elif former.block == block:
            found.duplicates += 1
            continue
        elif counted.supersedes and not late:
            former.block = block
        else:
            found.reject(
                index,
                "duplicate_id_other_value",
                f"the block of {counted.signal!r} from {counted.start} on came before with other sums; a correction "
                "says `supersedes` and comes before the block is sealed",
                "counts",
            )
            continue
        taken += 1
    return taken


async def _add_events(session: AsyncSession, source_id: str, events: Sequence[ExternalEvent], found: Sorted) -> int:
    taken = 0
    for index, event in enumerate(events):
        ends = event.begins if event.ends is None else event.ends
        content: dict[str, Any] = {
            "release_id": event.release_id,
            "begins_us": microseconds(event.begins),
            "ends_us": microseconds(ends),
            "what": event.what,
        }
        former = await session.get(EventTable, (source_id, event.event_id))
        if former is None:
            session.add(EventTable(source_id=source_id, event_id=event.event_id, **content))
            await session.flush()
            taken += 1
        elif {name: getattr(former, name) for name in content} == content:
            found.duplicates += 1
        else:
            detail = f"event {event.event_id!r} came before with other content; give a change a new id"
            found.reject(index, "duplicate_id_other_value", detail, "events")
    return taken


def _block_of(counted: CountedBlock) -> dict[str, object]:
    evidence = (counted.evidence,) if counted.evidence else ()
    return counted.block().model_copy(update={"evidence": evidence}).model_dump(mode="json")


def _content(stored: ObservationTable) -> tuple[object, ...]:
    return (
        stored.release_id,
        stored.signal,
        stored.arm,
        stored.event_us,
        stored.value,
        stored.segments,
    )


def _read(release_id: str, seq: int, row: str, digest: str) -> Row:
    if digest_bytes(row.encode()) != digest:
        raise ValueError(f"sealed row {seq} of release {release_id!r} has another digest than when sealed")
    return Row.model_validate_json(row)
