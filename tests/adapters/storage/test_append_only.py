"""The enforcement facts of storage.md §4, through the ORM and through the raw drivers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from adapters.database import Database
from adapters.ledger import SqlLedger, verify
from adapters.tables import APPEND_ONLY, LedgerTable
from tests.adapters.storage.entries import entry
from tests.adapters.storage.stores import REFUSED, Store

COLUMNS = "seq, at, kind, incident_id, release_id, idem_key, line, prev, hash"
HEAD = "(SELECT max(seq) FROM ledger_record)"
HEAD_HASH = f"(SELECT hash FROM ledger_record WHERE seq = {HEAD})"
NEXT = f"(SELECT max(seq) + 1 FROM ledger_record)"
OTHER = "'" + "f" * 64 + "'"


def insert(
    seq: str = NEXT, *, key: str = "'new'", prev: str = HEAD_HASH, hash_: str = OTHER, verb: str = "INSERT"
) -> str:
    """An insert of a record; the defaults fit the chain."""
    return f"{verb} INTO ledger_record ({COLUMNS}) SELECT {seq}, '', 'x', NULL, NULL, {key}, 'forged', {prev}, {hash_}"


BOTH = {
    "update of a line": "UPDATE ledger_record SET line = 'forged' WHERE seq = 1",
    "update of every row": "UPDATE ledger_record SET actor_is_gone = 1".replace("actor_is_gone = 1", "kind = 'x'"),
    "delete of a row": "DELETE FROM ledger_record WHERE seq = 1",
    "delete of everything": "DELETE FROM ledger_record",
    "a gap in seq": insert(f"{HEAD} + 2"),
    "a seq that exists": insert("1"),
    "a negative seq": insert("-1"),
    "another prev": insert(prev=OTHER),
    "the prev of an older record": insert(prev="(SELECT hash FROM ledger_record WHERE seq = 0)"),
    "an idem_key that exists": insert(key="'a'"),
    "a hash that exists": insert(hash_=HEAD_HASH),
    "upsert over a row": insert("1") + " WHERE true ON CONFLICT (seq) DO UPDATE SET line = 'forged'",
    "upsert over an idem_key": insert(key="'a'")
    + " WHERE true ON CONFLICT (idem_key) DO UPDATE SET line = 'forged'",
    "insert that ignores conflicts": insert("1") + " WHERE true ON CONFLICT DO NOTHING",
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
    "merge": "MERGE INTO ledger_record l USING (SELECT 1 AS seq) s ON l.seq = s.seq "
    "WHEN MATCHED THEN UPDATE SET line = 'forged'",
    "cascade": "TRUNCATE evidence_blob CASCADE",
}
APPLICATION = {
    "disabling the trigger": "ALTER TABLE ledger_record DISABLE TRIGGER ALL",
    "dropping the trigger": "DROP TRIGGER ledger_record_append_only ON ledger_record",
    "replacing the function": "CREATE OR REPLACE FUNCTION public.countermand_append_only() RETURNS trigger "
    "LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
    "playing a replica": "SET session_replication_role = replica",
    "dropping the table": "DROP TABLE ledger_record",
    "granting itself rights": "SET ROLE countermand_owner",
}


@pytest.fixture
async def lines(db: Database, store: Store) -> list[str]:
    """Three records: genesis, a, b."""
    await SqlLedger(db).append(entry("a"), entry("b"))
    return stored(store)


def stored(store: Store) -> list[str]:
    with store.raw() as connection:
        return [line for (line,) in connection.execute("SELECT line FROM ledger_record ORDER BY seq").fetchall()]


@pytest.mark.parametrize("name", BOTH)
def test_the_database_refuses(name: str, lines: list[str], store: Store) -> None:
    for url in {store.url, store.owner_url}:
        with store.raw(url) as connection, pytest.raises(REFUSED):
            connection.execute(BOTH[name])
    assert stored(store) == lines


@pytest.mark.parametrize("name", SQLITE)
def test_sqlite_refuses_even_with_the_settings_of_another_program(
    name: str, lines: list[str], store: Store
) -> None:
    if store.dialect != "sqlite":
        return
    for recursive in ("OFF", "ON"):
        with store.raw() as connection:
            connection.execute(f"PRAGMA recursive_triggers = {recursive}")
            with pytest.raises(REFUSED):
                connection.execute(SQLITE[name])
    assert stored(store) == lines
