"""Record the committed histories anew: `make histories`. Run it when a workflow is changed on purpose, and read
docs/adr/0003-replay-corpus.md first: running rollbacks must be able to finish on the new code.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment

from tests import cases
from tests import rollouts as roads
from tests.payloads import Plain
from tests.replay.orders import kinds, steps
from tests.replay.situations import beside, doubts, duties, fairness, learning, reverts, rollouts
from tests.workflows.conftest import World, start_environment
from tests.workflows.test_release_rollout import Road

HISTORIES = Path(__file__).parent / "histories"

#: They run beside others and mostly do the same.
COMPANIONS = ("AdoptPlaybook", "AskCards", "Consent", "GuardWatch", "Messages", "Obligations", "Review")
#: Seconds; a situation that takes longer hangs.
LONGEST = 120

W = TypeVar("W", bound=World)


async def record(env: WorkflowEnvironment) -> None:
    """Play every situation and keep the histories of the workflows that took part; those from before are deleted."""
    shutil.rmtree(HISTORIES, ignore_errors=True)
    known: set[frozenset[str]] = set()
    for room in (reverts, doubts, fairness, beside, duties, learning):
        for story in room.SITUATIONS:
            await _play(story, World(env, cases.playbook()), known)
    for ride in rollouts.SITUATIONS:
        await _play(ride, Road(env, roads.playbook()), known)


async def _play(situation: Callable[[W], Awaitable[None]], world: W, known: set[frozenset[str]]) -> None:
    """Play one. Of companions no history is kept that does nothing which the `known` ones have not done."""
    await asyncio.wait_for(situation(world), LONGEST)
    folder = HISTORIES / situation.__name__
    folder.mkdir(parents=True)
    client = world.env.client
    found = [one async for one in client.list_workflows(f"TaskQueue = '{world.queue}'")]
    found.sort(key=lambda one: one.start_time)
    handles = [client.get_workflow_handle(one.id, run_id=one.run_id) for one in found]
    histories = [(await handle.fetch_history()).to_json_dict() for handle in handles]
    names: Counter[str] = Counter()
    for one, history in zip(found, histories, strict=True):
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", one.workflow_type).lower()
        names[name] += 1
        does = kinds(history) | {name}
        if one.workflow_type not in COMPANIONS or does not in known:
            known.add(does)
            file = folder / (f"{name}.json" if names[name] == 1 else f"{name}_{names[name]}.json")
            file.write_text(_lean({"workflow_id": one.id, "history": history}))
            print(f"{situation.__name__}/{file.stem}: {len(history['events'])} events")
    for one, handle in reversed(list(zip(found, handles, strict=True))):  # children first: they would end with parents
        if one.status is WorkflowExecutionStatus.RUNNING:
            await handle.terminate("recorded")


def _lean(recorded: dict[str, Any]) -> str:
    """Compact JSON without what the replayer never looks at (the input of steps, the recording machine's name and
    process numbers).

    Raises ValueError for a history with a stack trace: an activity failed that should not, and its paths are ours.
    """
    for step, _ in steps(recorded["history"]):
        step.pop("input", None)
    text = json.dumps(recorded, separators=(",", ":"), sort_keys=True)
    if (at := text.find('"stackTrace":"  File')) >= 0:
        raise ValueError(f"{recorded['workflow_id']!r} holds the trace of a failed activity: {text[at - 200 : at]!r}")
    return re.sub(r"\d+@[A-Za-z0-9._-]+", "worker", text) + "\n"


async def main() -> None:
    async with start_environment(Plain()) as env:
        await record(env)


if __name__ == "__main__":
    asyncio.run(main())
    sys.stdout.flush()
    os._exit(0)  # a short-lived process that used a Temporal client may crash while Python shuts down
