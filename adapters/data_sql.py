"""A database that checks ask: one read-only transaction per question, bounded in time, rows and bytes."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import quote

import aiosqlite
from sqlalchemy import URL, NullPool, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.data_settings import SqlSettings
from countermand.canonical import NotCanonical, canonical
from countermand.plan.integrity_answer import Answer, Cell, Question, Unanswered, cell

Keep = Callable[[bytes, str], Awaitable[str]]

_DRIVERS = ("sqlite+aiosqlite", "postgresql+psycopg")
#: Rows that are fetched at a time, so that an answer beyond its limits is given up early.
_BATCH = 50
#: SQLite looks at the clock after so many steps of its machine.
_STEPS = 10_000
#: The server gives up a little before we do, so that its own word arrives.
_SPARE = timedelta(milliseconds=200)


class SqlDataSource:
    """Implements DataSource over SQLite and PostgreSQL. It connects for each question and closes again."""

    def __init__(self, settings: SqlSettings, keep: Keep) -> None:
        self._settings = settings
        self._keep = keep

    async def ask(self, question: Question, within: timedelta) -> Answer:
        if question.query is None:
            raise Unanswered("the source speaks SQL and the check asks it by `get`; write a `query`.")
        limit = min(self._settings.time_limit, within)
        try:
            async with asyncio.timeout(limit.total_seconds()), self._connected(limit) as connection:
                columns, rows = await self._rows(connection, question.query, question.values)
            raw = canonical({"columns": list(columns), "rows": [list(row) for row in rows]})
        except TimeoutError:
            raise Unanswered(_slow(limit)) from None
        except (SQLAlchemyError, OSError) as error:
            raise Unanswered(_reason(error, limit)) from None
        except NotCanonical:
            raise Unanswered("the source gave text that is no valid Unicode.") from None
        return Answer(columns=columns, rows=rows, raw_sha256=await self._keep(raw, "application/json"))

    async def _rows(
        self, connection: AsyncConnection, query: str, values: Mapping[str, str]
    ) -> tuple[tuple[str, ...], tuple[tuple[Cell, ...], ...]]:
        limits, size = self._settings, 0
        rows: list[tuple[Cell, ...]] = []
        async with connection.stream(text(query), values, execution_options={"yield_per": _BATCH}) as result:
            columns = tuple(result.keys())
            if len(set(columns)) < len(columns):
                raise Unanswered("two columns of the answer have the same name.")
            async for row in result:
                rows.append(tuple(cell(value) for value in row))
                size += sum(len(str(one)) for one in rows[-1])
                if len(rows) > limits.max_rows:
                    raise Unanswered(f"the answer has more than {limits.max_rows:,} rows, its limit in the settings.")
                if size > limits.max_bytes:
                    raise Unanswered(f"the answer has more than {limits.max_bytes:,} bytes, its limit in the settings.")
        return columns, tuple(rows)

    @asynccontextmanager
    async def _connected(self, limit: timedelta) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction that can only read, and whose statements end within the limit."""
        url = self._url()
        engine = self._sqlite(url, limit) if url.drivername == _DRIVERS[0] else _postgresql(url, limit)
        try:
            async with engine.connect() as connection, connection.begin():
                if engine.dialect.name == "postgresql":
                    milliseconds = max(int((limit - _SPARE) / timedelta(milliseconds=1)), 1)
                    setting = text("SELECT set_config('statement_timeout', :limit, true)")
                    await connection.execute(setting, {"limit": str(milliseconds)})
                yield connection
        finally:
            await engine.dispose()

    def _sqlite(self, url: URL, limit: timedelta) -> AsyncEngine:
        deadline = time.monotonic() + limit.total_seconds()

        def connect() -> sqlite3.Connection:
            file = f"file:{quote(url.database or '')}?mode=ro"
            connection = sqlite3.connect(file, uri=True, timeout=limit.total_seconds(), isolation_level=None)
            connection.execute("PRAGMA query_only = 1")
            connection.execute("PRAGMA trusted_schema = 0")
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, self._settings.max_bytes)
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
            return connection

        async def opened() -> aiosqlite.Connection:
            return await aiosqlite.Connection(connect, iter_chunk_size=_BATCH)

        return create_async_engine(url, async_creator=opened, poolclass=NullPool)

    def _url(self) -> URL:
        """Read each time, so that a new password needs no restart. No message quotes it."""
        file = self._settings.url_file
        try:
            url = make_url(file.read_text(encoding="utf-8").strip())
        except (OSError, ValueError, ArgumentError) as error:
            raise Unanswered(f"the address file {str(file)!r} cannot be used: {type(error).__name__}.") from None
        if url.drivername not in _DRIVERS:
            accepted = " or ".join(_DRIVERS)
            raise Unanswered(f"the address in {str(file)!r} begins with {url.drivername!r}; write {accepted}.")
        return url


def _postgresql(url: URL, limit: timedelta) -> AsyncEngine:
    seconds = max(int(limit.total_seconds()), 2)  # libpq counts whole seconds, and at least two
    return create_async_engine(
        url,
        poolclass=NullPool,
        isolation_level="REPEATABLE READ",
        connect_args={"connect_timeout": seconds},
        execution_options={"postgresql_readonly": True},
    )


def _slow(limit: timedelta) -> str:
    return f"the source gave no answer within {limit.total_seconds():g} s."


def _reason(error: SQLAlchemyError | OSError, limit: timedelta) -> str:
    """The kind of error and never its text: databases quote rows in it, and addresses."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        name = getattr(cause, "sqlite_errorname", type(cause).__name__)
        said = str(cause) if str(cause).startswith("no such ") else name
    else:
        said = type(cause).__name__
    if said in ("SQLITE_INTERRUPT", "QueryCanceled"):
        return _slow(limit)
    return f"the source cannot be read: {said}."
