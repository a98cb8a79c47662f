"""The migrations build what the tables say, and can be run again."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from adapters.append_only import TRIGGERS, trigger_digests
from adapters.database import Database
from adapters.ledger import SqlLedger
from adapters.migrate import grant, newest_revision, upgrade
from adapters.tables import Table
from tests.adapters.postgres import APPLICATION, OWNER, Postgres
from tests.adapters.storage.entries import entry
from tests.adapters.storage.stores import Store


def test_the_migrated_schema_is_the_schema_of_the_tables(store: Store) -> None:
    engine = create_engine(store.owner_url.replace("+aiosqlite", ""))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []
        assert context.get_current_revision() == newest_revision()
    engine.dispose()


async def test_every_trigger_has_the_text_that_the_self_check_expects(db: Database) -> None:
    assert await trigger_digests(db) == TRIGGERS[db.dialect], "a changed trigger needs a migration and its new digest"


async def test_upgrading_again_changes_nothing(db: Database, store: Store) -> None:
    (record,) = await SqlLedger(db).append(entry("a"))
    await asyncio.to_thread(upgrade, store.owner_url)
    assert await SqlLedger(db).find("a") == record
    assert await trigger_digests(db) == TRIGGERS[db.dialect]


def test_two_processes_that_migrate_an_empty_postgresql_at_once_end_with_one_schema(postgres: Postgres) -> None:
    name = postgres.new_database(migrated=False)

    async def both() -> None:
        await asyncio.gather(*[asyncio.to_thread(upgrade, postgres.url(name, OWNER)) for _ in range(3)])

    asyncio.run(both())


def modes(directory: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()}


async def test_a_new_sqlite_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    await asyncio.gather(*[asyncio.to_thread(upgrade, f"sqlite+aiosqlite:///{path}") for _ in range(3)])
    db = Database(f"sqlite+aiosqlite:///{path}")
    await SqlLedger(db).append(entry("a"))
    found = modes(tmp_path)
    await db.close()
    assert found == {"new.db": 0o600, "new.db-wal": 0o600, "new.db-shm": 0o600}


def test_a_migration_that_fails_leaves_no_half_schema(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second run of the first migration meets tables that exist: everything it began is taken back."""
    with store.raw(store.owner_url) as connection:
        connection.execute("DELETE FROM alembic_version")
        connection.execute("DROP TABLE outbox")
    with pytest.raises(Exception, match="already exists"):
        upgrade(store.owner_url)
    with store.raw(store.owner_url) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone()[0] == 0


def test_granting_takes_rights_away_that_the_role_should_not_have(postgres: Postgres) -> None:
    name = postgres.new_database()
    owner = postgres.url(name, OWNER)
    store = Store("postgresql", postgres.url(name), owner, owner)
    with store.raw(owner) as connection:
        connection.execute(f"GRANT UPDATE, DELETE ON ledger_record TO {APPLICATION}")
    grant(owner, APPLICATION)
    with store.raw(owner) as connection:
        row = connection.execute(
            f"SELECT has_table_privilege('{APPLICATION}', 'ledger_record', 'UPDATE'),"
            f" has_table_privilege('{APPLICATION}', 'ledger_record', 'INSERT'),"
            f" has_table_privilege('{APPLICATION}', 'alembic_version', 'UPDATE')"
        ).fetchone()
    assert row == (False, True, False)
