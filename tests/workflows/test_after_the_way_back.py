"""After the way back: what flaps is not verified, a relapse reaches people, and every wait has a way out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from countermand.detection.models import Arm
from countermand.governance.decision import DecisionKind
from countermand.ledger.record import Entry, Kind, Record
from countermand.plan.target import Split
from countermand.playbook.model import Playbook
from tests import cases, fakes
from tests.waiting import until
from tests.workflows.conftest import World
from tests.workflows.test_release_watch import start_watch


def verifying(world: World, **changes: Any) -> None:
    document = cases.playbook_document()
    document["verification"] |= changes
    world.playbook = world.catalogue.the_playbook = Playbook.model_validate(document)


async def moved_back(world: World) -> None:
    """Somebody else gives the candidate users again."""
    world.target.split, world.target.generation = Split.candidate(4_000), world.target.generation + 1


async def verified(world: World) -> None:
    async def there() -> bool:
        view = await world.view()
        return view.status == "verifying" and "Shown to be healthy" in view.sentence

    await until(there, "the watch for a relapse begins")


async def test_tgt_12_a_share_that_comes_back_while_health_is_shown_is_not_verified(world: World) -> None:
    verifying(world, time_limit="60s")
    async with world.worker():
        await world.open_incident()
        world.signals.flowing = False
        await world.approve_by_two()
        await world.reaches("verifying")
        await moved_back(world)
        view = await world.reaches("not_verified")
        assert "flapping" in view.sentence
        await world.decide(DecisionKind.abort, cases.JONAS, reason="we look at the other writer first")
        await world.reaches("reverted_not_verified")


async def test_r119_waiting_for_evidence_of_health_can_be_ended(world: World) -> None:
    verifying(world, time_limit="10m")
    async with world.worker():
        handle = await world.open_incident()
        world.signals.flowing = False
        await world.approve_by_two()
        view = await world.reaches("verifying")
        assert view.phase is not None
        assert view.phase.commands == ("abort",)
        await world.decide(DecisionKind.abort, cases.JONAS, reason="nobody labels answers tonight")
        closing = await handle.result()
    assert closing.outcome == "reverted_not_verified"
    assert "Jonas Weber" in closing.sentence


async def test_a_watch_for_a_relapse_that_sees_none_ends_in_the_all_clear(world: World) -> None:
    verifying(world, watch_for="2s", on_regression="hold")
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        closing = await handle.result()
    assert closing.outcome == "reverted"
    assert "no relapse was seen" in closing.sentence


async def test_r113_a_service_that_is_worse_again_is_held_for_people(world: World) -> None:
    verifying(world, watch_for="10m", on_regression="hold")
    older = world.release.baseline.model_copy(update={"name": "test-bot v5", "model": "sha256:model-0"})
    before = world.release.model_copy(update={"release_id": "r-before", "baseline": older})
    await cases.register(world.ledger, before)
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await verified(world)
        world.signals.bad[Arm.baseline] = 60
        view = await world.reaches("not_verified")
        assert "Worse again after the way back" in view.sentence
        assert "test-bot v5 is eligible too; nobody is moved to another version without a decision" in view.sentence
        assert view.phase is not None
        assert set(view.phase.commands) == {"resume", "ask_again", "abort"}
        await world.decide(DecisionKind.abort, cases.JONAS, reason="the provider is down, not our release")
        assert (await handle.result()).outcome == "reverted_not_verified"
    assert ("not_verified", "exec") in world.channel.steps()
    assert world.target.split == Split.candidate(0)


async def test_r113_users_who_came_back_to_the_candidate_are_put_to_people_as_a_new_plan(world: World) -> None:
    verifying(world, watch_for="10m", on_regression="ask")
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await verified(world)
        await moved_back(world)
        view = await world.reaches("asking")
        assert len(view.asks) == 2
        assert view.plan is not None
        assert view.plan.before == Split.candidate(4_000)
        await world.approve_by_two()
        await verified(world)
        await world.decide(DecisionKind.abort, cases.JONAS, reason="shown to be healthy, nothing more to watch")
        assert (await handle.result()).outcome == "reverted"
    assert world.target.split == Split.candidate(0)


async def test_a_trigger_that_comes_while_an_incident_closes_opens_the_next_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    closing, go_on = asyncio.Event(), asyncio.Event()
    append = world.ledger.append

    async def slow(*entries: Entry) -> list[Record]:
        if any(entry.kind is Kind.incident_closed for entry in entries):
            closing.set()
            await go_on.wait()
        return await append(*entries)

    monkeypatch.setattr(world.ledger, "append", slow)
    world.signals.bad[Arm.candidate] = 40
    async with world.worker():
        await start_watch(world)
        await world.reaches("asking")
        handle = world.env.client.get_workflow_handle(world.workflow_id)
        await world.decide(DecisionKind.reject, cases.MARIA, reason="the judge is wrong, looked at ten samples")
        await asyncio.wait_for(closing.wait(), 20)
        await handle.signal("evidence_changed", world.verdict(90))
        go_on.set()

        async def two() -> bool:
            return world.ledger.kinds()[Kind.incident_opened.value] == 2

        await until(two, "the second incident is opened")
        await world.catalogue.close_release(world.release.release_id, fakes.now(), "the test is over")
