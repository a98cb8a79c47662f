"""A bundle over three real systems: Envoy divides traffic, the demo service and MLflow follow (TGT-19 to TGT-21)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from countermand.governance.decision import DecisionKind
from countermand.ledger.record import Kind
from countermand.messages.incident import incident
from countermand.playbook.model import Playbook
from tests import cases, fakes
from tests.adapters.targets.embedded import EmbeddedHarness
from tests.adapters.targets.envoy import EnvoyHarness
from tests.adapters.targets.mlflow import MlflowHarness
from tests.waiting import until
from tests.workflows.conftest import World, start_environment

pytestmark = pytest.mark.timeout(400)
SYSTEMS = (EnvoyHarness, EmbeddedHarness, MlflowHarness)


class Bundle:
    """The three systems with the candidate in front of users, and a world whose release lives in them."""

    def __init__(self, envoy: EnvoyHarness, embedded: EmbeddedHarness, mlflow: MlflowHarness) -> None:
        self.envoy, self.embedded, self.mlflow = envoy, embedded, mlflow

    async def world(self, environment: WorkflowEnvironment, policy: str) -> World:
        for system in (self.envoy, self.embedded, self.mlflow):
            await system.seed(system.shares.start)
        document = cases.playbook_document()
        healthy = ["destination_healthy"]
        document["data_integrity"] |= {"before": healthy, "between": healthy, "after": healthy}
        document["revert"] |= {
            "target": "envoy",
            "member": self.envoy.member.name,
            "stages": [{"give_back": "50%", "soak": "100ms"}, {"give_back": "100%", "soak": "100ms"}],
            "together": [
                {"target": "embedded", "member": self.embedded.member.name, "part": "index"},
                {"target": "mlflow", "member": self.mlflow.member.name, "part": "prompt"},
            ],
            "on_member_failure": policy,
            "stage_time_limit": "180s",
            "traffic": {"residual": "2%", "settle": "300ms", "time_limit": "90s", "observed": "best_effort"},
        }
        world = World(environment, Playbook.model_validate(document))
        release = world.release
        world.release = release.model_copy(
            update={
                side: getattr(release, side).model_copy(
                    update={
                        "index": getattr(self.embedded.member, f"{side}_digest"),
                        "prompt": getattr(self.mlflow.member, f"{side}_digest"),
                    }
                )
                for side in ("candidate", "baseline")
            }
        )
        world.catalogue = fakes.FakeCatalogue(world.playbook, world.release)
        world.targets.named = {
            "envoy": self.envoy.target(),
            "embedded": self.embedded.target(),
            "mlflow": self.mlflow.target(),
        }  # type: ignore[assignment]
        return world

    @asynccontextmanager
    async def users(self) -> AsyncIterator[None]:
        """Requests all the time, so that shares can be seen."""

        async def ask() -> None:
            while True:
                await self.envoy.traffic(100)
                await self.embedded.traffic(400)

        asking = asyncio.create_task(ask())
        try:
            yield
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking

    async def shares(self) -> list[int]:
        systems = (self.envoy, self.embedded, self.mlflow)
        return [(await system.target().read(system.member)).split.candidate_bp for system in systems]


@pytest.fixture(scope="module")
async def environment() -> AsyncIterator[WorkflowEnvironment]:
    async with start_environment() as started:
        yield started


@pytest.fixture(scope="module")
async def bundle(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bundle]:
    missing = [why for system in SYSTEMS if (why := system.missing()) is not None]
    if missing:
        pytest.skip(f"not run: {'; '.join(missing)}")
    systems: list[Any] = [system() for system in SYSTEMS]
    for system in systems:
        await system.start(tmp_path_factory.mktemp(system.name))
    yield Bundle(*systems)
    for system in systems:
        await system.stop()


async def stage_is(world: World, number: int, word: str) -> str:
    async def there() -> str | None:
        stage = (await world.view()).stage(number)
        return stage.sentence if stage is not None and stage.state == word else None

    return await until(there, f"stage {number} is {word}", within=170)


async def test_three_systems_go_back_as_one_and_what_nobody_can_see_is_said(
    bundle: Bundle, environment: WorkflowEnvironment
) -> None:
    world = await bundle.world(environment, "compensate")
    async with bundle.users(), world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        sentence = await stage_is(world, 2, "completed")
        assert (await handle.result()).outcome == "reverted"
    assert await bundle.shares() == [0, 0, 0]
    assert "not seen in traffic, only configured: mlflow/chat" in sentence
    seen = {(one.moving.name, one.configured, one.observed) for one in (await world.view()).members}
    assert ("mlflow/chat", "pass", "unknown") in seen
    assert {one[1] for one in seen} == {"pass"}


async def test_the_third_of_three_is_refused_and_the_others_stand_as_before(
    bundle: Bundle, environment: WorkflowEnvironment
) -> None:
    world = await bundle.world(environment, "compensate")
    before = await bundle.shares()
    await bundle.mlflow.fault(refuse=403)
    async with bundle.users(), world.worker():
        await world.open_incident()
        await world.approve_by_two()
        sentence = await stage_is(world, 2, "compensated")

        async def asked_again() -> bool:
            found = incident(await world.ledger.records(incident_id=world.incident_id))
            return found is not None and len(found.asks) == 2

        await until(asked_again, "people are asked again", within=60)
    assert await bundle.shares() == before
    assert "mlflow/chat could not be moved" in sentence


async def test_hold_leaves_the_users_away_from_harm_and_a_resume_moves_the_rest(
    bundle: Bundle, environment: WorkflowEnvironment
) -> None:
    world = await bundle.world(environment, "hold")
    await bundle.mlflow.fault(refuse=403)
    async with bundle.users(), world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        assert "divided" in await stage_is(world, 2, "partial")
        assert await bundle.shares() == [0, 0, 10_000]
        await world.decide(DecisionKind.resume, cases.JONAS, reason="the registry takes writes again")
        assert (await handle.result()).outcome == "reverted"
    assert await bundle.shares() == [0, 0, 0]
    effects = [body["member"] for body in world.ledger.bodies(Kind.stage_outcome) if body["result"] == "applied"]
    assert effects == [None, None, "embedded/support-assistant", "mlflow/chat"]
