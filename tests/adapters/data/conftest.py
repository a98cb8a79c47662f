"""A database with notes of two versions, once in SQLite and once in PostgreSQL, and a source that may only read it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from adapters.data_settings import SqlSettings
from adapters.data_sql import SqlDataSource
from tests import fakes
from tests.adapters.postgres import OWNER, Postgres, installed

SCHEMA = "create table notes (id integer primary key, version text not null, answer text, worth numeric, at timestamp)"
NOTES = (
    "insert into notes values (1, 'sha256:bad', 'the fee is nil', 1.5, '2026-01-02 03:04:05'), "
    "(2, 'sha256:good', null, null, null), (3, 'sha256:good', 'the fee is 3 EUR', 2, null)"
)


@dataclass
class Notes:
    """`write` changes the data as its owner; `source` is what checks get."""

    url: str
    url_file: Path
    write: Callable[[str], object]
    ledger: fakes.FakeLedger = field(default_factory=fakes.FakeLedger)

    def source(self, **settings: object) -> SqlDataSource:
        given = {"time_limit": "20s", "url_file": self.url_file, "kind": "sql"} | settings
        return SqlDataSource(SqlSettings.model_validate(given), self.ledger.put_blob)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    programs = installed()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed (Debian: apt install postgresql)")
    server = Postgres(programs)
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def notes(request: pytest.FixtureRequest, tmp_path: Path) -> Notes:
    """Three rows. On PostgreSQL the source connects as their owner: only its transaction keeps it from writing."""
    url_file = tmp_path / "notes.url"
    if request.param == "sqlite":
        path = tmp_path / "notes.db"
        made = Notes(f"sqlite+aiosqlite:///{path}", url_file, lambda statement: _sqlite(path, statement))
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.url(server.new_database(migrated=False), OWNER)
        made = Notes(url, url_file, lambda statement: _postgresql(url, statement))
    url_file.write_text(f"{made.url}\n")
    made.write(SCHEMA)
    made.write(NOTES)
    return made


def _sqlite(path: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        with connection:
            return connection.execute(statement).fetchall()
    finally:
        connection.close()


def _postgresql(url: str, statement: str) -> list[tuple[object, ...]]:
    engine = create_engine(url)
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        rows = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return rows
