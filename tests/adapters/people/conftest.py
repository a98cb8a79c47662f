"""A database of its own for each test, a clock that stands still, and a governance file."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.database import Database
from adapters.directory_file import FileDirectory
from adapters.migrate import upgrade
from tests import cases


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'people.db'}"
    upgrade(url)
    made = Database(url)
    yield made
    await made.close()


@pytest.fixture
def governance(tmp_path: Path) -> Callable[..., FileDirectory]:
    """`governance(sources={…})`: the small world's file, without the roles that the sources give."""

    def write(**changes: Any) -> FileDirectory:
        document = cases.governance().model_dump(mode="json", by_alias=True) | changes
        for person in document["people"]:
            person["roles"] = [role for role in person["roles"] if role not in document["sources"]]
        path = tmp_path / "governance.yaml"
        path.write_text(json.dumps(document))
        return FileDirectory(path)

    return write
