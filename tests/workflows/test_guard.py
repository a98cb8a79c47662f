"""After a rollback the target is looked at: whoever brings the bad version back opens an incident (GOV-47, TGT-17)."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from activities.ports import TargetUnavailable
from countermand import ids
from countermand.governance.rights import Action
from countermand.governance.shipped import shipped_rights
from countermand.governance.version_lists import lifting
from countermand.ledger.bodies import QuarantineLifted
from countermand.ledger.record import Kind
from countermand.plan.target import Preflight, Split
from countermand.playbook.model import Playbook, Severity
from tests import cases, fakes
from tests.standing import give
from tests.waiting import until
from tests.workflows.conftest import World
from workflows.incident import Incident
from workflows.incident_steps import Case


async def reverted(world: World) -> WorkflowHandle[Any, Any]:
    """Roll back, and wait until the guard looks."""
    handle = await world.open_incident()
    await world.approve_by_two()
    assert (await handle.result()).outcome == "reverted"
    await state_is(world, "watching")
    return world.env.client.get_workflow_handle(ids.guard_workflow(world.incident_id))


def states(world: World) -> list[object]:
    return [body["state"] for body in world.ledger.bodies(Kind.guard_state)]


async def state_is(world: World, state: str) -> None:
    async def there() -> bool:
        return state in states(world)[-1:]

    await until(there, f"the guard is {state}")


def comes_back(world: World, candidate_bp: int = 500) -> None:
    """Somebody who is not this product moves users to the candidate."""
    world.target.split = Split.candidate(candidate_bp)
    world.target.generation += 1


async def opened_by_breach(world: World) -> dict[str, object]:
    async def there() -> dict[str, object] | None:
        bodies = world.ledger.bodies(Kind.incident_opened)
        return bodies[1] if len(bodies) == 2 else None

    return await until(there, "the breach opens an incident")


async def told(world: World) -> None:
    async def there() -> bool:
        return {("requarantine_breach", audience) for audience in ("operator", "approver", "exec")} <= (
            world.channel.steps()
        )

    await until(there, "operators, approvers and executives are told of the breach")


def another_case(world: World) -> Case:
    release = world.release
    return Case(
        incident_id="inc-another",
        release_id=release.release_id,
        environment=release.environment,
        service=release.service,
        severity=Severity.sev2,
        verdict=world.verdict(),
        opened_by="automation",
    )


def only_breaches(world: World) -> list[dict[str, object]]:
    return world.ledger.bodies(Kind.requarantine_breach)


async def test_gov_47_who_moves_it_back_opens_an_incident_and_people_are_told_and_asked(world: World) -> None:
    async with world.worker():
        guard = await reverted(world)
        comes_back(world)
        assert "is back in front of 5 %" in await guard.result()
        opened = await opened_by_breach(world)
        await told(world)
        asked = ids.ask_id(ids.breach_incident_id(world.incident_id), 1)

        async def people_are_asked() -> bool:
            return asked in [body["ask_id"] for body in world.ledger.bodies(Kind.ask_opened)]

        await until(people_are_asked, "the way back is put to people")
    said = {message.text for message in world.channel.sent.values() if message.step == "requarantine_breach"}
    assert all("('breach', \"test-bot v7 is back in front of 5 %" in text for text in said)
    (breach,) = only_breaches(world)
    assert (breach["candidate_bp"], breach["left_bp"], breach["by"]) == (500, 0, "unknown")
    assert (opened["trigger"], opened["severity"], opened["opened_by"]) == ("requarantine_breach", "sev2", "automation")
    assert breach["sentence"] == opened["sentence"]
    assert [share for _, share in world.target.effects] == [4_500, 2_500, 0], "automation moves nobody"


async def test_a_writer_that_leaves_its_key_is_named(world: World) -> None:
    async with world.worker():
        guard = await reverted(world)
        world.target.key = "argo/sync/17"
        comes_back(world, 10_000)
        await guard.result()
        await opened_by_breach(world)
    (breach,) = only_breaches(world)
    assert breach["by"] == "a writer with the key 'argo/sync/17'"


async def test_nothing_is_raised_while_the_split_stays_as_it_was_left_and_the_guard_ends_with_its_time(
    world: World, environment: WorkflowEnvironment
) -> None:
    document = cases.playbook_document()
    document["revert"]["guard"] = "2s"
    world.playbook = world.catalogue.the_playbook = Playbook.model_validate(document)
    async with world.worker():
        guard = await reverted(world)
        assert "was not seen again" in await guard.result()
    assert states(world) == ["watching", "over"]
    assert (only_breaches(world), world.ledger.kinds()[Kind.incident_opened.value]) == ([], 1)


async def test_a_target_that_cannot_be_read_is_said_to_be_unseen_and_looked_at_until_it_answers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.worker():
        guard = await reverted(world)

        async def silent(_member: object) -> Any:
            raise TargetUnavailable("connection refused")

        with monkeypatch.context() as while_silent:
            while_silent.setattr(world.target, "read", silent)
            await state_is(world, "blind")
            comes_back(world)
        assert "is back" in await guard.result()
        await opened_by_breach(world)
    assert states(world) == ["watching", "blind"]
    assert "connection refused" in str(world.ledger.bodies(Kind.guard_state)[-1]["sentence"])


async def test_a_worker_that_is_replaced_meanwhile_loses_no_breach(world: World) -> None:
    async with world.worker():
        guard = await reverted(world)
    comes_back(world)
    async with world.worker():
        assert "is back" in await guard.result()
        await opened_by_breach(world)
    assert len(only_breaches(world)) == 1


async def test_a_breach_while_an_incident_is_open_joins_it_and_people_are_told(world: World) -> None:
    async with world.worker():
        guard = await reverted(world)
        again = await world.env.client.start_workflow(
            Incident.run, another_case(world), id=world.workflow_id, task_queue=world.queue
        )

        async def is_open() -> bool:
            return len(world.ledger.bodies(Kind.incident_opened)) == 2

        await until(is_open, "another incident of this release is open")
        comes_back(world)
        await guard.result()
        await told(world)
        await again.terminate("the test is over")
    assert len(only_breaches(world)) == 1


async def test_another_version_on_the_same_split_is_no_breach(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def serves_another(_member: object, desired: Split) -> Preflight:
        other = cases.bundle("test-bot v8", prompt="sha256:prompt-8").digest
        served = other if desired.candidate_bp else world.release.baseline.digest
        return Preflight(ready=True, problems=(), destination_digest=served, write_permitted=True)

    looks: list[float] = []
    async with world.worker():
        await reverted(world)
        monkeypatch.setattr(world.target, "preflight", serves_another)
        comes_back(world)

        async def several() -> bool:
            looks.append(1)
            return len(looks) >= 20

        await until(several, "several looks")
        assert (states(world), only_breaches(world)) == (["watching"], [])


async def test_a_target_without_digests_ends_the_guard_when_a_newer_release_uses_the_split(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def tells_nothing(_member: object, _desired: Split) -> Preflight:
        return Preflight(ready=True, problems=(), destination_digest=None, write_permitted=True)

    async with world.worker():
        guard = await reverted(world)
        monkeypatch.setattr(world.target, "preflight", tells_nothing)
        newer = world.release.model_copy(
            update={"release_id": "v8", "candidate": cases.bundle("test-bot v8", prompt="sha256:prompt-8")}
        )
        await cases.register(world.ledger, newer)
        comes_back(world)
        assert "does not tell which" in await guard.result()
    assert only_breaches(world) == []


async def test_when_people_let_it_out_of_quarantine_it_may_come_back(world: World) -> None:
    async with world.worker():
        guard = await reverted(world)
        candidate, people = world.release.candidate, await world.people.snapshot()
        document = lifting(candidate.digest, "test", world.incident_id, "the judge was wrong")
        right = shipped_rights().row(Action.re_release, Severity.sev1)
        signers = (cases.MARIA, cases.AMIRA)
        consent = await give(world.ledger, world.keys, people, right, document, "c-1", fakes.now(), signers)
        body = QuarantineLifted(
            digest=candidate.digest, environment="test", by_incident=world.incident_id, consent_id=consent
        )
        await world.ledger.append(body.entry("lifted", "worker"))
        comes_back(world)
        assert "out of quarantine" in await guard.result()
    assert (states(world), only_breaches(world)) == (["watching", "over"], [])
