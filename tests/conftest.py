"""How the suite is divided among processes: by file, and everything that starts whole stacks in one."""

from __future__ import annotations

from pathlib import Path

import pytest

_STACKS = Path(__file__).parent / "end_to_end"


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stacks pick their ports and time limits for a machine of their own; the others only share fixtures by file."""
    for item in items:
        group = "stacks" if _STACKS in item.path.parents else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
