"""Who can read Temporal's database, its UI or a history dump reads nothing personal there (T14)."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError

from activities.ports import Message as Sent
from activities.ports import Receipt
from adapters.log_lines import WithoutQuotes
from countermand.governance.decision import DecisionKind
from tests import cases, fakes
from tests.payloads import codec
from tests.waiting import until
from tests.workflows.conftest import World
from tests.workflows.test_emergencies import HARM, REASON, break_glass, declare
from tests.workflows.test_staged_revert import soaking, stopped, with_soak

TYPED = "Maria said: the answer about the dose is wrong"
BROKEN = "smtp refused customer-7781@example.org"
NAMES = ("Maria Keller", "Jonas Weber", "Lena", cases.MARIA, cases.JONAS, cases.LENA)
CANARIES = (TYPED, BROKEN, HARM, REASON, *NAMES)


class LeakyChannel(fakes.FakeChannel):
    """Its failure quotes whom it could not reach."""

    async def send(self, message: Sent) -> Receipt:
        raise ApplicationError(BROKEN, {"address": BROKEN}, non_retryable=True)


@pytest.fixture
def rich(world: World) -> World:
    world.people.governance = cases.with_a_glass_breaker()
    world.playbook = with_soak("20s")
    world.catalogue.the_playbook = world.playbook
    world.channel = LeakyChannel()
    return world


async def _lived(world: World) -> None:
    """Declared by a person, approved by two, held with a reason, ended by breaking the glass; no message arrives."""
    handle = await declare(world, cases.JONAS)
    await world.reaches("asking")
    await world.decide(DecisionKind.approve, cases.MARIA, reason=TYPED)
    await world.decide(DecisionKind.approve, cases.LENA, reason=TYPED)
    await soaking(world, 1)
    await world.decide(DecisionKind.hold, cases.JONAS, reason=TYPED)
    await stopped(world, 1, "held")
    await break_glass(world, "last_known_good")
    await handle.result()


def _payloads(message: Message) -> list[Payload]:
    """Every payload anywhere inside."""
    if isinstance(message, Payload):
        return [message]
    found = []
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            inner = [one for one in value.values() if isinstance(one, Message)]
        else:
            inner = list(value) if field.is_repeated else [value]
        found += [payload for one in inner for payload in _payloads(one)]
    return found


def _found(raw: bytes) -> list[str]:
    return [canary for canary in CANARIES if canary.encode() in raw]


async def test_no_byte_of_a_history_says_what_a_person_typed_or_how_anybody_is_called(
    rich: World, caplog: pytest.LogCaptureFixture
) -> None:
    client, key, said = rich.env.client, codec(), set[str]()
    async with rich.worker():
        await _lived(rich)

        async def listed() -> bool:
            return len([one async for one in client.list_workflows(f"TaskQueue = '{rich.queue}'")]) >= 7

        await until(listed, "every workflow is listed")
        for one in [one async for one in client.list_workflows(f"TaskQueue = '{rich.queue}'")]:
            handle = client.get_workflow_handle(one.id, run_id=one.run_id)
            history, described = await handle.fetch_history(), await handle.describe()
            raws: list[Message] = [*history.events, one.raw_info, described.raw_description]
            for raw in raws:
                seen = raw.SerializeToString()
                assert _found(seen) == [], f"{one.workflow_type}: {raw}"
                assert b'File "' not in seen, f"{one.workflow_type}: the trace of a failure can be read: {raw}"
                said |= {canary for payload in _payloads(raw) for canary in _found(key.decoded(payload).data)}
            for event in history.events:  # summaries are treated as visible, whatever encrypts them today
                for payload in _payloads(event.user_metadata):
                    assert _found(key.decoded(payload).data) == []
            if one.status is WorkflowExecutionStatus.RUNNING:
                details: WorkflowMetadata = await handle.query(
                    "__temporal_workflow_metadata", result_type=WorkflowMetadata
                )
                assert _found(details.current_details.encode()) == []
    lines = [WithoutQuotes("%(name)s %(message)s").format(record) for record in caplog.records]
    assert any("Completing activity as failed" in line for line in lines), "the failure is in the log"
    assert [line for line in lines if _found(line.encode())] == [], "without its words (T15)"
    assert said >= {TYPED, BROKEN, HARM, REASON, "Maria Keller", "Jonas Weber"}, "with the key all of it is there"


async def test_what_comes_back_from_a_workflow_is_readable_for_who_has_the_key(rich: World) -> None:
    """Updates, their refusals and query answers pass the same converter."""
    async with rich.worker():
        await declare(rich, cases.JONAS)
        await rich.reaches("asking")
        answer = await rich.decide(DecisionKind.approve, cases.MARIA, reason=TYPED)
    assert answer.have == 1
