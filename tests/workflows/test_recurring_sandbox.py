"""A sandbox again and again: a real schedule, each start judged like any other, and words where none is started."""

from __future__ import annotations

from datetime import timedelta

import pytest
from temporalio.client import ScheduleHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from console import temporal
from countermand import ids
from countermand.ledger.bodies import IncidentOpened
from countermand.ledger.record import Kind
from tests import fakes
from tests.rollouts import SANDBOX, playbook
from tests.waiting import until
from tests.workflows.test_release_rollout import Road

DAY = timedelta(hours=24)


class Scheduled:
    """The schedule of one release, as the console sets it."""

    def __init__(self, road: Road) -> None:
        self.road = road
        self.console = temporal.TemporalWorkflows(road.env.client)

    @property
    def handle(self) -> ScheduleHandle:
        release = self.road.release
        return self.road.env.client.get_schedule_handle(ids.sandbox_schedule(release.environment, release.release_id))

    async def due(self) -> None:
        await self.handle.trigger()

    async def said(self, kind: Kind, number: int = 1) -> str:
        """The sentence of the record of this kind, as soon as there are so many."""

        async def there() -> str | None:
            found = self.road.ledger.bodies(kind)
            return str(found[number - 1]["sentence"]) if len(found) >= number else None

        return await until(there, f"{kind.value} is recorded", within=150)


@pytest.fixture
def scheduled(environment: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch) -> Scheduled:
    road = Road(environment, playbook())
    monkeypatch.setattr(temporal, "EFFECTS_QUEUE", road.queue)
    return Scheduled(road)


async def test_a_schedule_starts_a_sandbox_and_a_second_one_that_is_due_meanwhile_is_skipped_in_words(
    scheduled: Scheduled,
) -> None:
    road, release = scheduled.road, scheduled.road.release
    road.signals.flowing = False
    await scheduled.console.schedule_sandbox(release, DAY)
    async with road.rolling():
        await scheduled.due()
        await road.status("running")
        await scheduled.due()
        skipped = await scheduled.said(Kind.rollout_skipped)
        road.signals.flowing = True
        await scheduled.said(Kind.rollout_ended)
    assert "another rollout of this release is under way" in skipped
    (planned,) = road.ledger.bodies(Kind.rollout_planned)
    (ended,) = road.ledger.bodies(Kind.rollout_ended)
    assert (ended["rollout_id"], ended["kind"], ended["restored"]) == (planned["rollout_id"], "sandbox", True)
    assert road.shares == [100, 0]
    await scheduled.console.unschedule_sandbox(release)


async def test_the_interval_can_be_changed_and_a_schedule_that_is_removed_is_gone(scheduled: Scheduled) -> None:
    console, release = scheduled.console, scheduled.road.release
    assert await console.next_sandbox(release) is None
    await console.schedule_sandbox(release, DAY)
    await console.schedule_sandbox(release, timedelta(hours=1))
    next_ = await console.next_sandbox(release)
    assert next_ is not None
    assert timedelta() < next_ - fakes.now() <= timedelta(hours=1)
    await console.unschedule_sandbox(release)
    await console.unschedule_sandbox(release)
    assert await console.next_sandbox(release) is None


async def test_a_sandbox_that_would_need_a_person_is_not_started_and_nobody_is_moved(
    environment: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    road = Road(environment, playbook(sandbox=SANDBOX | {"without_asking": False}))
    monkeypatch.setattr(temporal, "EFFECTS_QUEUE", road.queue)
    scheduled = Scheduled(road)
    await scheduled.console.schedule_sandbox(road.release, DAY)
    async with road.rolling():
        await scheduled.due()
        sentence = await scheduled.said(Kind.rollout_ended)
    (ended,) = road.ledger.bodies(Kind.rollout_ended)
    assert (ended["outcome"], ended["restored"], road.shares) == ("not_started", None, [])
    assert "starts nothing that needs a person: the playbook does not allow it without a person." in sentence
    await scheduled.console.unschedule_sandbox(road.release)


async def test_what_stands_against_a_sandbox_is_recorded_each_time_it_is_due(scheduled: Scheduled) -> None:
    road = scheduled.road
    await scheduled.console.schedule_sandbox(road.release, DAY)
    opened = IncidentOpened(
        workflow_id=road.workflow_id, environment=road.release.environment, service=road.release.service,
        candidate_name="v7", baseline_name="v6", severity="sev2", trigger="truth", sentence="hallucinations are up",
        evidence_digest="sha256:e", opened_by="automation", ends_by=fakes.now() + DAY,
    )  # fmt: skip
    await road.ledger.append(opened.entry("opened", "worker", incident_id="inc-1", release_id=road.release.release_id))
    async with road.rolling():
        await scheduled.due()
        sentence = await scheduled.said(Kind.rollout_skipped)
    assert sentence == "The sandbox that was due by its schedule was not started: incident inc-1 is open."
    assert road.shares == []
    await scheduled.console.unschedule_sandbox(road.release)


async def test_the_schedule_of_a_closed_release_ends_at_its_next_start(scheduled: Scheduled) -> None:
    road, release = scheduled.road, scheduled.road.release
    await scheduled.console.schedule_sandbox(release, DAY)
    await road.catalogue.close_release(release.release_id, fakes.now(), "it serves everybody")
    async with road.rolling():
        await scheduled.due()
        sentence = await scheduled.said(Kind.rollout_scheduled)
    assert "the release is closed (it serves everybody)" in sentence
    assert road.ledger.bodies(Kind.rollout_planned) == []
    with pytest.raises(RPCError):
        await scheduled.handle.describe()
