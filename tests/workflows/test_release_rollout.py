"""Going forward: on positive evidence only, and back whenever there is none."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities import rolling
from activities.briefing import BriefingActivities
from activities.recording import RecordingActivities
from activities.recurring import RecurringActivities
from activities.rolling import RollingActivities
from activities.rolling_watch import StepWatching
from activities.rolling_words import RolloutWords
from activities.sealing import Sealer
from adapters.schedules import TemporalSchedules
from countermand import ids
from countermand.detection.models import Arm
from countermand.governance.decision import DecisionKind
from countermand.ledger.bodies import DecisionMade, RolloutPlanned
from countermand.ledger.record import Kind
from countermand.messages.rollout import facts
from countermand.plan.target import Split
from countermand.playbook.model import Playbook, Step
from countermand.rollout.plan import RolloutPlan
from countermand.rollout.view import RolloutView, rollouts
from runtime import WORKFLOWS
from tests import cases, fakes
from tests.rollouts import SANDBOX, LeasedTarget, PlainTarget, decision, document, playbook
from tests.waiting import until
from tests.workflows.conftest import World
from workflows.decisions import UPDATE, Answer
from workflows.release_rollout import ReleaseRollout, RolloutInput, RolloutResult

Handle = WorkflowHandle[ReleaseRollout, RolloutResult]


class Road(World):
    """One release that goes forward; its candidate serves nobody yet."""

    def __init__(self, env: WorkflowEnvironment, playbook: Playbook) -> None:
        super().__init__(env, playbook)
        self.leased = LeasedTarget(0, self.release.candidate.digest, self.release.baseline.digest)
        self.signals.scored = 2_000
        self.signals.bad = {Arm.candidate: 30, Arm.baseline: 30}
        self.rollout_id = f"rollout-{uuid.uuid4().hex[:8]}"

    @asynccontextmanager
    async def rolling(self) -> AsyncIterator[None]:
        await cases.register(self.ledger, self.release)
        sealer = Sealer(self.signals, lambda _name: None)
        acts = RollingActivities(self.leased, self.ledger, self.catalogue, self.people, self.keys, fakes.now)
        watching = StepWatching(self.signals, sealer, self.catalogue, self.ledger, self.leased, fakes.now)
        words = RolloutWords(self.ledger, fakes.FakeRenderer(), self.channel, "http://console")
        async with Worker(
            self.env.client,
            task_queue=self.queue,
            workflows=WORKFLOWS,
            activities=[
                RecordingActivities(self.ledger).record,
                BriefingActivities(self.catalogue, self.people, self.keys, fakes.adoptions(self.catalogue)).brief,
                acts.plan_rollout,
                acts.set_share,
                acts.end_rollout,
                RecurringActivities(TemporalSchedules(self.env.client), self.catalogue, self.ledger).end_if_closed,
                watching.watch_step,
                words.tell_rollout,
            ],
            graceful_shutdown_timeout=timedelta(seconds=1),
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
        ):
            yield

    async def start(self, kind: str) -> Handle:
        return await self.env.client.start_workflow(
            ReleaseRollout.run,
            RolloutInput(rollout_id=self.rollout_id, release_id=self.release.release_id, kind=kind),
            id=ids.rollout_workflow(self.release.environment, self.release.release_id),
            task_queue=self.queue,
        )

    async def over(self, handle: Handle) -> RolloutResult:
        return await asyncio.wait_for(handle.result(), 150)

    async def plan(self) -> RolloutPlan:
        async def there() -> RolloutPlan | None:
            found = await self.ledger.find(ids.rollout_record(self.rollout_id, "planned"))
            return RolloutPlan.model_validate(RolloutPlanned.model_validate(found.body).plan) if found else None

        return await until(there, "it is planned")

    async def says(self, kind: DecisionKind, who: str, **changes: Any) -> Answer:
        plan = await self.plan()
        said = decision(kind, plan, who, await self.people.snapshot(), self.keys, **changes)
        entry = DecisionMade(decision=said).entry(
            f"decision/{said.decision_id}", who, release_id=self.release.release_id
        )
        await self.ledger.append(entry)
        handle = self.env.client.get_workflow_handle_for(ReleaseRollout.run, plan.workflow_id)
        await handle.execute_update(ReleaseRollout.begin, self.rollout_id)
        return await handle.execute_update(UPDATE, said, id=said.decision_id, result_type=Answer)

    async def shown(self) -> RolloutView:
        (view,) = rollouts(await self.ledger.records(release_id=self.release.release_id))
        return view

    async def status(self, word: str) -> RolloutView:
        async def there() -> RolloutView | None:
            found = rollouts(await self.ledger.records(release_id=self.release.release_id))
            return found[0] if found and found[0].status == word else None

        return await until(there, f"the rollout is {word}", within=100)

    @property
    def shares(self) -> list[int]:
        return [share for _, share in self.leased.effects]


@pytest.fixture
def road(environment: WorkflowEnvironment) -> Road:
    return Road(environment, playbook())


async def test_a_sandbox_without_a_person_shows_health_and_ends_with_the_state_from_before(road: Road) -> None:
    before = road.leased.split
    async with road.rolling():
        result = await road.over(await road.start("sandbox"))
    assert (result.outcome, result.restored) == ("done", True)
    assert road.shares == [100, 0]
    assert road.leased.split == before
    assert road.leased.held == {}
    (ended,) = road.ledger.bodies(Kind.rollout_ended)
    assert ended["wanted_digest"] == ended["seen_digest"] == (await road.plan()).before.digest
    assert ended["signals"] == ["hallucinations"]
    (promoted,) = road.ledger.bodies(Kind.rollout_promoted)
    assert "3 times as bad" in str(promoted["sentence"])
    assert "bad of" in str(promoted["sentence"])
    assert {step for step, _ in road.channel.steps()} == {"rollout_started", "rollout_ended"}


async def test_a_trigger_ends_a_sandbox_at_once_with_the_state_from_before(road: Road) -> None:
    road.signals.bad[Arm.candidate] = 400
    async with road.rolling():
        result = await road.over(await road.start("sandbox"))
    assert (result.outcome, result.restored) == ("trigger", True)
    assert road.shares == [100, 0]
    assert road.ledger.bodies(Kind.rollout_promoted) == []


async def test_no_data_certifies_nothing_and_the_sandbox_goes_back_in_doubt(environment: WorkflowEnvironment) -> None:
    road = Road(environment, playbook(sandbox=SANDBOX | {"time_limit": "4s"}))
    road.signals.flowing = False
    async with road.rolling():
        result = await road.over(await road.start("sandbox"))
    assert (result.outcome, result.restored) == ("doubtful", True)
    assert road.shares == [100, 0]


async def test_a_share_that_traffic_never_shows_certifies_nothing_and_ends_in_doubt(road: Road) -> None:
    road.leased.users = 0
    async with road.rolling():
        result = await road.over(await road.start("sandbox"))
    assert (result.outcome, result.restored) == ("doubtful", False)
    assert "no traffic is not success" in result.sentence
    assert road.ledger.bodies(Kind.rollout_promoted) == []
    assert road.shares == [100, 0]


async def test_a_lease_that_the_target_ended_ends_the_sandbox(road: Road) -> None:
    road.leased.lost = True
    async with road.rolling():
        result = await road.over(await road.start("sandbox"))
    assert (result.outcome, result.restored) == ("lost", True)
    assert road.shares == [100], "the target went back by itself"


async def test_a_target_without_leases_needs_a_person_and_says_so(road: Road) -> None:
    road.leased = PlainTarget(0, road.release.candidate.digest, road.release.baseline.digest)
    async with road.rolling():
        handle = await road.start("sandbox")
        answer = await handle.execute_update(ReleaseRollout.begin, road.rollout_id)
        assert answer.status == "waiting"
        assert "cannot go back by itself" in answer.sentence
        await road.says(DecisionKind.start_rollout, cases.LENA)
        result = await road.over(handle)
    assert (result.outcome, result.restored) == ("done", True)


async def test_a_ramp_climbs_on_evidence_after_a_person_started_exactly_this_plan(road: Road) -> None:
    async with road.rolling():
        handle = await road.start("ramp")
        assert (await road.status("waiting")).wants_start
        assert road.shares == []
        await road.says(DecisionKind.start_rollout, cases.LENA)
        result = await road.over(handle)
    assert (result.outcome, result.restored) == ("done", None)
    assert road.shares == [500, 5_000]
    assert [body["step"] for body in road.ledger.bodies(Kind.rollout_promoted)] == [1, 2]
    assert {step for step, _ in road.channel.steps()} == {"rollout_started", "rollout_promoted", "rollout_ended"}


async def test_a_ramp_that_moves_only_a_part_of_the_bundle_does_not_call_the_release_complete(
    environment: WorkflowEnvironment,
) -> None:
    said = document(ramp=[{"share": "100%", "at_least": "400ms", "time_limit": "120s"}])
    said["revert"] |= {
        "together": [{"target": "registry", "member": "chat-prompt", "part": "prompt"}],
        "on_member_failure": "hold",
    }
    road = Road(environment, Playbook.model_validate(said))
    async with road.rolling():
        handle = await road.start("ramp")
        await road.says(DecisionKind.start_rollout, cases.LENA)
        result = await road.over(handle)
    assert result.outcome == "done"
    assert "The release is not complete: registry/chat-prompt is not moved by this rollout." in result.sentence
    (ended,) = road.ledger.bodies(Kind.rollout_ended)
    assert ended["candidate_bp"] is None
    view = await road.shown()
    told = facts(view, step=Step.rollout_ended, console_url="http://console")["rollout"]
    assert told["outcome"] == "is done for a part of the release only"


async def test_a_trigger_in_a_ramp_leaves_the_target_to_the_incident(road: Road) -> None:
    road.signals.bad[Arm.candidate] = 400
    async with road.rolling():
        handle = await road.start("ramp")
        await road.says(DecisionKind.start_rollout, cases.LENA)
        result = await road.over(handle)
    assert result.outcome == "handed_over"
    assert road.shares == [500]
    assert road.leased.split == Split.candidate(500)


async def test_a_ramp_without_evidence_is_held_and_a_person_can_watch_on(environment: WorkflowEnvironment) -> None:
    ramp = [{"share": "5%", "at_least": "400ms", "time_limit": "4s"}]
    road = Road(environment, playbook(ramp=ramp))
    road.signals.flowing = False
    async with road.rolling():
        handle = await road.start("ramp")
        await road.says(DecisionKind.start_rollout, cases.LENA)
        held = await road.status("held")
        assert held.wants_start
        road.signals.flowing = True
        await road.says(DecisionKind.start_rollout, cases.LENA)
        result = await road.over(handle)
    assert ("ramp_held", "operator") in road.channel.steps()
    assert result.outcome in ("done", "doubtful")
    assert road.shares[0] == 500


async def test_a_held_ramp_that_nobody_decides_on_goes_back(environment: WorkflowEnvironment) -> None:
    road = Road(environment, playbook(ramp=[{"share": "5%", "at_least": "400ms", "time_limit": "2s"}]))
    road.signals.flowing = False
    async with road.rolling():
        handle = await road.start("ramp")
        await road.says(DecisionKind.start_rollout, cases.LENA)
        result = await road.over(handle)
    assert (result.outcome, result.restored) == ("doubtful", True)
    assert "Nobody decided in time" in result.sentence
    assert road.shares == [500, 0]


async def test_a_person_stops_a_ramp_and_everybody_goes_back(road: Road) -> None:
    road.signals.flowing = False
    async with road.rolling():
        handle = await road.start("ramp")
        await road.says(DecisionKind.start_rollout, cases.LENA)
        await road.status("running")
        await road.says(DecisionKind.stop_rollout, cases.JONAS)
        result = await road.over(handle)
    assert (result.outcome, result.restored) == ("stopped", True)
    assert road.shares == [500, 0]


async def test_a_change_by_another_hand_is_not_overwritten(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rolling, "_GRACE", timedelta(seconds=1))
    road.signals.flowing = False
    async with road.rolling():
        handle = await road.start("ramp")
        await road.says(DecisionKind.start_rollout, cases.LENA)
        await road.status("running")
        road.leased.split, road.leased.generation = Split.candidate(700), 99
        await road.says(DecisionKind.stop_rollout, cases.JONAS)
        result = await road.over(handle)
    assert (result.outcome, result.restored) == ("stopped", False)
    assert road.leased.split == Split.candidate(700)
    assert "look now" in result.sentence.lower()
