"""Every test of this folder that asks for `harness` runs against every Target that has one.

A new Target is one entry here. What a target cannot express, and which program was not there, stands in the closing
summary by name; neither counts as passed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import pytest

from activities.ports import Target
from tests.adapters.targets.embedded import EmbeddedHarness
from tests.adapters.targets.envoy import EnvoyHarness
from tests.adapters.targets.flagd import FlagdHarness
from tests.adapters.targets.haproxy import HaproxyHarness
from tests.adapters.targets.harness import NEEDS, Harness, asked_for
from tests.adapters.targets.kubernetes import HttpRouteHarness
from tests.adapters.targets.mlflow import MlflowHarness
from tests.adapters.targets.unleash import UnleashHarness

#: Systems that are only run when `COUNTERMAND_TEST_TARGETS` names them, because they are large.
OPT_IN: tuple[type[Harness], ...] = (UnleashHarness, HttpRouteHarness)
HARNESSES: tuple[type[Harness], ...] = (
    EmbeddedHarness,
    HaproxyHarness,
    EnvoyHarness,
    FlagdHarness,
    MlflowHarness,
    *(harness for harness in OPT_IN if asked_for(harness.name)),
)
_HERE = "tests/adapters/targets/"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*what): what a harness has to be able to express for this test")


@pytest.fixture(scope="session", params=HARNESSES, ids=lambda harness: harness.name)
async def system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Harness]:
    missing = request.param.missing()
    if missing is not None:
        pytest.skip(f"not run: {missing}")
    harness: Harness = request.param()
    assert set(harness.lacks) <= set(NEEDS)
    await harness.start(tmp_path_factory.mktemp(harness.name))
    yield harness
    await harness.stop()


@pytest.fixture
async def harness(system: Harness, request: pytest.FixtureRequest) -> Harness:
    """The running system at the share where tests begin, set by another hand, without faults."""
    for marker in request.node.iter_markers("needs"):
        for need in marker.args:
            assert need in NEEDS, f"{need!r} is not one of {sorted(NEEDS)}"
            if need in system.lacks:
                pytest.skip(f"not expressible: {need}: {system.lacks[need]}")
    await system.seed(system.shares.edited)
    await system.seed(system.shares.start)
    return system


@pytest.fixture
def target(harness: Harness) -> Target:
    return harness.target()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line per target: what ran with which version, what cannot be expressed, what was not run."""
    tally: dict[str, Counter[str]] = {harness.name: Counter() for harness in HARNESSES}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            place, _, parameters = report.nodeid.partition("[")
            for name in set(parameters.rstrip("]").split("-")) & set(tally) if place.startswith(_HERE) else ():
                tally[name][_word(outcome, report)] += 1
    if any(tally.values()):
        terminalreporter.section("conformance of targets", sep="-")
    for harness in HARNESSES:
        if tally[harness.name]:
            words = ", ".join(f"{count} {word}" for word, count in tally[harness.name].items())
            missing = harness.missing()
            terminalreporter.line(
                f"{harness.name} {harness.version() if missing is None else ''}".strip() + f": {words}"
            )
    for harness in OPT_IN if any(tally.values()) else ():
        if harness not in HARNESSES:
            terminalreporter.line(f"{harness.name}: not run (make test-{harness.name})")


def _word(outcome: str, report: pytest.TestReport) -> str:
    if outcome != "skipped" or not isinstance(report.longrepr, tuple):
        return outcome
    reason = report.longrepr[2].removeprefix("Skipped: ")
    return "not expressible" if reason.startswith("not expressible") else reason
