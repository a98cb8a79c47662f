"""What the tests of sources share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.adapters.sources.servers import Stub


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with Stub() as server:
        yield server
