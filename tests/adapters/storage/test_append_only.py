"""The enforcement facts of storage.md §4, through the ORM and through the raw drivers."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import select

from adapters.database import Database
from adapters.ledger import SqlLedger, verify
from adapters.tables import (
    APPEND_ONLY,
    AnchorTable,
    BlobTable,
    CheckpointTable,
    CosignatureTable,
    LateTable,
    LedgerTable,
    NodeTable,
)
from tests.adapters.storage.entries import NOW, entry
from tests.adapters.storage.stores import REFUSED, Store

COLUMNS = "seq, at, kind, incident_id, release_id, idem_key, line, prev, hash"
HEAD = "(SELECT max(seq) FROM ledger_record)"
NEXT = "(SELECT max(seq) + 1 FROM ledger_record)"
HEAD_HASH = f"(SELECT hash FROM ledger_record WHERE seq = {HEAD})"
OTHER_HASH = f"'{'f' * 64}'"

sqlite_only = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
postgresql_only = pytest.mark.parametrize("store", ["postgresql"], indirect=True)


def insert(
    seq: str = NEXT,
    *,
    key: str = "'new'",
    prev: str = HEAD_HASH,
    hash_: str = OTHER_HASH,
    verb: str = "INSERT",
    table: str = "ledger_record",
) -> str:
    """An insert of a record; the defaults fit the chain."""
    values = f"{seq}, '', 'x', NULL, NULL, {key}, 'forged', {prev}, {hash_}"
    return f"{verb} INTO {table} ({COLUMNS}) SELECT {values} WHERE true"


BOTH = {
    "update of a line": "UPDATE ledger_record SET line = 'forged' WHERE seq = 1",
    "update of every row": "UPDATE ledger_record SET kind = 'x'",
    "delete of a row": "DELETE FROM ledger_record WHERE seq = 1",
    "delete of everything": "DELETE FROM ledger_record",
    "a gap in seq": insert(f"{HEAD} + 2"),
    "a seq that exists": insert("1"),
    "a negative seq": insert("-1"),
    "another prev": insert(prev=OTHER_HASH),
    "the prev of an older record": insert(prev="(SELECT hash FROM ledger_record WHERE seq = 0)"),
    "an idem_key that exists": insert(key="'a'"),
    "a hash that exists": insert(hash_=HEAD_HASH),
    "upsert over a row": insert("1") + " ON CONFLICT (seq) DO UPDATE SET line = 'forged'",
    "upsert over an idem_key": insert(key="'a'") + " ON CONFLICT (idem_key) DO UPDATE SET line = 'forged'",
    "insert that ignores conflicts": insert("1") + " ON CONFLICT DO NOTHING",
}
SQLITE = {
    "replace of a row by key": insert("1", verb="INSERT OR REPLACE"),
    "replace of another row through idem_key": insert(key="'a'", verb="REPLACE"),
    "replace of another row through hash": insert(hash_=HEAD_HASH, verb="REPLACE"),
    "insert or ignore": insert("1", verb="INSERT OR IGNORE"),
    "update or replace": "UPDATE OR REPLACE ledger_record SET seq = 1 WHERE seq = 2",
    "update of the row id": "UPDATE ledger_record SET rowid = 100 WHERE seq = 1",
}
POSTGRESQL = {
    "truncate": "TRUNCATE ledger_record",
    "truncate by cascade": "TRUNCATE playbook_version CASCADE",
    "merge": "MERGE INTO ledger_record l USING (SELECT 1 AS seq) s ON l.seq = s.seq "
    "WHEN MATCHED THEN UPDATE SET line = 'forged'",
}
APPLICATION = {
    "disabling the trigger": "ALTER TABLE ledger_record DISABLE TRIGGER ALL",
    "dropping the trigger": "DROP TRIGGER ledger_record_append_only ON ledger_record",
    "replacing its function": "CREATE OR REPLACE FUNCTION public.countermand_append_only() RETURNS trigger "
    "LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
    "playing a replica": "SET session_replication_role = replica",
    "dropping the table": "DROP TABLE ledger_record",
    "becoming the owner": "SET ROLE countermand_owner",
}


@pytest.fixture
async def lines(db: Database, store: Store) -> list[str]:
    """The lines of three records: genesis, a, b."""
    await SqlLedger(db).append(entry("a"), entry("b"))
    return stored(store)


def stored(store: Store) -> list[str]:
    with store.raw() as connection:
        found = connection.execute("SELECT line FROM ledger_record ORDER BY seq")
        return [line for (line,) in found.fetchall()]


@pytest.mark.parametrize("name", BOTH)
def test_both_databases_refuse(name: str, lines: list[str], store: Store) -> None:
    for url in {store.url, store.owner_url}:
        with store.raw(url) as connection, pytest.raises(REFUSED):
            connection.execute(BOTH[name])
    assert stored(store) == lines


@sqlite_only
@pytest.mark.parametrize("name", SQLITE)
@pytest.mark.parametrize("recursive_triggers", ["OFF", "ON"])
def test_sqlite_refuses_whatever_the_settings_of_the_other_program(
    name: str, recursive_triggers: str, lines: list[str], store: Store
) -> None:
    with store.raw() as connection:
        connection.execute(f"PRAGMA recursive_triggers = {recursive_triggers}")
        with pytest.raises(REFUSED):
            connection.execute(SQLITE[name])
    assert stored(store) == lines


@postgresql_only
@pytest.mark.parametrize("name", POSTGRESQL)
def test_postgresql_refuses_application_and_owner(name: str, lines: list[str], store: Store) -> None:
    for url in (store.url, store.owner_url):
        with store.raw(url) as connection, pytest.raises(REFUSED):
            connection.execute(POSTGRESQL[name])
    assert stored(store) == lines


@postgresql_only
@pytest.mark.parametrize("name", APPLICATION)
def test_postgresql_does_not_let_the_application(name: str, store: Store) -> None:
    with store.raw() as connection, pytest.raises(REFUSED):
        connection.execute(APPLICATION[name])


@postgresql_only
def test_a_superuser_who_plays_a_replica_is_refused_too(lines: list[str], store: Store) -> None:
    with store.raw(store.superuser_url) as connection:
        connection.execute("SET session_replication_role = replica")
        for statement in (*BOTH.values(), *POSTGRESQL.values()):
            with pytest.raises(REFUSED):
                connection.execute(statement)
    assert stored(store) == lines


@postgresql_only
def test_a_temporary_table_cannot_stand_in_for_the_head(lines: list[str], store: Store) -> None:
    with store.raw() as connection:
        connection.execute("CREATE TEMPORARY TABLE ledger_record (LIKE public.ledger_record)")
        connection.execute(
            f"INSERT INTO pg_temp.ledger_record ({COLUMNS}) SELECT 99, '', '', '', '', '', '', '', {OTHER_HASH}"
        )
        with pytest.raises(REFUSED):
            connection.execute(insert("100", prev=OTHER_HASH, table="public.ledger_record"))
    assert stored(store) == lines


async def checkpointed(db: Database, blob: str) -> None:
    """A row in every table about the Ledger's head."""
    async with db.writing() as session:
        session.add(NodeTable(level=0, number=0, hash=b"h" * 32))
        session.add(CheckpointTable(tree_size=1, root="0" * 64, note="", key_id="lg-1", at=NOW))
        await session.flush()
        session.add(CosignatureTable(tree_size=1, witness="w1", line="", at=NOW))
        session.add(AnchorTable(tree_size=1, kind="folder", place="safe", blob_sha256=blob, at=NOW))


@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_no_row_of_an_append_only_table_is_changed_or_deleted(
    table: str, db: Database, store: Store, sealed_release: str
) -> None:
    key = {
        "ledger_record": "seq",
        "evidence_blob": "sha256",
        "playbook_version": "digest",
        "signal_block": "seq",
        "signal_block_late": "seq",
        "merkle_node": "hash",
        "ledger_checkpoint": "root",
        "ledger_cosignature": "line",
        "ledger_anchor": "at",
    }
    ledger = SqlLedger(db)
    async with db.writing() as session:
        session.add(LateTable(release_id=sealed_release, seq=0, closed_after=60, row="{}", digest="sha256:0"))
    await ledger.append(entry("a"))
    blob = await ledger.put_blob(b"seen", "text/plain")
    await checkpointed(db, blob)
    column = key[table]
    for url in {store.url, store.owner_url}:
        with store.raw(url) as connection:
            before = connection.execute(f"SELECT * FROM {table}").fetchall()
            assert before, f"{table} must have a row, else nothing is tried"
            for statement in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):
                with pytest.raises(REFUSED):
                    connection.execute(statement)
            if store.dialect == "sqlite":
                with pytest.raises(REFUSED):
                    connection.execute(f"REPLACE INTO {table} SELECT * FROM {table}")
            assert connection.execute(f"SELECT * FROM {table}").fetchall() == before


async def test_the_orm_cannot_change_or_delete_a_record(db: Database, lines: list[str], store: Store) -> None:
    async def change() -> None:
        async with db.writing() as session:
            record = await session.get_one(LedgerTable, 1)
            record.line = "forged"

    async def delete() -> None:
        async with db.writing() as session:
            await session.delete(await session.get_one(LedgerTable, 1))

    for attempt in (change, delete):
        with pytest.raises(DBAPIError):
            await attempt()
    assert stored(store) == lines


async def test_the_orm_cannot_replace_a_blob(db: Database) -> None:
    async def replace() -> None:
        async with db.writing() as session:
            session.add(BlobTable(sha256=sha256, media_type="text/html", size=1, content=b"x"))

    sha256 = await SqlLedger(db).put_blob(b"seen", "text/plain")
    with pytest.raises(IntegrityError):
        await replace()
    async with db.reading() as session:
        assert (await session.exec(select(BlobTable.content))).all() == [b"seen"]


async def test_a_record_that_fits_the_chain_passes_the_guard_but_not_the_verification(
    db: Database, lines: list[str], store: Store
) -> None:
    with store.raw() as connection:
        connection.execute(insert())
    with pytest.raises(ValueError, match="record 3"):
        await verify(db)
