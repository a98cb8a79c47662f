"""Every test of this folder runs on SQLite and on PostgreSQL, each time with a database of its own."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from adapters.database import Database
from adapters.migrate import upgrade
from adapters.signals import SqlSignals
from countermand.plan.model import Release
from tests.adapters.postgres import OWNER, SUPERUSER, Postgres, installed
from tests.adapters.storage.heads import Desk
from tests.adapters.storage.releases import BLOCK, START, registered, signals
from tests.adapters.storage.stores import Store


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for the session."""
    programs = installed()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed (Debian: apt install postgresql)")
    server = Postgres(programs)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    upgrade(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A migrated, empty database."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "store.db")
        return Store("sqlite", *[f"sqlite+aiosqlite:///{path}"] * 3)
    server: Postgres = request.getfixturevalue("postgres")
    name = server.new_database()
    return Store("postgresql", server.url(name), server.url(name, OWNER), server.url(name, SUPERUSER))


@pytest.fixture
async def db(store: Store) -> AsyncIterator[Database]:
    """The store as the application opens it."""
    database = Database(store.url)
    yield database
    await database.close()


@pytest.fixture
async def desk(db: Database, tmp_path: Path) -> Desk:
    """A Ledger with a recorded key."""
    made = Desk(db, tmp_path)
    await made.begin()
    return made


@pytest.fixture
async def release(db: Database) -> Release:
    """A registered release whose playbook defines the signals `failures` and `refusals`."""
    return await registered(db, "rel-1")


@pytest.fixture
async def sealed_release(db: Database, release: Release) -> str:
    """The id of a release with one sealed row."""
    await SqlSignals(db).seal(release.release_id, signals=signals(), start=START, block=BLOCK, until=START + BLOCK)
    return release.release_id
