"""The Ledger on SQL: one global chain, serialised appends, and its verification (STO-5…STO-10)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.exc import DatabaseError
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.ports import LedgerConflict
from adapters.database import Database, insert_new, run_sql, utc_now
from adapters.tables import BlobTable, LedgerTable
from countermand.canonical import canonical, digest_bytes, instant
from countermand.ledger.record import (
    GENESIS_PREV,
    ChainBroken,
    Entry,
    Kind,
    Record,
    build_line,
    line_hash,
    parse_line,
    verify_chain,
)

# Writers of the chain take turns on this key; the lock ends with the transaction, so poolers cannot leak it.
_LOCK = 0x636D_0002
_PAGE = 1_000


class SqlLedger:
    """Implements the port `Ledger`."""

    def __init__(self, db: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._clock = clock

    async def append(self, *entries: Entry) -> list[Record]:
        """Append all entries durably in one transaction; a known key returns the record it has.

        The first append of all writes the genesis record before it. Raises LedgerConflict when a key is known
        with other content, NotCanonical, LineTooLong; then nothing was appended.
        """
        async with self._db.writing() as session:
            await lock_chain(session, self._db.dialect)
            head = await _head(session)
            known = await _by_key(session, [entry.idem_key for entry in entries])
            new: list[Record] = []
            seq, prev = (head.seq, head.hash) if head else (-1, GENESIS_PREV)
            for entry in entries if head else (_genesis(), *entries):
                if (first := known.get(entry.idem_key)) is not None:
                    _same_or_conflict(entry, first)
                    continue
                seq += 1
                record = parse_line(build_line(entry, seq=seq, prev=prev, at=self._clock()))
                prev = record.hash
                known[entry.idem_key] = record
                new.append(record)
            session.add_all(_row(record) for record in new)
        return [known[entry.idem_key] for entry in entries]

    async def records(
        self,
        *,
        incident_id: str | None = None,
        release_id: str | None = None,
        kinds: Sequence[Kind] = (),
        after_seq: int = -1,
        limit: int | None = None,
    ) -> list[Record]:
        """Records in `seq` order, filtered; page on with `after_seq`."""
        query = select(LedgerTable.line).where(col(LedgerTable.seq) > after_seq)
        if incident_id is not None:
            query = query.where(LedgerTable.incident_id == incident_id)
        if release_id is not None:
            query = query.where(LedgerTable.release_id == release_id)
        if kinds:
            query = query.where(col(LedgerTable.kind).in_([kind.value for kind in kinds]))
        async with self._db.reading() as session:
            lines = await session.exec(query.order_by(col(LedgerTable.seq)).limit(limit))
            return [parse_line(line) for line in lines]

    async def find(self, idem_key: str) -> Record | None:
        """The record with this idempotency key, or None."""
        async with self._db.reading() as session:
            return (await _by_key(session, [idem_key])).get(idem_key)

    async def head(self) -> int:
        """`seq` of the newest record; -1 when empty."""
        async with self._db.reading() as session:
            newest = (await session.exec(select(func.max(LedgerTable.seq)))).one()
        return -1 if newest is None else newest

    async def put_blob(self, raw: bytes, media_type: str) -> str:
        """Store bytes durably by content; returns `sha256:<hex>`. Bytes that are there stay as they are."""
        sha256 = digest_bytes(raw)
        async with self._db.reading() as session:
            if await session.get(BlobTable, sha256) is not None:
                return sha256
        async with self._db.writing() as session:
            if await session.get(BlobTable, sha256) is None:  # somebody else may have been faster
                await insert_new(session, BlobTable, sha256=sha256, media_type=media_type, size=len(raw), content=raw)
        return sha256

    async def get_blob(self, sha256: str) -> tuple[bytes, str] | None:
        """(bytes, media type), or None. Raises ValueError when the stored bytes have another digest."""
        async with self._db.reading() as session:
            blob = await session.get(BlobTable, sha256)
        if blob is None:
            return None
        if digest_bytes(blob.content) != sha256:
            raise ValueError(f"evidence blob {sha256!r}: the stored bytes have another digest")
        return blob.content, blob.media_type


async def verify(db: Database, *, first_seq: int = 0) -> tuple[int, str]:
    """Check the chain, and every stored column against its line; returns (records checked, hash of the head).

    Reads one snapshot page by page. With `first_seq` the line before it is believed. Raises ChainBroken with
    the first bad `seq`. Records missing at the end cannot be noticed here (STO-13).
    """
    expected, prev = first_seq, GENESIS_PREV
    async with db.reading() as session:
        if first_seq > 0:
            before = await session.get(LedgerTable, first_seq - 1)
            if before is None:
                raise ChainBroken(first_seq - 1, "the record is missing")
            prev = line_hash(before.line)
        while rows := await _page(db, session, expected):
            for row in rows:
                _, prev = verify_chain([row.line], first_seq=expected, prev=prev)
                _columns_equal_line(row)
                expected += 1
            session.expunge_all()
    return expected - first_seq, prev


async def _page(db: Database, session: AsyncSession, first_seq: int) -> Sequence[LedgerTable]:
    query = select(LedgerTable).where(col(LedgerTable.seq) >= first_seq).order_by(col(LedgerTable.seq))
    try:
        return (await session.exec(query.limit(_PAGE))).all()
    except (DatabaseError, UnicodeDecodeError) as error:
        # Bytes that are no text at all fail a whole page; one by one shows whose they are.
        for seq in range(first_seq, first_seq + _PAGE):
            try:
                async with db.reading() as single:
                    await single.get(LedgerTable, seq)
            except (DatabaseError, UnicodeDecodeError) as unreadable:
                raise ChainBroken(seq, f"the stored record cannot be read ({unreadable})") from error
        raise


async def lock_chain(session: AsyncSession, dialect: str) -> None:
    """Take the writers' turn until the transaction ends. A SQLite writer has it since BEGIN IMMEDIATE."""
    if dialect == "postgresql":
        await run_sql(session, "SELECT pg_advisory_xact_lock(:key)", key=_LOCK)


async def _head(session: AsyncSession) -> LedgerTable | None:
    return (await session.exec(select(LedgerTable).order_by(col(LedgerTable.seq).desc()).limit(1))).first()


async def _by_key(session: AsyncSession, keys: Sequence[str]) -> dict[str, Record]:
    lines = await session.exec(select(LedgerTable.line).where(col(LedgerTable.idem_key).in_(keys)))
    return {record.idem_key: record for record in map(parse_line, lines)}


def _genesis() -> Entry:
    return Entry(kind=Kind.genesis, idem_key="genesis", actor="countermand", body={"ledger_id": uuid.uuid4().hex})


def _same_or_conflict(entry: Entry, first: Record) -> None:
    asked = (entry.kind, entry.actor, entry.incident_id, entry.release_id, canonical(entry.body))
    stored = (first.kind, first.actor, first.incident_id, first.release_id, canonical(first.body))
    if asked != stored:
        raise LedgerConflict(
            f"idempotency key {entry.idem_key!r} belongs to record {first.seq} ({first.kind.value}) "
            "with other content; a repeated append must repeat its content"
        )


def _columns(record: Record) -> dict[str, Any]:
    return {
        "seq": record.seq,
        "at": instant(record.at),
        "kind": record.kind.value,
        "incident_id": record.incident_id,
        "release_id": record.release_id,
        "idem_key": record.idem_key,
        "prev": record.prev,
        "hash": record.hash,
    }


def _row(record: Record) -> LedgerTable:
    return LedgerTable(**_columns(record), line=record.line)


def _columns_equal_line(row: LedgerTable) -> None:
    record = parse_line(row.line)
    for name, value in _columns(record).items():
        if getattr(row, name) != value:
            raise ChainBroken(record.seq, f"column {name} holds {getattr(row, name)!r}, the line {value!r}")
