"""The purge run and the release of a hold."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.retaining import BatchDone, Retention, RetentionActivities
from countermand import ids
from countermand.governance.decision import DecisionKind
from countermand.governance.rights import Action
from countermand.governance.shipped import shipped_rights
from countermand.ledger.record import Kind
from countermand.playbook.terms import Severity
from runtime import purge_daily
from tests import cases, fakes
from tests.workflows.conftest import World
from tests.workflows.test_consent import asked, decide
from workflows.releasing import ReleaseHold
from workflows.retention_run import RetentionInput, RetentionRun


class FakeRetention:
    """Three batches; remembers where each began, and fails once."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.failed = False

    async def batch(self, run_id: str, approver: str, at: str) -> BatchDone:
        if at == "1" and not self.failed:
            self.failed = True
            raise ConnectionError("the database went away")
        self.began.append(at)
        nexts: dict[str, str | None] = {"": "1", "1": "2", "2": None}
        return BatchDone(deleted=10, held=1, next=nexts[at])


def purging(retention: Retention) -> RetentionActivities:
    return RetentionActivities(retention, fakes.FakeLedger(), fakes.FakePeople(cases.governance()), fakes.FakeKeys())


async def test_obl_32_a_purge_goes_on_batch_by_batch_and_repeats_the_one_that_failed(
    environment: WorkflowEnvironment,
) -> None:
    retention, queue = FakeRetention(), str(uuid.uuid4())
    activities = purging(retention)
    async with Worker(
        environment.client, task_queue=queue, workflows=[RetentionRun], activities=[activities.purge_batch]
    ):
        result = await environment.client.execute_workflow(
            RetentionRun.run, RetentionInput(approver="schedule"), id=queue, task_queue=queue
        )
    assert retention.began == ["", "1", "2"]
    assert (result.deleted, result.held) == (30, 3)
    assert result.sentence == "30 deleted with certificates, 3 kept under a hold."


class StopsAtSecond(FakeRetention):
    """The worker that carries out the second batch does not come back from it."""

    def __init__(self) -> None:
        super().__init__()
        self.failed = True
        self.reached = asyncio.Event()
        self.stuck = True

    async def batch(self, run_id: str, approver: str, at: str) -> BatchDone:
        if at == "1" and self.stuck:
            self.reached.set()
            await asyncio.sleep(60)
        return await super().batch(run_id, approver, at)


async def test_obl_32_a_worker_that_is_replaced_in_between_goes_on_where_the_batch_began(
    environment: WorkflowEnvironment,
) -> None:
    retention, queue = StopsAtSecond(), str(uuid.uuid4())
    activities = purging(retention)

    def worker() -> Worker:
        return Worker(
            environment.client, task_queue=queue, workflows=[RetentionRun], activities=[activities.purge_batch],
            graceful_shutdown_timeout=timedelta(0),
        )  # fmt: skip

    async with worker():
        handle = await environment.client.start_workflow(
            RetentionRun.run, RetentionInput(approver="schedule"), id=queue, task_queue=queue
        )
        await asyncio.wait_for(retention.reached.wait(), 30)
    retention.stuck = False
    async with worker():
        result = await asyncio.wait_for(handle.result(), 60)
    assert retention.began == ["", "1", "2"]
    assert result.deleted == 30


async def test_obl_31_the_daily_purge_is_scheduled_once_however_often_a_worker_starts(
    environment: WorkflowEnvironment,
) -> None:
    await purge_daily(environment.client)
    await purge_daily(environment.client)
    handle = environment.client.get_schedule_handle(ids.RETENTION_SCHEDULE)
    described = await handle.describe()
    assert [one.every for one in described.schedule.spec.intervals] == [timedelta(days=1)]
    assert not described.schedule.state.paused
    await handle.delete()


async def test_obl_30_a_hold_ends_when_legal_counsel_and_compliance_officer_signed(world: World) -> None:
    document = cases.governance().model_dump(mode="json", by_alias=True)
    for person in document["people"]:
        if person["subject"] == cases.MARIA:
            person["roles"].append("legal_counsel")
        if person["subject"] == cases.JONAS:
            person["roles"].append("compliance_officer")
    world.people.governance = cases.governance(people=document["people"])
    given = await asked(
        world,
        consent_id=f"hold-release-{uuid.uuid4().hex[:8]}",
        right=shipped_rights().row(Action.release_hold, Severity.sev1),
        document={"act": "release_hold", "hold_id": "hold-1", "because": "the case is over"},
    )
    releasing = RetentionActivities(FakeRetention(), world.ledger, world.people, world.keys)
    async with world.worker(more=[releasing.release_hold]):
        handle = await world.env.client.start_workflow(
            ReleaseHold.run, given, id=f"release-{given.consent_id}", task_queue=world.queue
        )
        await decide(world, given, DecisionKind.approve, cases.MARIA)
        assert world.ledger.kinds()[Kind.hold_released.value] == 0
        await decide(world, given, DecisionKind.approve, cases.JONAS)
        assert (await handle.result()).status == "given"
    (body,) = world.ledger.bodies(Kind.hold_released)
    assert (body["hold_id"], body["consent_id"]) == ("hold-1", given.consent_id)
