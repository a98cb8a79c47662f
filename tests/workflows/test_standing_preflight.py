"""The way back of a release is looked at before anybody needs it, every hour, until the release is closed (TGT-18)."""

from __future__ import annotations

from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from countermand import ids
from countermand.ledger.record import Kind
from tests import fakes
from tests.waiting import until
from tests.workflows.conftest import World
from workflows.standing_preflight import PreflightInput, StandingPreflight


async def start(world: World) -> WorkflowHandle[Any, Any]:
    release = world.release
    return await world.env.client.start_workflow(
        StandingPreflight.run,
        PreflightInput(release_id=release.release_id),
        id=ids.preflight_workflow(release.environment, release.release_id),
        task_queue=world.queue,
    )


async def looks(world: World, count: int) -> list[dict[str, object]]:
    async def there() -> list[dict[str, object]] | None:
        found = world.ledger.bodies(Kind.destination_checked)
        return found if len(found) >= count else None

    return await until(there, f"{count} looks at the way back")


async def test_tgt_18_it_is_looked_at_once_at_registration_and_then_every_hour_until_the_release_is_closed(
    world: World, environment: WorkflowEnvironment
) -> None:
    async with world.worker():
        handle = await start(world)
        (first,) = await looks(world, 1)
        assert (first["ready"], "test-bot v6" in str(first["sentence"])) == (True, True)
        world.target.healthy = False
        await environment.fast_forward(handle, 3_601)
        second = (await looks(world, 2))[1]
        assert (second["ready"], second["sentence"]) == (False, "baseline does not answer")
        await world.catalogue.close_release(world.release.release_id, fakes.now(), "promoted")
        await environment.fast_forward(handle, 3_601)
        assert await handle.result() == "promoted"
    assert len(world.ledger.bodies(Kind.destination_checked)) == 2
    assert world.target.effects == []
