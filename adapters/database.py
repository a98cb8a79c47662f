"""Connections to SQLite and PostgreSQL: durable settings, explicit transactions, aware instants.

Nothing connects before the first transaction. SQLite belongs on a local disk: its write-ahead log does not
work over network file systems.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from sqlalchemy import (
    Connection,
    CursorResult,
    DateTime,
    Dialect,
    Engine,
    TextClause,
    TypeDecorator,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

#: What every SQLite connection is set to; `selfcheck` reads the values back (STO-4, storage.md §2).
SQLITE_PRAGMAS: dict[str, str] = {
    "journal_mode": "wal",
    "synchronous": "2",  # FULL: a commit is on the disk before it returns
    "foreign_keys": "1",
    "busy_timeout": "5000",
    "recursive_triggers": "1",
    "trusted_schema": "0",
    # What is deleted is overwritten in the file: a purge and an erasure promise it (OBL-36).
    "secure_delete": "1",
    # 40 MB of log before it is copied back: at 4 MB each batch of a busy intake would pay for that.
    "wal_autocheckpoint": "10000",
}

T = TypeVar("T")

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}


def utc_now() -> datetime:
    """The wall clock, aware; the default of every adapter that is not given another clock."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware instants in, UTC stored, aware instants out; naive values are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}: a time zone is required")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class Database:
    """One database for this process. `url`: `sqlite+aiosqlite:///file` or `postgresql+psycopg://…`."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        if self.url.drivername not in _DRIVERS.values():
            raise ValueError(
                f"database driver {self.url.drivername!r} is not supported; "
                f"write a URL that starts with {' or '.join(_DRIVERS.values())}"
            )
        self.dialect: Literal["sqlite", "postgresql"] = "postgresql"
        # SQLite has one writer. Waiting here is in order and free; waiting in SQLite is polling.
        self._one_writer: asyncio.Lock | None = None
        if self.url.get_backend_name() == "sqlite":
            if self.url.database in (None, "", ":memory:"):
                raise ValueError(f"database {url!r} would live in memory; write sqlite+aiosqlite:////path/to/file")
            self.dialect = "sqlite"
            self._one_writer = asyncio.Lock()
            self.engine = create_async_engine(self.url)
            self._snapshots = self.engine.execution_options(snapshot=True)
            self._threads = create_engine(self.url.set(drivername="sqlite"))
            for engine in (self.engine.sync_engine, self._threads):
                prepare_sqlite(engine)
        else:
            # A statement after a lock must see what the last holder committed, whatever the server's default.
            self.engine = create_async_engine(self.url, isolation_level="READ COMMITTED", pool_pre_ping=True)
            self._threads = create_engine(self.url, isolation_level="READ COMMITTED", pool_pre_ping=True)
            self._snapshots = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    async def close(self) -> None:
        """Close every connection; open transactions roll back. A process that forgets this may not end."""
        await self.engine.dispose()
        self._threads.dispose()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """One transaction that commits durably at the end of the block and rolls back on any exception."""
        async with AsyncExitStack() as stack:
            if self._one_writer is not None:
                await stack.enter_async_context(self._one_writer)
            session = await stack.enter_async_context(AsyncSession(self.engine, expire_on_commit=False))
            await stack.enter_async_context(session.begin())
            yield session

    async def in_thread(self, work: Callable[[Session], T]) -> T:
        """What `work` returns: one transaction as in `writing`, in a thread of its own, for work of many statements."""
        async with AsyncExitStack() as stack:
            if self._one_writer is not None:
                await stack.enter_async_context(self._one_writer)
            return await asyncio.to_thread(self._run, work)

    def _run(self, work: Callable[[Session], T]) -> T:
        with Session(self._threads, expire_on_commit=False) as session, session.begin():
            return work(session)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """One read-only transaction over one snapshot, which never waits for a writer (STO-10)."""
        async with AsyncSession(self._snapshots, expire_on_commit=False) as session:
            yield session


def prepare_sqlite(engine: Engine) -> None:
    """Durable settings on every connection, and transactions that begin when we say so.

    Python's driver opens transactions late. A writer that begins with a read and then has to upgrade its lock
    fails at once with "database is locked", whatever the timeout; hence BEGIN IMMEDIATE.
    """

    @event.listens_for(engine, "connect")
    def settings(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for name, value in SQLITE_PRAGMAS.items():
            _patiently(cursor, f"PRAGMA {name} = {value}")
        cursor.close()

    @event.listens_for(engine, "invalidate")
    def roll_back(connection: Any, _record: Any, _error: Any) -> None:
        # A cancelled task leaves its cursor behind, and SQLite keeps the lock until somebody collects that.
        connection.rollback()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        snapshot = connection.get_execution_options().get("snapshot", False)
        connection.exec_driver_sql("BEGIN" if snapshot else "BEGIN IMMEDIATE")


def _patiently(cursor: Any, statement: str) -> None:
    """Run it again while the file is locked: when two connections turn a new file to WAL, SQLite does not wait."""
    deadline = time.monotonic() + 5
    while True:
        try:
            cursor.execute(statement)
            return
        except sqlite3.OperationalError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.01)


async def run_sql(session: AsyncSession, statement: str | TextClause, **values: Any) -> CursorResult[*tuple[Any, ...]]:
    """Run SQL text in the session's transaction."""
    connection = await session.connection()
    return await connection.execute(text(statement) if isinstance(statement, str) else statement, values)


async def insert_new(session: AsyncSession, table: type[SQLModel], **values: Any) -> bool:
    """Insert a row unless one with its key is there already; True when this call inserted it.

    Waits for a concurrent transaction that inserts the same key; the caller then reads what that one wrote.
    """
    # Without the option SQLAlchemy answers -1 for inserts.
    result = await session.exec(
        insert_or_keep(session, table).values(**values), execution_options={"preserve_rowcount": True}
    )
    return result.rowcount == 1


def insert_or_keep(session: AsyncSession | Session, table: type[SQLModel]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that leaves rows with a key that is there already as they are."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    return insert(table).on_conflict_do_nothing()
