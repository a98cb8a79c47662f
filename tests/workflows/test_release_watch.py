"""The watch: quiet while all is well, one incident per release however often it fires, over when the release is."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio.client import WorkflowHandle

from countermand import ids
from countermand.detection.models import Arm
from countermand.ledger.record import Kind
from tests import fakes
from tests.waiting import until
from tests.workflows.conftest import World
from workflows.release_watch import ReleaseWatch, WatchInput


async def start_watch(world: World, *, since: timedelta = timedelta(seconds=600)) -> WorkflowHandle[ReleaseWatch, str]:
    release = world.release
    return await world.env.client.start_workflow(
        ReleaseWatch.run,
        WatchInput(
            release_id=release.release_id,
            environment=release.environment,
            service=release.service,
            playbook_digest=release.playbook_digest,
            started_at=fakes.now() - since,
        ),
        id=ids.watch_workflow(release.environment, release.release_id),
        task_queue=world.queue,
    )


async def test_a_bad_candidate_opens_one_incident_with_its_evidence(world: World) -> None:
    world.signals.bad[Arm.candidate] = 40
    async with world.worker():
        await start_watch(world)
        view = await world.reaches("asking")
        await world.catalogue.close_release(world.release.release_id, fakes.now(), "the test is over")
    assert view.opened.trigger == "truth"
    assert view.opened.opened_by == "automation"
    assert view.verdict is not None
    assert view.verdict.word == "trigger"
    assert "hallucinations" in view.verdict.sentence
    assert world.ledger.kinds()[Kind.incident_opened.value] == 1


async def test_a_good_candidate_is_watched_in_silence_until_the_release_is_closed(world: World) -> None:
    async with world.worker():
        handle = await start_watch(world)

        async def enough() -> bool:
            return len(world.signals.evaluations) >= 100

        await until(enough, "100 blocks judged")
        await world.catalogue.close_release(world.release.release_id, fakes.now(), "promoted")
        assert await asyncio.wait_for(handle.result(), 20) == "promoted"
    words = [body["word"] for body in world.ledger.bodies(Kind.verdict)]
    assert "trigger" not in words
    assert world.ledger.kinds()[Kind.incident_opened.value] == 0


async def test_missing_data_is_reported_as_unknown_and_never_as_ok(world: World) -> None:
    world.signals.flowing = False
    async with world.worker():
        await start_watch(world)

        async def said() -> list[object] | None:
            return [body["word"] for body in world.ledger.bodies(Kind.verdict)] or None

        words = await until(said, "a verdict")
        await world.catalogue.close_release(world.release.release_id, fakes.now(), "the test is over")
    assert set(words) == {"unknown"}


async def test_a_new_worker_goes_on_from_the_sealed_blocks(world: World) -> None:
    async with world.worker():
        await start_watch(world)

        async def some_rows() -> bool:
            return len(world.signals.sealed) >= 20

        await until(some_rows, "20 blocks sealed")
    sealed = len(world.signals.sealed)
    world.signals.bad[Arm.candidate] = 40
    async with world.worker():
        view = await world.reaches("asking")
        await world.catalogue.close_release(world.release.release_id, fakes.now(), "the test is over")
    assert len(world.signals.sealed) > sealed
    assert view.verdict is not None
    assert view.verdict.row >= sealed
