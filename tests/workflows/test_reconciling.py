"""T22: whoever ends the workflow of an incident from outside is noticed, people are told, and work can go on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from activities.reconciling import Reconciler
from adapters import executions
from adapters.executions import TemporalExecutions
from countermand.governance.decision import DecisionKind
from countermand.ledger.bodies import IncidentPhase
from countermand.ledger.record import Kind
from countermand.messages.release import release
from tests.workflows.conftest import World


def looking(world: World) -> Reconciler:
    return Reconciler(world.ledger, TemporalExecutions(world.env.client), world.channel, "http://console.test")


async def test_a_workflow_terminated_from_outside_is_recorded_once_and_the_release_can_have_a_new_incident(
    world: World,
) -> None:
    reconciler = looking(world)
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        await reconciler.look()
        await reconciler.look()
        assert (await world.view()).status == "asking"
        await handle.terminate("an insider")
        await reconciler.look()
        assert (await world.view()).status == "asking", "one look may have come in the wrong moment"
        await reconciler.look()
        await reconciler.look()
    view = await world.view()
    assert (view.status, view.phase) == ("unattended", None)
    assert "terminated from outside" in view.sentence
    unattended = await world.ledger.records(incident_id=world.incident_id, kinds=[Kind.incident_unattended])
    assert len(unattended) == 1
    assert sum("nothing works on" in message.subject for message in world.channel.sent.values()) == 2
    seen = release(await world.ledger.records(release_id=world.release.release_id))
    assert seen is not None
    assert seen.open is None
    assert seen.incident_of(DecisionKind.declare, "d-new") != world.incident_id


async def test_another_workflow_under_the_same_name_does_not_stand_in_for_the_one_that_was_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executions, "_SKEW", timedelta(0))
    reconciler = looking(world)
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        await handle.terminate("an insider")
    client = world.env.client
    double = await client.start_workflow("Sleeper", id=world.workflow_id, task_queue="nobody-works-here")
    await reconciler.look()
    await reconciler.look()
    view = await world.view()
    assert view.status == "unattended"
    assert "another one was started under its name" in view.sentence
    await double.terminate("the test is over")


async def test_an_incident_that_goes_on_is_attended_again(world: World) -> None:
    reconciler = looking(world)
    async with world.worker():
        handle = await world.open_incident()
        before = await world.reaches("asking")
        await handle.terminate("an insider")
        await reconciler.look()
        await reconciler.look()
        assert (await world.view()).status == "unattended"
    assert before.phase is not None
    again = IncidentPhase.model_validate(before.phase.model_dump())
    await world.ledger.append(again.entry("again", "worker", incident_id=world.incident_id))
    assert (await world.view()).status == "asking"


async def test_a_closed_incident_is_not_looked_for(world: World) -> None:
    reconciler = looking(world)
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        await world.decide(DecisionKind.reject, "local|maria", reason="the judge is wrong, looked at ten samples")
        await handle.result()
    await reconciler.look()
    await reconciler.look()
    assert (await world.view()).status == "rejected"
