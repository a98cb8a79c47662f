"""The Ledger on SQL: one global chain, serialised appends, and its verification (STO-5…STO-10)."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from datetime import datetime
from typing import Any

from sqlalchemy.exc import DatabaseError
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.ports import LedgerConflict
from adapters.database import Database, insert_new, run_sql, utc_now
from adapters.tables import BlobTable, LedgerTable
from adapters.vault import SqlVault
from countermand.canonical import canonical, digest_bytes, instant
from countermand.ledger.commitment import SALT_BYTES
from countermand.ledger.private import ERASED, commitments, opened, put_text, sealed, text_at
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
    """Implements the port `Ledger`. Without a vault it refuses records that hold what people typed.

    rehearsal: every record of it says so (EVD-6).
    """

    def __init__(
        self,
        db: Database,
        clock: Callable[[], datetime] = utc_now,
        *,
        vault: SqlVault | None = None,
        rehearsal: bool = False,
    ) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._rehearsal = rehearsal

    async def append(self, *entries: Entry) -> list[Record]:
        """Append all entries durably in one transaction; a known key returns the record it has.

        The first append of all writes the genesis record before it. Raises LedgerConflict when a key is known
        with other content, NotCanonical, LineTooLong; then nothing was appended.
        """
        async with self._db.writing() as session:
            return await self.append_in(session, *entries)

    async def append_in(self, session: AsyncSession, *entries: Entry) -> list[Record]:
        """The same in a transaction of the caller: what is recorded and what is done become true together."""
        await lock_chain(session, self._db.dialect)
        head = await _head(session)
        stored = await _by_key(session, [entry.idem_key for entry in entries])
        known = {record.idem_key: record for record in await self._opened(session, stored.values())}
        new: list[Record] = []
        seq, prev = (head.seq, head.hash) if head else (-1, GENESIS_PREV)
        for entry in entries if head else (_genesis(), *entries):
            if (first := known.get(entry.idem_key)) is not None:
                _same_or_conflict(entry, first)
                continue
            seq += 1
            line, texts = sealed(entry, _draw)
            record = parse_line(build_line(line, seq=seq, prev=prev, at=self._clock(), rehearsal=self._rehearsal))
            prev = record.hash
            known[entry.idem_key] = record.model_copy(update={"body": entry.body})
            new.append(record)
            if texts:
                await self._the_vault().keep(session, record, entry.author or entry.actor, texts)
        session.add_all(_row(record) for record in new)
        await session.flush()
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
            return await self._opened(session, map(parse_line, lines))

    async def find(self, idem_key: str) -> Record | None:
        """The record with this idempotency key, or None."""
        async with self._db.reading() as session:
            found = await self._opened(session, (await _by_key(session, [idem_key])).values())
        return found[0] if found else None

    async def head(self) -> int:
        """`seq` of the newest record; -1 when empty."""
        async with self._db.reading() as session:
            newest = (await session.exec(select(func.max(LedgerTable.seq)))).one()
        return -1 if newest is None else newest

    async def _opened(self, session: AsyncSession, records: Iterable[Record]) -> list[Record]:
        """The records with the words of people, by one query; "[erased]" stands where there are none any more."""
        found = list(records)
        commits = [commit for record in found for _, commit in commitments(record.body)]
        if not commits:
            return found
        answers = await self._the_vault().open_in(session, commits)
        return [opened(record, answers) for record in found]

    def _the_vault(self) -> SqlVault:
        if self._vault is None:
            raise RuntimeError("the record holds what a person typed; give the Ledger its vault")
        return self._vault

    async def put_blob(self, raw: bytes, media_type: str, quotes: str | None = None) -> str:
        """Store bytes durably by content; returns `sha256:<hex>`. Bytes that are there stay as they are.

        quotes: the incident or request whose people they quote; then they are encrypted and can be erased.
        """
        sha256 = digest_bytes(raw)
        async with self._db.reading() as session:
            if await session.get(BlobTable, sha256) is not None:
                return sha256
        async with self._db.writing() as session:
            if await session.get(BlobTable, sha256) is None:  # somebody else may have been faster
                content, key_ref = raw, None
                if quotes is not None:
                    content, key_ref = await self._the_vault().seal_bytes(session, quotes, sha256, raw, self._clock())
                await insert_new(
                    session,
                    BlobTable,
                    sha256=sha256,
                    media_type=media_type,
                    size=len(raw),
                    content=content,
                    key_ref=key_ref,
                )
        return sha256

    async def get_blob(self, sha256: str) -> tuple[bytes, str] | None:
        """(bytes, media type), or None: there are none, or they were erased. Raises ValueError when the stored bytes
        have another digest."""
        async with self._db.reading() as session:
            blob = await session.get(BlobTable, sha256)
            if blob is None:
                return None
            content: bytes | None = blob.content
            if blob.key_ref is not None:
                content = await self._the_vault().open_bytes(session, blob.key_ref, sha256, blob.content)
        if content is None:
            return None
        if digest_bytes(content) != sha256:
            raise ValueError(f"evidence blob {sha256!r}: the stored bytes have another digest")
        return content, blob.media_type


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


def _draw() -> bytes:
    return secrets.token_bytes(SALT_BYTES)


def _same_or_conflict(entry: Entry, first: Record) -> None:
    """What was erased since cannot be compared; everything else has to be equal."""
    body = deepcopy(entry.body)
    for pointer in entry.private:
        if text_at(first.body, pointer) == ERASED:
            put_text(body, pointer, ERASED)
    asked = (entry.kind, entry.actor, entry.incident_id, entry.release_id, canonical(body))
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
