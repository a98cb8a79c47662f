"""What must hold before this process may write (storage.md §7): schema, append-only, durability, clock.

`countermand doctor`, `/readyz` and every start run these. A check never repairs anything.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col

from adapters.append_only import Weakened, probe, rights, triggers
from adapters.database import SQLITE_PRAGMAS, Database, run_sql, utc_now
from adapters.ledger import SqlLedger, verify
from adapters.migrate import newest_revision
from adapters.tables import BatchTable
from countermand.ledger.record import ChainBroken
from countermand.plan.target import Value

#: How many of the newest records are hashed again.
RECENT = 1_000
#: A clock this far behind the newest record refuses decisions (storage.md §7).
MAX_SKEW = timedelta(seconds=60)

_POSTGRESQL_SETTINGS = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "remote_apply"),
    "server_encoding": ("UTF8",),
}


class SelfCheck(Value):
    """The answer of one check; `repair` says what a person does about it and is empty when `ok`."""

    name: str
    ok: bool
    sentence: str
    repair: str


async def selfcheck(db: Database, clock: Callable[[], datetime] = utc_now) -> list[SelfCheck]:
    """Run every check, in the order in which a person would repair them; never raises for a bad database."""
    results = []
    for name, check, repair in _CHECKS:
        try:
            sentence, ok = await check(db, clock()), True
        except Weakened as weakened:
            sentence, ok = str(weakened), False
        except (SQLAlchemyError, OSError) as error:
            sentence, ok = f"The check could not run: {error}", False
        results.append(SelfCheck(name=name, ok=ok, sentence=sentence, repair="" if ok else repair))
    return results


async def _schema(db: Database, _now: datetime) -> str:
    async with db.reading() as session:
        found = (await run_sql(session, "SELECT version_num FROM alembic_version")).scalar_one_or_none()
    wanted = await asyncio.to_thread(newest_revision)
    if found != wanted:
        raise Weakened(f"The database is at revision {found!r}, this program needs {wanted!r}.")
    return f"The database is at revision {wanted}."


async def _settings(db: Database, _now: datetime) -> str:
    if db.dialect == "sqlite":
        wanted: dict[str, tuple[str, ...]] = {name: (value,) for name, value in SQLITE_PRAGMAS.items()}
        query = "PRAGMA {}"
    else:
        wanted, query = _POSTGRESQL_SETTINGS, "SHOW {}"
    wrong = []
    async with db.reading() as session:
        for name, accepted in wanted.items():
            value = str((await run_sql(session, query.format(name))).scalar_one())
            if value not in accepted:
                wrong.append(f"{name} is {value} instead of {accepted[0]}")
    if wrong:
        raise Weakened(f"Durability is not what it must be: {', '.join(wrong)}.")
    return f"{', '.join(wanted)} are as they must be."


async def _records(db: Database, _now: datetime) -> str:
    head = await SqlLedger(db).head()
    try:
        count, _ = await verify(db, first_seq=max(0, head + 1 - RECENT))
    except ChainBroken as broken:
        raise Weakened(f"The Ledger does not hold at {broken}.") from broken
    return f"The newest {count} records of {head + 1} hash and link as stored."


async def _write(db: Database, now: datetime) -> str:
    key = {"source_id": "selfcheck", "batch_id": secrets.token_hex(16)}
    async with db.writing() as session:
        session.add(BatchTable(**key, body_sha256="", answer=None, at=now))
    async with db.writing() as session:
        await session.exec(
            delete(BatchTable).where(
                col(BatchTable.source_id) == key["source_id"], col(BatchTable.batch_id) == key["batch_id"]
            )
        )
    return "A row was written durably and removed again."


async def _clock(db: Database, now: datetime) -> str:
    ledger = SqlLedger(db)
    newest = await ledger.records(after_seq=await ledger.head() - 1, limit=1)
    behind = newest[0].at - now if newest else timedelta()
    if behind > MAX_SKEW:
        raise Weakened(f"The clock shows {now}, {behind} before the newest record.")
    if behind > timedelta():
        return f"The clock is {behind} behind the newest record; up to {MAX_SKEW} is accepted."
    return "The clock is not behind the newest record."


_STOP = "Somebody changed the database: stop the service, find out who and why, verify the Ledger"
_CHECKS: tuple[tuple[str, Callable[[Database, datetime], Awaitable[str]], str], ...] = (
    ("schema", _schema, "Run the migrations, or start the program version that belongs to this database."),
    ("triggers", triggers, f"{_STOP}, then restore the triggers as migrations/versions has them."),
    (
        "rights",
        rights,
        "SQLite: chmod 600 the file. PostgreSQL: migrate as one role, connect as another one that got its "
        "rights from adapters.migrate.grant.",
    ),
    ("append_only", probe, f"{_STOP}, then restore triggers and rights."),
    (
        "settings",
        _settings,
        "SQLite: keep the file on a local disk. PostgreSQL: set what is named and reload the server.",
    ),
    (
        "records",
        _records,
        "Do not append. Keep a copy of the database as it is, compare it with backups and outside copies, "
        "and tell the people responsible for the record.",
    ),
    (
        "write",
        _write,
        "Free disk space, and check that the disk is writable and no other program holds a lock.",
    ),
    ("clock", _clock, "Correct the clock of this machine (NTP) and start again."),
)
