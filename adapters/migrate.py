"""Bringing a database to the newest schema, and giving the application its rights.

The embedded start calls `upgrade`; in production a person runs it as the owner of the tables, and the
application connects as another role that `grant` gave its rights to (storage.md §4, STO-18).
"""

from __future__ import annotations

import os
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Engine, create_engine, make_url, text

from adapters.database import prepare_sqlite
from adapters.tables import APPEND_ONLY, Table

_MIGRATIONS = Path(__file__).parent.parent / "migrations"
# Any fixed number: two processes that start at once migrate one after the other.
_LOCK = 0x636D_0001


def upgrade(url: str) -> None:
    """Create or upgrade the schema in one transaction; nothing happens when it is the newest.

    Synchronous: call it before the event loop starts, or in a thread. A new SQLite file is readable by its
    owner only.
    """
    engine = _engine(make_url(url))
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def grant(url: str, role: str) -> None:
    """PostgreSQL, as the owner: `role` may read everything, add to the append-only tables, change the others.

    Repeatable; rights that the role had before and should not have are taken away.
    """
    engine = _engine(make_url(url))
    quoted = engine.dialect.identifier_preparer.quote(role)
    operational = [name for name in Table.metadata.tables if name not in APPEND_ONLY]
    try:
        with engine.begin() as connection:
            for statement in (
                f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {quoted}",
                f"GRANT USAGE ON SCHEMA public TO {quoted}",
                f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {quoted}",
                f"GRANT INSERT ON {', '.join(APPEND_ONLY)} TO {quoted}",
                f"GRANT INSERT, UPDATE, DELETE ON {', '.join(operational)} TO {quoted}",
            ):
                connection.execute(text(statement))
    finally:
        engine.dispose()


def newest_revision() -> str:
    """The revision this code was written for."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        raise FileNotFoundError(f"no migrations in {_MIGRATIONS}")
    return revision


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        return create_engine(url)
    if url.database:
        os.close(os.open(url.database, os.O_CREAT | os.O_RDWR, 0o600))
    engine = create_engine(url.set(drivername="sqlite"))
    prepare_sqlite(engine)
    return engine
