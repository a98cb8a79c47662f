"""Storing one batch of a source on SQL (SRC-1…SRC-9): in a thread of its own, without a coroutine between statements.

That is for speed: with a coroutine per statement the event loop would spend more on a batch than on its thousand items.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from pydantic_core import to_json
from sqlalchemy import select, text
from sqlalchemy.orm import Session
from sqlmodel import col

from activities.signal_ports import Batch, BatchAnswer, CountedBlock, ExternalEvent, May
from adapters.database import insert_or_keep
from adapters.intake import Gate, SignalGate, Sorted, gates_of, microseconds, sort_batch
from adapters.tables import BatchTable, CountedTable, EventTable, ObservationTable, PlaybookTable, ReleaseTable
from countermand.detection.sealing import LATE_HORIZON
from countermand.playbook.load import parse

#: By digest of a playbook, which never changes under it: (what its signals take, length of a block).
Known = dict[str, tuple[dict[str, SignalGate], timedelta]]

_COLUMNS = "source_id, observation_id, batch_id, release_id, signal, arm, event_us, value, segments, late"

# PostgreSQL takes a batch as one parameter: a parameter per value or a row per message is far slower.
_INSERT_JSON = f"""INSERT INTO observation ({_COLUMNS})
SELECT v->>0, v->>1, v->>2, v->>3, v->>4, v->>5, (v->>6)::bigint, (v->>7)::integer, v->>8, (v->>9)::boolean
FROM jsonb_array_elements(%s::jsonb) v ON CONFLICT DO NOTHING"""  # noqa: S608  # constants

# SQLite takes many rows in one statement: between those of `executemany` the thread would wait for the interpreter's
# lock. It takes 32,766 parameters at once.
_ROWS_AT_ONCE = 3_000
_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

#: Databases take a limited number of parameters in one statement; a source that is asked can answer with many outputs.
_IDS_AT_ONCE = 10_000


def deliver(session: Session, known: Known, source_id: str, batch: Batch, now: datetime, may: May) -> BatchAnswer:
    """Store a batch in the transaction of `session`; `known` is filled with the playbooks that were read.

    Raises BatchKnown, and nothing may stay, when a batch with this id was stored before.
    """
    releases = {item.release_id for item in batch.items} | {item.release_id for item in batch.counts}
    lock(session, releases, exclusive=bool(batch.counts))
    found = sort_batch(source_id, batch, _gates(session, known, releases), now, may)
    _insert(session, source_id, batch.batch_id, found)
    taken = len(found.fresh) + _add_counted(session, source_id, found)
    taken += _add_events(session, source_id, batch.events, found)
    answer = BatchAnswer(
        batch_id=batch.batch_id,
        accepted=taken,
        duplicates=found.duplicates,
        late=sum([row[-1] for _, row in found.fresh.values()]) + sum(late for *_, late in found.counted),
        rejected=tuple(sorted(found.rejected, key=lambda item: (item.part, item.index))),
    )
    claim = {"source_id": source_id, "batch_id": batch.batch_id, "body_sha256": batch.body_sha256, "at": now}
    statement = insert_or_keep(session, BatchTable).values(**claim, answer=answer.model_dump(mode="json"))
    # Without the option SQLAlchemy answers -1 for inserts.
    if not session.connection().execute(statement, execution_options={"preserve_rowcount": True}).rowcount:
        raise BatchKnown
    return answer


class BatchKnown(Exception):
    """The batch was stored before: its first answer counts."""


def lock(session: Session, release_ids: Collection[str], *, exclusive: bool) -> None:
    """Batches share a release, sealing has it alone. SQLite has one writer anyway.

    Advisory locks queue up in order; with row locks a stream of batches could keep sealing out for ever.
    """
    if _postgresql(session):
        kind = "" if exclusive else "_shared"
        statement = text(f"SELECT pg_advisory_xact_lock{kind}(hashtextextended(:release_id, 0))")
        for release_id in sorted(release_ids):
            session.connection().execute(statement, {"release_id": release_id})


def _postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def _gates(session: Session, known: Known, release_ids: Collection[str]) -> dict[str, Gate]:
    found = session.execute(
        select(
            col(ReleaseTable.release_id),
            col(ReleaseTable.playbook_digest),
            col(ReleaseTable.registered_at),
            col(ReleaseTable.sealed_until_us),
            col(ReleaseTable.closed_at),
            col(ReleaseTable.release)["environment"].as_string(),
        ).where(col(ReleaseTable.release_id).in_(release_ids))
    )
    gates = {}
    for release_id, digest, registered_at, sealed_us, closed_at, environment in found:
        if digest not in known:
            detection = parse(session.get_one(PlaybookTable, digest).content, digest).detection
            known[digest] = gates_of(detection.signals), detection.block
        signals, block = known[digest]
        start = registered_at.replace(microsecond=0)
        late_before = microseconds(start) if sealed_us is None else sealed_us
        horizon = microseconds(start + LATE_HORIZON * block) - microseconds(start)
        gates[release_id] = Gate(
            signals, environment, closed_at is not None, microseconds(start), late_before, late_before - horizon
        )
    return gates


def _insert(session: Session, source_id: str, batch_id: str, found: Sorted) -> None:
    """Store the fresh rows and move those whose id was stored earlier to the repetitions."""
    if not found.fresh:
        return
    # In the order of the key: two batches with ids in common wait for each other, never in a circle.
    rows = [row for _, (_, row) in sorted(found.fresh.items())]
    connection = session.connection()
    if _postgresql(session):
        stored = connection.exec_driver_sql(_INSERT_JSON, (to_json(rows).decode(),)).rowcount
    else:
        stored = 0
        for at in range(0, len(rows), _ROWS_AT_ONCE):
            some = rows[at : at + _ROWS_AT_ONCE]
            statement = f"INSERT INTO observation ({_COLUMNS}) VALUES {', '.join([_ROW] * len(some))}"  # noqa: S608
            values = tuple(chain.from_iterable(some))
            stored += connection.exec_driver_sql(f"{statement} ON CONFLICT DO NOTHING", values).rowcount
    if stored == len(rows):
        return
    ids = list(found.fresh)
    for at in range(0, len(ids), _IDS_AT_ONCE):
        earlier = session.scalars(
            select(ObservationTable).where(
                col(ObservationTable.source_id) == source_id,
                col(ObservationTable.observation_id).in_(ids[at : at + _IDS_AT_ONCE]),
                col(ObservationTable.batch_id) != batch_id,
            )
        )
        for former in earlier:
            index, row = found.fresh.pop(former.observation_id)
            found.repeat(index, row, _content(former))


def _add_counted(session: Session, source_id: str, found: Sorted) -> int:
    """Store counted blocks, whose release is held alone; returns how many were new or replaced a former one."""
    taken = 0
    for index, counted, start_us, late in found.counted:
        place = (source_id, counted.release_id, counted.signal, counted.arm.value, counted.segment, start_us)
        block = _block_of(counted)
        former = session.get(CountedTable, place)
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
            session.flush()
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


def _add_events(session: Session, source_id: str, events: Sequence[ExternalEvent], found: Sorted) -> int:
    taken = 0
    for index, event in enumerate(events):
        ends = event.begins if event.ends is None else event.ends
        content: dict[str, Any] = {
            "release_id": event.release_id,
            "begins_us": microseconds(event.begins),
            "ends_us": microseconds(ends),
            "what": event.what,
        }
        former = session.get(EventTable, (source_id, event.event_id))
        if former is None:
            session.add(EventTable(source_id=source_id, event_id=event.event_id, **content))
            session.flush()
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
