"""The self-check is green on a healthy store and names exactly what was weakened."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, make_url

from adapters.database import Database
from adapters.ledger import SqlLedger, verify
from adapters.migrate import newest_revision
from adapters.selfcheck import SelfCheck, selfcheck
from tests.adapters.storage.entries import NOW, entry
from tests.adapters.storage.stores import Store

sqlite_only = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
postgresql_only = pytest.mark.parametrize("store", ["postgresql"], indirect=True)


async def check(db: Database, now: Any = NOW) -> dict[str, SelfCheck]:
    return {result.name: result for result in await selfcheck(db, lambda: now)}


async def failing(db: Database, now: Any = NOW) -> dict[str, str]:
    """Sentences by name of the checks that do not hold; each of them says what to do."""
    results = await check(db, now)
    assert all(result.ok == (not result.repair) for result in results.values())
    return {name: result.sentence for name, result in results.items() if not result.ok}


@pytest.fixture
async def owner_db(store: Store) -> AsyncIterator[Database]:
    """The store as somebody opens it who connects as the owner of the tables."""
    database = Database(store.owner_url)
    yield database
    await database.close()


@pytest.fixture
async def ledger(db: Database) -> SqlLedger:
    """A ledger of four records."""
    ledger = SqlLedger(db, lambda: NOW)
    await ledger.append(entry("a"), entry("b"), entry("c"))
    return ledger


@pytest.fixture
def readable(store: Store) -> None:
    """The database file, opened to everybody."""
    Path(str(make_url(store.url).database)).chmod(0o644)


async def test_a_healthy_store_passes_every_check_empty_and_filled(db: Database) -> None:
    assert await failing(db) == {}
    await SqlLedger(db, lambda: NOW).append(entry("a"))
    results = await check(db)
    assert list(results) == [
        "schema", "triggers", "rights", "append_only", "settings", "records", "write", "clock"
    ]  # fmt: skip
    assert all(result.ok for result in results.values())


async def test_checking_leaves_nothing_behind(db: Database, ledger: SqlLedger, store: Store) -> None:
    for _ in range(2):
        await selfcheck(db)
    assert await verify(db) == (4, (await ledger.records())[-1].hash)
    with store.raw() as connection:
        assert connection.execute("SELECT count(*) FROM signal_batch").fetchone()[0] == 0


async def test_a_dropped_trigger_is_named(db: Database, ledger: SqlLedger, store: Store) -> None:
    name = "signal_block_no_delete" if store.dialect == "sqlite" else "signal_block_append_only"
    with store.raw(store.owner_url) as connection:
        connection.execute(f"DROP TRIGGER {name}" + ("" if store.dialect == "sqlite" else " ON signal_block"))
    found = await failing(db)
    assert set(found) == {"triggers"}
    assert f"{name} is missing" in found["triggers"]


async def test_a_trigger_with_another_text_is_named(db: Database, store: Store) -> None:
    with store.raw(store.owner_url) as connection:
        if store.dialect == "sqlite":
            name = "ledger_record_no_update"
            connection.execute(f"DROP TRIGGER {name}")
            connection.execute(f"CREATE TRIGGER {name} BEFORE UPDATE ON ledger_record BEGIN SELECT 1; END")
        else:
            name = "ledger_record_guard"
            connection.execute(
                "CREATE OR REPLACE FUNCTION public.countermand_chain_guard() RETURNS trigger"
                " LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$"
            )
    assert f"{name} has another text" in (await failing(db))["triggers"]


async def test_a_foreign_trigger_is_named(db: Database, store: Store) -> None:
    with store.raw(store.owner_url) as connection:
        connection.execute(
            "CREATE TRIGGER rewriter BEFORE INSERT ON ledger_record BEGIN SELECT 1; END"
            if store.dialect == "sqlite"
            else "CREATE TRIGGER rewriter BEFORE INSERT ON ledger_record FOR EACH ROW"
            " EXECUTE FUNCTION suppress_redundant_updates_trigger()"
        )
    assert "rewriter is not ours" in (await failing(db))["triggers"]


@postgresql_only
@pytest.mark.parametrize("how", ["DISABLE TRIGGER", "ENABLE TRIGGER", "ENABLE REPLICA TRIGGER"])
async def test_a_trigger_that_does_not_always_fire_is_named(how: str, db: Database, store: Store) -> None:
    with store.raw(store.owner_url) as connection:
        connection.execute(f"ALTER TABLE ledger_record {how} ledger_record_append_only")
    assert "ledger_record_append_only does not always fire" in (await failing(db))["triggers"]


async def test_the_probe_finds_out_when_nothing_refuses(owner_db: Database, ledger: SqlLedger, store: Store) -> None:
    store.without_triggers()
    found = await failing(owner_db)
    assert "A probe UPDATE and DELETE of a record was not refused" in found["append_only"]
    assert (await verify(owner_db))[0] == 4, "the probe must not have harmed anything"


@sqlite_only
async def test_a_file_that_others_can_read_is_named(db: Database, readable: None) -> None:
    assert "mode 0644" in (await failing(db))["rights"]


@postgresql_only
async def test_rights_beyond_adding_and_reading_are_named(db: Database, owner_db: Database, store: Store) -> None:
    assert "owns ledger_record" in (await failing(owner_db))["rights"]
    with store.raw(store.owner_url) as connection:
        connection.execute("GRANT UPDATE (line) ON ledger_record TO countermand_app")
    assert (await failing(db))["rights"] == (
        "The role 'countermand_app' can change history: it may UPDATE ledger_record."
    )


@postgresql_only
@pytest.mark.parametrize("setting", ["synchronous_commit"])
async def test_a_weaker_durability_of_postgresql_is_named(setting: str, db: Database, store: Store) -> None:
    name = make_url(store.url).database
    with store.raw(store.owner_url) as connection:
        connection.execute(f"ALTER DATABASE {name} SET {setting} = off")
    assert f"{setting} is off instead of on" in (await failing(db))["settings"]


@sqlite_only
async def test_a_weaker_durability_of_sqlite_is_named(db: Database) -> None:
    @event.listens_for(db.engine.sync_engine, "connect")
    def weaken(connection: Any, _record: Any) -> None:
        connection.cursor().execute("PRAGMA synchronous = NORMAL")

    assert "synchronous is 1 instead of 2" in (await failing(db))["settings"]


async def test_a_changed_record_is_named(db: Database, ledger: SqlLedger, store: Store) -> None:
    store.without_triggers("UPDATE ledger_record SET line = replace(line, 'worker', 'forger') WHERE seq = 2")
    assert "record 2" in (await failing(db))["records"]


async def test_a_database_of_another_version_is_named(db: Database, store: Store) -> None:
    with store.raw(store.owner_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert (await failing(db))["schema"] == (
        f"The database is at revision '9999', this program needs {newest_revision()!r}."
    )


async def test_a_clock_before_the_newest_record_is_named_when_it_is_far_off(db: Database, ledger: SqlLedger) -> None:
    near = (await check(db, NOW - timedelta(seconds=59)))["clock"]
    assert near.ok
    assert "0:00:59 behind" in near.sentence
    assert "before the newest record" in (await failing(db, NOW - timedelta(seconds=61)))["clock"]


async def test_an_empty_database_fails_every_check_that_needs_tables_and_raises_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "empty.db"
    path.touch(mode=0o600)
    db = Database(f"sqlite+aiosqlite:///{path}")
    found = await failing(db)
    await db.close()
    assert set(found) == {"schema", "triggers", "append_only", "records", "write", "clock"}
