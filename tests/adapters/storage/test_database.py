"""Connections: durable settings, explicit transactions, aware instants."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.exc import OperationalError, StatementError

from adapters.database import SQLITE_PRAGMAS, Database, run_sql
from adapters.ledger import SqlLedger
from adapters.tables import AccountTable
from tests.adapters.storage.entries import NOW, entry
from tests.adapters.storage.stores import Store


def account(created_at: datetime) -> AccountTable:
    return AccountTable(subject="s", name="n", password="p", created_at=created_at)


async def write(db: Database, *rows: AccountTable, fail: bool = False) -> None:
    async with db.writing() as session:
        session.add_all(rows)
        await session.flush()
        if fail:
            raise LookupError("something went wrong after the write")


def test_an_unsupported_driver_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'postgresql\+asyncpg' is not supported; write a URL that starts with"):
        Database("postgresql+asyncpg://localhost/x")


@pytest.mark.parametrize("url", ["sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:"])
def test_a_database_in_memory_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="would live in memory"):
        Database(url)


async def test_instants_come_back_aware_and_equal(db: Database) -> None:
    written = datetime(2026, 3, 29, 3, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    await write(db, account(written))
    async with db.reading() as session:
        stored = await session.get_one(AccountTable, "s")
    assert stored.created_at == written
    assert stored.created_at.tzinfo is UTC


async def test_a_naive_instant_is_refused(db: Database) -> None:
    with pytest.raises(StatementError, match="naive datetime"):
        await write(db, account(datetime(2026, 3, 29)))  # noqa: DTZ001


async def test_an_exception_takes_the_whole_transaction_back(db: Database) -> None:
    with pytest.raises(LookupError):
        await write(db, account(NOW), fail=True)
    async with db.reading() as session:
        assert await session.get(AccountTable, "s") is None


async def test_what_is_committed_is_there_after_closing(db: Database, store: Store) -> None:
    await write(db, account(NOW))
    await db.close()
    again = Database(store.url)
    async with again.reading() as session:
        assert await session.get(AccountTable, "s") is not None
    await again.close()


async def test_a_reader_keeps_its_snapshot_and_does_not_wait_for_the_writer(db: Database) -> None:
    ledger = SqlLedger(db)
    await ledger.append(entry("a"))
    async with db.reading() as session:
        before = (await run_sql(session, "SELECT count(*) FROM ledger_record")).scalar_one()
        async with asyncio.timeout(2):
            await ledger.append(entry("b"))
        assert (await run_sql(session, "SELECT count(*) FROM ledger_record")).scalar_one() == before
    assert await ledger.head() == 2


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_every_sqlite_connection_has_every_setting(db: Database) -> None:
    async def settings() -> dict[str, str]:
        async with db.reading() as session:
            values = {name: str((await run_sql(session, f"PRAGMA {name}")).scalar_one()) for name in SQLITE_PRAGMAS}
            await asyncio.sleep(0.05)
            return values

    for values in await asyncio.gather(*[settings() for _ in range(4)]):
        assert values == SQLITE_PRAGMAS


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_database_locked_by_another_program_fails_closed_and_recovers(
    db: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SQLITE_PRAGMAS, "busy_timeout", "100")
    ledger = SqlLedger(db)
    with store.raw() as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OperationalError, match="locked"):
            await ledger.append(entry("a"))
        connection.execute("COMMIT")
    assert (await ledger.append(entry("a")))[0].seq == 1


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
async def test_a_connection_that_the_server_closed_is_replaced(db: Database, store: Store) -> None:
    ledger = SqlLedger(db)
    await ledger.append(entry("a"))
    with store.raw(store.superuser_url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await ledger.append(entry("b"))
    assert await ledger.head() == 2
