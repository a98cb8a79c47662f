"""A database as the tests see it: by URL for the product, and by raw driver as another tool would open it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from sqlalchemy import make_url

from adapters.tables import APPEND_ONLY

#: What the drivers raise when the database refuses a statement.
REFUSED = (sqlite3.IntegrityError, psycopg.errors.RestrictViolation, psycopg.errors.InsufficientPrivilege)


@dataclass(frozen=True)
class Store:
    """`url` is what the application uses; `owner_url` may change the schema (the same on SQLite)."""

    dialect: Literal["sqlite", "postgresql"]
    url: str
    owner_url: str
    superuser_url: str

    @contextmanager
    def raw(self, url: str | None = None) -> Iterator[Any]:
        """A driver connection in autocommit with the driver's own settings; `execute` as in DB-API."""
        target = make_url(url or self.url)
        if self.dialect == "sqlite":
            with closing(sqlite3.connect(str(target.database), isolation_level=None)) as connection:
                yield connection
        else:
            text = target.set(drivername="postgresql").render_as_string(hide_password=False)
            with psycopg.connect(text, autocommit=True) as connection:
                yield connection

    def without_triggers(self, *statements: str) -> None:
        """What somebody with full rights can do: drop the triggers of every append-only table and run statements."""
        with self.raw(self.owner_url) as connection:
            for table in APPEND_ONLY:
                if self.dialect == "sqlite":
                    for name in ("no_update", "no_delete", "guard"):
                        connection.execute(f"DROP TRIGGER IF EXISTS {table}_{name}")
                else:
                    connection.execute(f"DROP TRIGGER IF EXISTS {table}_append_only ON {table}")
                    connection.execute(f"DROP TRIGGER IF EXISTS {table}_guard ON {table}")
            for statement in statements:
                connection.execute(statement)
