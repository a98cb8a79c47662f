"""Weeks of a review on the real server: only the clock of the workflow is moved forward."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from activities.briefing import Brief
from countermand import ids
from countermand.governance.decision import DecisionKind
from countermand.governance.shipped import rights_in_force
from countermand.ledger.record import Kind, Record
from countermand.playbook.terms import Severity
from countermand.review.actions import actions
from countermand.review.parts import Part
from countermand.review.state import review
from tests import cases, reviewing
from tests.waiting import until
from tests.workflows.conftest import World, start_environment
from workflows.decisions import UPDATE, Answer
from workflows.review import Review, ReviewInput

DAY = timedelta(days=1)


class Held:
    """The review of one incident, and people who do something about it. `shift`: how far time was moved forward."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.incident_id = f"inc-{uuid.uuid4().hex[:8]}"
        self.shift = timedelta()

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift

    async def start(self, **incident: Any) -> WorkflowHandle[Any, Any]:
        world, directory = self.world, await self.world.people.snapshot()
        release_id = world.release.release_id
        await reviewing.close_incident(world.ledger, self.incident_id, release_id, **incident)
        brief = Brief(
            release=world.release,
            playbook=world.playbook,
            directory=directory,
            keys=world.keys.gateway_keys(),
            rights=rights_in_force(directory.governance),
        )
        given = ReviewInput(incident_id=self.incident_id, release_id=release_id, severity=Severity.sev2, brief=brief)
        return await world.env.client.start_workflow(
            Review.run, given, id=ids.review_workflow(self.incident_id), task_queue=world.queue
        )

    async def pass_time(self, handle: WorkflowHandle[Any, Any], length: timedelta) -> None:
        await self.world.env.fast_forward(handle, length)
        self.shift += length

    async def does(self, who: str, reason: str = "agreed in the meeting", **terms: str) -> Answer:
        directory = await self.world.people.snapshot()
        kind = DecisionKind.keep_review if "act" in terms else DecisionKind.sign_review
        made = reviewing.decision(self.world.keys, directory, who, self.incident_id, kind=kind, reason=reason, **terms)
        await reviewing.put_decision(self.world.ledger, made)
        handle = self.world.env.client.get_workflow_handle(made.addressed_to)
        return await handle.execute_update(UPDATE, made, id=made.decision_id, result_type=Answer)

    async def writes(self, *parts: Part) -> None:
        for one in parts:
            await self.does(cases.JONAS, **reviewing.part(one))

    async def opens(self, due: datetime, **changes: str) -> str:
        await self.does(cases.JONAS, **reviewing.action(due, **changes))
        return (await self.actions())[-1].action_id

    async def actions(self) -> Any:
        return actions(await self.world.ledger.records(incident_id=self.incident_id))

    async def state(self) -> Any:
        return review(await self.world.ledger.records(incident_id=self.incident_id), self.incident_id)

    async def has(self, kind: Kind, **said: object) -> Record:
        """Wait until a record of a kind says this."""

        async def there() -> Record | None:
            found = await self.world.ledger.records(incident_id=self.incident_id, kinds=[kind])
            return next((one for one in found if said.items() <= one.body.items()), None)

        return await until(there, f"a record of {kind.value} with {said}")


@pytest.fixture
def held(environment: WorkflowEnvironment) -> Held:
    return Held(World(environment, cases.playbook()))


async def test_lrn_4_a_review_and_its_actions_run_for_six_weeks_over_another_worker_until_the_last_is_verified(
    held: Held,
) -> None:
    async with held.world.worker():
        handle = await held.start()
        drafted = await held.has(Kind.review_drafted, form="full")
        assert drafted.body["meeting_at"] <= drafted.body["due"], "people meet before it is due"
        near = await held.opens(held.now + 16 * DAY)
        far = await held.opens(held.now + 30 * DAY, before_re_release="yes")
        await held.pass_time(handle, 5 * DAY + timedelta(hours=1))
        first = await held.has(Kind.review_escalated, point="0d")
        assert first.body["roles"] == ["release_owner"]
        await held.pass_time(handle, 3 * DAY)
        await held.has(Kind.review_escalated, point="3d", roles=["release_owner", "safety_lead"])
        await held.pass_time(handle, 4 * DAY)
        await held.has(Kind.review_escalated, point="7d", roles=["release_owner", "safety_lead", "executive"])
        await held.writes(*(Part(name) for name in drafted.body["required"]))
        assert (await held.does(cases.MARIA, publication="customers")).status == "signed"
    async with held.world.worker():
        await held.pass_time(handle, 3 * DAY)
        await held.has(Kind.action_escalated, action_id=near, point="soon", roles=[])
        await held.does(cases.JONAS, act="verify_action", action=near, result="200 samples compared, 3 differ")
        await held.pass_time(handle, 16 * DAY)
        late = await held.has(Kind.action_escalated, action_id=far, point="0d")
        assert late.body["told"] == ["Jonas Weber"], "first its owner alone"
        await held.pass_time(handle, 3 * DAY)
        more = await held.has(Kind.action_escalated, action_id=far, point="3d")
        assert more.body["roles"] == ["release_owner"]
        await held.pass_time(handle, 8 * DAY)
        await held.has(Kind.action_escalated, action_id=far, point="7d", roles=["release_owner", "executive"])
        await held.does(cases.JONAS, act="verify_action", action=far, result="the gate was tried, it holds")
        closed = await handle.result()
    assert held.shift >= 6 * 7 * DAY
    assert (closed.outcome, closed.by, closed.publication) == ("signed", ("Maria Keller",), "customers")
    assert ("review_reminded", "exec") in held.world.channel.steps()
    called = await held.world.ledger.records(incident_id=held.incident_id, kinds=[Kind.action_escalated])
    assert [one.body["point"] for one in called if one.body["action_id"] == near] == ["soon"]


async def test_lrn_5_a_factor_that_comes_again_opens_the_action_of_the_earlier_review_and_both_name_it(
    held: Held,
) -> None:
    world, later = held.world, Held(held.world)
    async with world.worker():
        first = await held.start()
        await held.has(Kind.review_drafted)
        action_id = await held.opens(held.now + 20 * DAY)
        await held.does(cases.JONAS, act="verify_action", action=action_id, result="the comparison was run")
        await held.does(cases.MARIA, act="waive", reason="the harm was small and is understood")
        assert (await first.result()).outcome == "waived", "nothing is left to wait for"
        second = await later.start()
        await later.has(Kind.review_drafted)
        await later.writes(Part.factors)
        again = await held.has(Kind.action_reopened, action_id=action_id, was="verified")
        assert (again.body["by_incident"], again.body["factors"]) == (later.incident_id, ["evaluation_gap"])
        await later.does(cases.MARIA, act="waive", reason="the harm was small and is understood")
        await later.pass_time(second, 15 * DAY)
        await later.has(Kind.action_escalated, action_id=action_id, point="0d")
        await later.does(cases.JONAS, act="verify_action", action=action_id, result="compared again, with people")
        await second.result()
    (one,) = await held.actions()
    assert one.reopened_by == (later.incident_id,)


async def test_lrn_5_a_review_of_another_service_leaves_the_action_as_it_is(held: Held) -> None:
    other = Held(held.world)
    async with held.world.worker():
        first, second = await held.start(), await other.start(service="image generator")
        await held.has(Kind.review_drafted)
        await other.has(Kind.review_drafted)
        action_id = await held.opens(held.now + 20 * DAY)
        await held.does(cases.JONAS, act="verify_action", action=action_id, result="the comparison was run")
        await other.writes(Part.factors)
        assert [one.state for one in await held.actions()] == ["verified"]
        await first.terminate()
        await second.terminate()


async def test_lrn_1_a_near_miss_needs_two_parts_and_one_signature(held: Held) -> None:
    async with held.world.worker():
        handle = await held.start(outcome="rejected")
        drafted = await held.has(Kind.review_drafted, form="near_miss")
        assert drafted.body["required"][:2] == ["narrative", "factors"]
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await held.does(cases.MARIA)
        assert isinstance(refused.value.cause, ApplicationError)
        assert "nobody has written yet: What happened" in refused.value.cause.details[1]
        await held.writes(*(Part(name) for name in drafted.body["required"]))
        assert (await held.does(cases.MARIA)).status == "signed"
        assert (await handle.result()).publication == "internal"


async def test_lrn_1_what_was_sev1_or_broke_the_glass_is_never_waived(held: Held) -> None:
    other = Held(held.world)
    async with held.world.worker():
        for one, incident in ((held, {"severity": "sev1"}), (other, {"broke_glass": True})):
            handle = await one.start(**incident)
            await one.has(Kind.review_drafted)
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await one.does(cases.MARIA, act="waive", reason="nobody has time for this one")
            assert isinstance(refused.value.cause, ApplicationError)
            assert "this review cannot be waived" in refused.value.cause.details[1]
            await handle.terminate()
    assert (await held.state()).closed is None


async def test_a_change_after_a_signature_asks_for_it_again(held: Held) -> None:
    sign_off = held.world.playbook.review.sign_off.model_copy(update={"distinct_people": 2})
    policy = held.world.playbook.review.model_copy(update={"sign_off": sign_off})
    held.world.playbook = held.world.playbook.model_copy(update={"review": policy})
    async with held.world.worker():
        handle = await held.start()
        drafted = await held.has(Kind.review_drafted)
        await held.writes(*(Part(name) for name in drafted.body["required"]))
        assert (await held.does(cases.MARIA, publication="public")).status == "pending"
        await held.writes(Part.narrative)
        assert [one.name for one in (await held.state()).outdated] == ["Maria Keller"]
        assert (await held.does(cases.AMIRA, publication="public")).status == "pending"
        assert (await held.does(cases.MARIA, publication="customers")).status == "signed"
        assert (await handle.result()).publication == "customers", "the most careful of both"


async def test_two_last_signatures_in_the_same_moment_end_the_review(held: Held) -> None:
    sign_off = held.world.playbook.review.sign_off.model_copy(update={"distinct_people": 2})
    policy = held.world.playbook.review.model_copy(update={"sign_off": sign_off})
    held.world.playbook = held.world.playbook.model_copy(update={"review": policy})
    async with held.world.worker():
        handle = await held.start()
        drafted = await held.has(Kind.review_drafted)
        await held.writes(*(Part(name) for name in drafted.body["required"]))
        held.world.ledger.append = slowly(held.world.ledger.append)  # type: ignore[method-assign]  # a slow database
        answers = await asyncio.gather(held.does(cases.MARIA), held.does(cases.AMIRA))
        assert sorted(one.status for one in answers) == ["pending", "signed"]
        assert (await handle.result()).by == tuple(one.name for one in (await held.state()).signatures)


async def test_nobody_changes_the_text_while_the_last_signature_is_recorded(held: Held) -> None:
    async with held.world.worker():
        handle = await held.start()
        drafted = await held.has(Kind.review_drafted)
        await held.writes(*(Part(name) for name in drafted.body["required"]))
        held.world.ledger.append = slowly(held.world.ledger.append)  # type: ignore[method-assign]  # a slow database
        signing = asyncio.create_task(held.does(cases.MARIA))
        await asyncio.gather(signing, held.writes(Part.narrative), return_exceptions=True)
        state = await held.state()
        assert state.closed is None or state.signatures, "what was signed is what stands"
        with suppress(RPCError):  # it may have ended by itself
            await handle.terminate()


def slowly(append: Any) -> Any:
    async def later(*entries: Any) -> Any:
        await asyncio.sleep(0.3)
        return await append(*entries)

    return later


async def test_a_long_review_goes_on_in_a_new_run_and_drafts_nothing_twice() -> None:
    short = "--dynamic-config-value=limit.historyCount.suggestContinueAsNew=60"
    async with start_environment(more=(short,)) as env:
        held = Held(World(env, cases.playbook()))
        async with held.world.worker():
            first = await held.start()
            await held.has(Kind.review_drafted)
            for _ in range(8):
                await held.writes(Part.surprises)
            handle = env.client.get_workflow_handle(first.id)

            async def another_run() -> bool:
                return (await handle.describe()).run_id != first.first_execution_run_id

            await until(another_run, "a new run")
            await held.pass_time(handle, 6 * DAY)
            await held.has(Kind.review_escalated, point="0d")
            await handle.terminate()
    assert held.world.ledger.kinds()[Kind.review_drafted.value] == 1
