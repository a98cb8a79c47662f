"""How the suite is divided between processes."""

from __future__ import annotations

from pathlib import Path

import pytest

_STACKS = Path(__file__).parent / "end_to_end"


def pytest_itemcollected(item: pytest.Item) -> None:
    """A file runs in one process, which makes its servers once. Whole stacks listen on the same ports: all in one."""
    group = "stacks" if item.path.is_relative_to(_STACKS) else str(item.path)
    item.add_marker(pytest.mark.xdist_group(group))
