"""A correction reaches the audience of the wrong message, and survives a channel that breaks."""

from __future__ import annotations

from datetime import UTC, datetime

from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.communicating import CommunicatingActivities, CorrectRequest
from activities.ports import Message, Receipt
from countermand import ids
from countermand.ledger.bodies import CommsCorrected, CommsSent
from countermand.playbook.model import Audience
from tests.fakes import FakeChannel, FakeLedger, FakeRenderer
from workflows.correction import Correction

WRONG = "inc-1/reverted/1/customer"


class Breaking(FakeChannel):
    """Breaks twice, then works."""

    breaks = 2

    async def send(self, message: Message) -> Receipt:
        if self.breaks:
            self.breaks -= 1
            raise OSError("the store is away")
        return await super().send(message)


async def test_a_correction_is_tried_until_its_readers_have_it(environment: WorkflowEnvironment) -> None:
    ledger, channel = FakeLedger(), Breaking()
    told = {"incident_id": "inc-1", "release_id": "rel-1"}
    wrong = CommsSent(
        step="reverted", audience="customer", key=WRONG, subject="Reverted", text_sha256="sha256:t", channel="fake",
        facts_sha256="sha256:f",
    )  # fmt: skip
    order = CommsCorrected(
        correction_id="c-1", key=WRONG, step="reverted", audience="customer", subject="Reverted", what=None,
        why="It was not yet.", by="local|jonas", name="Jonas Weber",
    )  # fmt: skip
    await ledger.append(wrong.entry(f"comms/{WRONG}", "worker", **told))
    await ledger.append(order.entry("correction/c-1", "local|jonas", **told))
    queue = f"correction-{datetime.now(UTC):%H%M%S%f}"
    activities = CommunicatingActivities(ledger, FakeRenderer(), channel, "http://console")
    async with Worker(environment.client, task_queue=queue, workflows=[Correction], activities=[activities.correct]):
        done = await environment.client.execute_workflow(
            Correction.run, CorrectRequest(correction_id="c-1"), id=ids.correction_workflow("c-1"), task_queue=queue
        )
    assert done.sent == 1
    ((key, message),) = channel.sent.items()
    assert (key, message.audience) == (f"{WRONG}/correction/c-1", Audience.customer)
