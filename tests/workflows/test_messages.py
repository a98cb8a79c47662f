"""Words never delay a stage, every audience hears in order, and promised updates come or are missed on record."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from activities.ports import Message, Receipt
from countermand import ids
from countermand.canonical import parse_instant
from countermand.governance.decision import DecisionKind
from countermand.ledger.record import Kind
from countermand.playbook.model import Audience, Playbook, Step
from tests import cases, fakes
from tests.waiting import until
from tests.workflows.conftest import World
from workflows.messages import Messages


class SlowChannel(fakes.FakeChannel):
    """Takes no message of `stuck` before `open`; `dark_for` fails; keeps the order in which messages came out."""

    def __init__(self) -> None:
        super().__init__()
        self.stuck: set[Audience] = set()
        self.dark_for: set[Audience] = set()
        self.open = asyncio.Event()
        self.order: list[tuple[str, str]] = []

    async def send(self, message: Message) -> Receipt:
        if message.audience in self.stuck:
            await self.open.wait()
        receipt = await super().send(message)
        if message.audience in self.dark_for:
            return receipt.model_copy(update={"channel": "outbox", "tried": ("email: no answer",)})
        self.order.append((message.audience.value, message.step.value))
        return receipt

    def heard(self, audience: Audience) -> list[str]:
        return [step for who, step in self.order if who == audience.value]


def telling_exec_at_once() -> Playbook:
    document = cases.playbook_document()
    for rule in document["communications"]:
        if rule["step"] == "incident_opened":
            rule["audiences"] = [*rule["audiences"], "exec"]
    return Playbook.model_validate(document)


@pytest.fixture
def channel(world: World) -> SlowChannel:
    world.playbook = telling_exec_at_once()
    world.catalogue.the_playbook = world.playbook
    world.channel = SlowChannel()
    return world.channel


def messages_of(world: World, environment: WorkflowEnvironment) -> WorkflowHandle[Messages, None]:
    return environment.client.get_workflow_handle_for(Messages.run, ids.messages_workflow(world.incident_id))


async def promised(world: World, count: int = 1) -> list[dict[str, object]]:
    async def there() -> list[dict[str, object]] | None:
        found = world.ledger.bodies(Kind.update_promised)
        return found if len(found) >= count else None

    return await until(there, f"{count} updates are promised")


async def test_a_rollback_goes_through_while_no_message_gets_out_and_all_are_sent_in_order_afterwards(
    world: World, channel: SlowChannel, environment: WorkflowEnvironment
) -> None:
    channel.stuck = set(Audience)
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        closing = await asyncio.wait_for(handle.result(), 30)
        assert channel.order == []
        channel.open.set()
        await world.reviewed()
        await messages_of(world, environment).result()
    assert closing.outcome == "reverted"
    assert [share for _, share in world.target.effects] == [4_500, 2_500, 0]
    told = ["incident_opened", "approval_asked", "approval_decided", "stage_completed", "stage_completed",
            "stage_completed", "reverted", "all_clear"]  # fmt: skip
    assert [step for step in channel.heard(Audience.operator) if step != "review_drafted"] == told
    assert len(channel.sent) == len(set(channel.sent))


async def test_a_message_that_had_to_wait_still_tells_what_it_is_about(
    world: World, channel: SlowChannel, environment: WorkflowEnvironment
) -> None:
    channel.stuck = {Audience.operator}
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await handle.result()
        channel.open.set()
        await messages_of(world, environment).result()
    texts = [m.text for m in channel.sent.values() if m.step is Step.stage_completed]
    assert [f"'number': {number}" in text for number, text in enumerate(texts, start=1)] == [True] * 3


async def test_an_audience_that_cannot_be_reached_holds_up_no_other(world: World, channel: SlowChannel) -> None:
    channel.stuck = {Audience.exec}
    async with world.worker():
        await world.open_incident()
        await world.reaches("asking")

        async def asked() -> bool:
            return "approval_asked" in channel.heard(Audience.approver)

        await until(asked, "approvers are asked")
        assert channel.heard(Audience.exec) == []
        channel.open.set()
        await world.decide(DecisionKind.reject, cases.MARIA, reason="the judge is wrong, looked at ten")


async def test_the_promised_update_comes_before_its_time_with_a_new_promise(
    world: World, channel: SlowChannel, environment: WorkflowEnvironment
) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        (first,) = await promised(world)
        assert first["audience"] == "exec"
        messages = messages_of(world, environment)
        await environment.fast_forward(messages, 51 * 60)
        _, second = await promised(world, 2)
        (kept,) = world.ledger.bodies(Kind.update_kept)
        assert (kept["key"], kept["by"]) == (first["key"], second["key"])
        assert world.ledger.bodies(Kind.update_overdue) == []
        assert channel.heard(Audience.exec) == ["incident_opened", "periodic_update"]
        update = next(m for m in channel.sent.values() if m.step is Step.periodic_update)
        assert f"by {parse_instant(str(second['until'])):%Y-%m-%d %H:%M:%S} UTC at the latest" in update.text
        await world.decide(DecisionKind.reject, cases.MARIA, reason="the judge is wrong, looked at ten")
        await handle.result()
        await messages.result()
    # People who were promised an update hear how it ended, and are promised nothing more.
    assert channel.heard(Audience.exec) == ["incident_opened", "periodic_update", "periodic_update"]
    assert len(world.ledger.bodies(Kind.update_promised)) == len(world.ledger.bodies(Kind.update_kept)) == 2
    last = [m for m in channel.sent.values() if m.step is Step.periodic_update][-1]
    assert "none, the incident is over" in last.text
    assert (await messages.describe()).status is WorkflowExecutionStatus.COMPLETED


async def test_an_update_that_reaches_nobody_is_overdue_at_the_promised_time_and_tried_again_later(
    world: World, channel: SlowChannel, environment: WorkflowEnvironment
) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        (first,) = await promised(world)
        channel.dark_for = {Audience.exec}
        messages = messages_of(world, environment)
        await environment.fast_forward(messages, 51 * 60)

        async def tried() -> bool:
            return any(m.step is Step.periodic_update for m in channel.sent.values())

        await until(tried, "the update is tried")
        assert world.ledger.bodies(Kind.update_overdue) == []
        await environment.fast_forward(messages, 10 * 60)

        async def overdue() -> list[dict[str, object]]:
            return world.ledger.bodies(Kind.update_overdue)

        (missed,) = await until(overdue, "the update is overdue")
        assert (missed["key"], missed["until"]) == (first["key"], first["until"])
        channel.dark_for = set()
        await environment.fast_forward(messages, 51 * 60)
        await promised(world, 2)
        await world.decide(DecisionKind.reject, cases.MARIA, reason="the judge is wrong, looked at ten")
        await handle.result()
        await messages.result()
    view = await world.view()
    assert [promise.word for promise in view.promises.values()] == ["overdue", "kept"]


async def test_responders_are_promised_nothing_because_every_step_reaches_them(
    world: World, channel: SlowChannel
) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await handle.result()
        await world.reviewed()
    assert {body["audience"] for body in world.ledger.bodies(Kind.update_promised)} <= {"exec", "support", "customer"}


async def test_the_interval_is_the_playbooks(world: World) -> None:
    document = cases.playbook_document()
    document["update_every"] = {"sev2": "15m"}
    world.playbook = Playbook.model_validate(document)
    world.catalogue.the_playbook = world.playbook
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await handle.result()
    (one, *_) = world.ledger.bodies(Kind.update_promised)
    at = next(r.at for r in await world.ledger.records() if r.kind is Kind.update_promised)
    left = parse_instant(str(one["until"])) - at
    assert timedelta(minutes=14) < left <= timedelta(minutes=15), (left, datetime.now)
