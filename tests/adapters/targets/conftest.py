"""Every test of this folder runs against every Target that has a harness. A new Target is one entry here."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from activities.ports import Target
from tests.adapters.targets.embedded import EmbeddedHarness
from tests.adapters.targets.harness import Harness

HARNESSES = (EmbeddedHarness,)


@pytest.fixture(scope="session", params=HARNESSES, ids=lambda harness: harness.name)
async def system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Harness]:
    harness: Harness = request.param()
    await harness.start(tmp_path_factory.mktemp(harness.name))
    yield harness
    await harness.stop()


@pytest.fixture
async def harness(system: Harness) -> Harness:
    """The running system at 50 %, set by another hand, without faults."""
    await system.seed(6_000)
    await system.seed(5_000)
    return system


@pytest.fixture
def target(harness: Harness) -> Target:
    return harness.target()
