"""Committed histories replay on today's code: a running rollback can finish after an upgrade (F14)."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from runtime import WORKFLOWS, plugin
from tests.payloads import codec
from tests.replay.orders import steps, workflow_of
from tests.replay.situations import beside, doubts, duties, fairness, learning, reverts, rollouts

FOLDER = Path(__file__).parent / "histories"
HISTORIES = sorted(FOLDER.glob("*/*.json"))
BY_NAME = {workflow.__name__: workflow for workflow in WORKFLOWS}


def load(path: Path) -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads(path.read_text())
    return recorded


async def replay(recorded: dict[str, Any], **how: Any) -> None:
    workflow = BY_NAME[workflow_of(recorded["history"])]
    history = WorkflowHistory.from_json(recorded["workflow_id"], recorded["history"])
    await Replayer(workflows=[workflow], **how).replay_workflow(history)


async def goes_red(recorded: dict[str, Any]) -> None:
    """Outside the sandbox, which takes ten times as long and has no say in the order of steps."""
    with pytest.raises(NondeterminismError):
        await replay(recorded, data_converter=pydantic_data_converter, workflow_runner=UnsandboxedWorkflowRunner())


def first_of_each_step() -> dict[tuple[str, str], tuple[Path, int]]:
    """By workflow and step: a history in which that workflow takes it, and where it does for the first time."""
    found: dict[tuple[str, str], tuple[Path, int]] = {}
    for path in HISTORIES:
        history = load(path)["history"]
        for index, (_, kind) in enumerate(steps(history)):
            found.setdefault((workflow_of(history), kind["name"]), (path, index))
    return found


STEPS = first_of_each_step()


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
async def test_history_replays(path: Path) -> None:
    await replay(load(path), plugins=[plugin(codec())])


@pytest.mark.parametrize("step", STEPS, ids="-".join)
async def test_the_replayer_goes_red_when_a_workflow_takes_another_step(step: tuple[str, str]) -> None:
    """Without this, a replay test that checks nothing would look green. Each step of each workflow is changed once."""
    path, index = STEPS[step]
    recorded = load(path)
    _, kind = list(steps(recorded["history"]))[index]
    kind["name"] = "another_step"
    await goes_red(recorded)


@pytest.mark.parametrize("workflow", BY_NAME)
async def test_the_replayer_goes_red_when_two_steps_change_places(workflow: str) -> None:
    """The first two neighbours that differ. A workflow with one kind of step only has no order to change."""
    for path in HISTORIES:
        recorded = load(path)
        if workflow_of(recorded["history"]) == workflow:
            taken = [kind for _, kind in steps(recorded["history"])]
            for one, next_ in pairwise(taken):
                if one["name"] != next_["name"]:
                    one["name"], next_["name"] = next_["name"], one["name"]
                    await goes_red(recorded)
                    return
    assert len({step for name, step in STEPS if name == workflow}) == 1


def test_every_workflow_and_every_situation_is_in_the_corpus() -> None:
    assert {workflow for workflow, _ in STEPS} == set(BY_NAME)
    rooms = (reverts, doubts, fairness, beside, duties, learning, rollouts)
    told = {situation.__name__ for room in rooms for situation in room.SITUATIONS}
    assert {path.parent.name for path in HISTORIES} == told


def test_no_history_holds_the_trace_of_a_failed_activity() -> None:
    """A trace names the machine that recorded it, and a situation that is meant to go well went wrong on the way."""
    assert [file.name for file in HISTORIES if '"stackTrace":"  File' in file.read_text()] == []
