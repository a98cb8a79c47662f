"""Committed histories replay on today's code: a running rollback can finish after an upgrade (F14)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from runtime import WORKFLOWS, plugin

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*/*.json"))


def load(path: Path, *, instead: tuple[str, str] = ("", "")) -> WorkflowHistory:
    recorded = json.loads(path.read_text().replace(*instead) if instead[0] else path.read_text())
    return WorkflowHistory.from_json(recorded["workflow_id"], recorded["history"])


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
async def test_history_replays(path: Path) -> None:
    await Replayer(workflows=WORKFLOWS, plugins=[plugin()]).replay_workflow(load(path))


async def test_the_replayer_goes_red_when_a_step_is_missing() -> None:
    """Without this, a replay test that checks nothing would look green."""
    path = next(path for path in HISTORIES if path.stem == "incident")
    instead = ('"name":"freeze"', '"name":"thaw"')
    assert instead[0] in path.read_text()
    with pytest.raises(NondeterminismError):
        await Replayer(workflows=WORKFLOWS, plugins=[plugin()]).replay_workflow(load(path, instead=instead))


def test_no_history_holds_the_trace_of_a_failed_activity() -> None:
    """A trace names the machine that recorded it, and a situation that is meant to go well went wrong on the way."""
    assert HISTORIES
    assert [file.name for file in HISTORIES if '"stackTrace":"  File' in file.read_text()] == []
