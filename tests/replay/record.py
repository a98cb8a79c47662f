"""Record the committed histories anew: `make histories`. Run it when a workflow is changed on purpose, and read
docs/adr/0003-replay-corpus.md first: running rollbacks must be able to finish on the new code.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from countermand import ids
from countermand.detection.models import Arm
from countermand.governance.decision import DecisionKind
from tests import cases, standing
from tests.waiting import until
from tests.workflows.conftest import World, start_environment
from tests.workflows.test_gates import asked_in_slack, authorise, nobody_decides
from tests.workflows.test_gates import serious_world as serious
from tests.workflows.test_release_watch import start_watch
from tests.workflows.test_staged_revert import soaking, with_soak

HISTORIES = Path(__file__).parent / "histories"


async def approved(world: World) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await handle.result()
        await world.decide(DecisionKind.sign_review, cases.MARIA)


async def rejected(world: World) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        await world.decide(DecisionKind.reject, cases.MARIA, reason="looked at ten samples, the judge is wrong")
        await handle.result()


async def expired_into_hold(world: World) -> None:
    async with world.worker():
        handle = await world.open_incident()
        view = await world.reaches("asking")
        assert view.ask is not None
        approval = world.env.client.get_workflow_handle(view.ask.opened.workflow_id)
        await world.env.fast_forward(approval, 31 * 60)
        await world.reaches("held")
        await world.decide(DecisionKind.abort, cases.JONAS, reason="nobody is here, closing for now")
        await handle.result()


async def aborted_mid_stage(world: World) -> None:
    await _soaking_slowly(world)
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await soaking(world, 1)
        await world.decide(DecisionKind.abort, cases.JONAS, reason="the judge was wrong, stopping here")
        await handle.result()


async def held_then_reversed(world: World) -> None:
    await _soaking_slowly(world)
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await soaking(world, 1)
        await world.decide(DecisionKind.hold, cases.JONAS, reason="wait for the support team")

        async def held() -> bool:
            stage = (await world.view()).stage(1)
            return stage is not None and stage.state == "held"

        await until(held, "stage 1 is held")
        await world.decide(DecisionKind.reverse, cases.JONAS, reason="support says the baseline is worse")
        await handle.result()


async def worker_killed_mid_stage(world: World) -> None:
    world.target.gate = asyncio.Event()
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()

        async def written() -> bool:
            return bool(world.target.effects)

        await until(written, "the first effect")
    world.target.gate = None
    async with world.worker():
        await handle.result()


async def seen_by_the_watch(world: World) -> None:
    world.signals.bad[Arm.candidate] = 40
    async with world.worker():
        await start_watch(world)
        await world.approve_by_two()
        await world.env.client.get_workflow_handle(world.workflow_id).result()
        watch = ids.watch_workflow(world.release.environment, world.release.release_id)
        await world.env.client.get_workflow_handle(watch).result()


async def automatic(world: World) -> None:
    serious(world, standing.serious_playbook())
    await authorise(world)
    async with world.worker():
        handle = await world.open_incident()
        await handle.result()


async def proceeded_at_the_time_limit(world: World) -> None:
    serious(world, standing.proceeding(standing.serious_playbook()))
    async with world.worker():
        handle = await world.open_incident()
        view = await world.reaches("asking")
        assert view.ask is not None
        await authorise(world)
        await asked_in_slack(world, view.ask.opened.ask_id)
        await nobody_decides(world, world.env, 31)
        await handle.result()


async def _soaking_slowly(world: World) -> None:
    world.playbook = with_soak("60s")
    world.catalogue.the_playbook = world.playbook


SITUATIONS: list[Callable[[World], Awaitable[None]]] = [
    approved,
    rejected,
    expired_into_hold,
    aborted_mid_stage,
    held_then_reversed,
    worker_killed_mid_stage,
    seen_by_the_watch,
    automatic,
    proceeded_at_the_time_limit,
]


async def record(env: WorkflowEnvironment) -> None:
    """Play every situation and keep the history of each workflow that took part."""
    for situation in SITUATIONS:
        world = World(env, cases.playbook())
        await situation(world)
        folder = HISTORIES / situation.__name__
        folder.mkdir(parents=True, exist_ok=True)
        me = world.workflow_id
        names = {
            "incident": me,
            "approval": ids.approval_workflow(me, 1),
            "revert": ids.revert_workflow(me, 1),
            "review": ids.review_workflow(world.incident_id),
            "watch": ids.watch_workflow(world.release.environment, world.release.release_id),
        }
        async for execution in env.client.list_workflows(f"TaskQueue = '{world.queue}'"):
            for name, workflow_id in names.items():
                if execution.id == workflow_id:
                    history = await env.client.get_workflow_handle(workflow_id).fetch_history()
                    recorded = {"workflow_id": workflow_id, "history": history.to_json_dict()}
                    (folder / f"{name}.json").write_text(_without_host(recorded))
                    print(f"{situation.__name__}/{name}: {len(history.events)} events")


def _without_host(recorded: dict[str, object]) -> str:
    """Compact JSON with the recording machine's name and process numbers left out.

    Raises ValueError for a history with a stack trace: an activity failed that should not, and its paths are ours.
    """
    text = json.dumps(recorded, separators=(",", ":"), sort_keys=True)
    if (at := text.find('"stackTrace":"  File')) >= 0:
        raise ValueError(f"{recorded['workflow_id']!r} holds the trace of a failed activity: {text[at - 200 : at]!r}")
    return re.sub(r"\d+@[A-Za-z0-9._-]+", "worker", text) + "\n"


async def main() -> None:
    async with start_environment() as env:
        await record(env)


if __name__ == "__main__":
    asyncio.run(main())
    sys.stdout.flush()
    os._exit(0)  # a short-lived process that used a Temporal client may crash while Python shuts down
