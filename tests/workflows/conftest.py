"""A real Temporal server, a real worker with the real activities, fake ports; people who decide."""

from __future__ import annotations

import shutil
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.converter import PayloadCodec
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment
from temporalio.worker import Worker

from activities.adopting import AdoptingActivities
from activities.briefing import BriefingActivities
from activities.checking import CheckingActivities
from activities.communicating import CommunicatingActivities
from activities.data_ports import DataSources
from activities.emergencies import EmergencyActivities
from activities.freezing import FreezingActivities
from activities.gating import GatingActivities
from activities.guarding import GuardingActivities
from activities.investigating import InvestigatingActivities
from activities.keeping import KeepingActivities
from activities.marking import MarkingActivities
from activities.planning import PlanningActivities
from activities.readying import ReadyingActivities
from activities.recording import RecordingActivities
from activities.review_keeping import ReviewKeepingActivities
from activities.reviewing import ReviewingActivities
from activities.sealing import Sealer
from activities.showing import ShowingActivities
from activities.staging import StagingActivities
from activities.traffic import TrafficActivities
from activities.verifying import VerifyingActivities
from activities.watching import WatchingActivities
from console.decide import VOTES
from countermand import ids
from countermand.detection.models import Arm
from countermand.governance.decision import Actor, Decision, DecisionKind
from countermand.ledger.bodies import DecisionMade, ReviewDrafted, VerdictChanged
from countermand.ledger.record import Kind
from countermand.messages.incident import IncidentView, incident
from countermand.playbook.model import Playbook, Severity
from countermand.review.parts import Part
from runtime import WORKFLOWS, plugin
from tests import cases, fakes, reviewing
from tests.payloads import codec
from tests.verdicts import triggered
from tests.waiting import until
from workflows.decisions import UPDATE, Answer
from workflows.incident import Incident
from workflows.incident_steps import Case
from workflows.policies import OBSERVE_QUEUE
from workflows.visibility import ALL


@asynccontextmanager
async def start_environment(
    through: PayloadCodec | None = None, *, more: tuple[str, ...] = ()
) -> AsyncIterator[WorkflowEnvironment]:
    """The real server from this environment's own binary; clocks of single workflows can be moved forward. Payloads
    are encrypted unless they go `through` another codec."""
    temporal = shutil.which("temporal", path=str(Path(sys.executable).parent)) or shutil.which("temporal")
    async with await WorkflowEnvironment.start_time_skipping_v2(
        ts_config=TimeSkippingConfig(enabled=False),
        dev_server_existing_path=temporal,
        plugins=[plugin(through or codec())],
        search_attributes=list(ALL),
        dev_server_extra_args=[
            *(
                f"--dynamic-config-value=history.{kind}ProcessorMaxPollRPS=2000"
                for kind in ("transfer", "timer", "visibility")
            ),
            '--dynamic-config-value=history.timerProcessorMaxTimeShift="1ms"',
            "--dynamic-config-value=frontend.WorkflowTimeSkippingEnabled=true",
            *more,
        ],
    ) as env:
        yield env


@pytest.fixture(scope="session")
async def environment() -> AsyncIterator[WorkflowEnvironment]:
    """One server for the whole session."""
    async with start_environment() as env:
        yield env


@dataclass
class World:
    """Everything around one incident."""

    env: WorkflowEnvironment
    playbook: Playbook
    queue: str = field(default_factory=lambda: f"test-{uuid.uuid4()}")
    ledger: fakes.FakeLedger = field(default_factory=fakes.FakeLedger)
    channel: fakes.FakeChannel = field(default_factory=fakes.FakeChannel)
    cards: fakes.FakeCards = field(default_factory=fakes.FakeCards)
    keys: fakes.FakeKeys = field(default_factory=fakes.FakeKeys)
    trust: fakes.FakeTrust = field(default_factory=fakes.FakeTrust)
    data: DataSources = field(default_factory=fakes.FakeData)
    duties: fakes.FakeDuties = field(default_factory=fakes.FakeDuties)

    def __post_init__(self) -> None:
        self.release = cases.release().model_copy(update={"release_id": f"r-{uuid.uuid4().hex[:8]}"})
        self.target = fakes.FakeTarget(5_000, self.release.baseline.digest)
        self.targets = fakes.FakeTargets(fake=self.target)
        self.catalogue = fakes.FakeCatalogue(self.playbook, self.release)
        self.signals = fakes.FakeSignals(self.playbook.detection.block)
        self.people = fakes.FakePeople(cases.governance())

    @property
    def workflow_id(self) -> str:
        return ids.incident_workflow(self.release.environment, self.release.service, self.release.release_id)

    @property
    def incident_id(self) -> str:
        return ids.incident_id(self.release.environment, self.release.service, self.release.release_id, 1)

    @asynccontextmanager
    async def worker(self, *, more: Sequence[Callable[..., Any]] = ()) -> AsyncIterator[Worker]:
        """`more`: activities that few stories need."""
        await cases.register(self.ledger, self.release)
        planning = PlanningActivities(self.targets, self.ledger, self.keys, fakes.now)
        staging = StagingActivities(self.targets, self.ledger, self.people, self.keys, fakes.now)
        emergencies = EmergencyActivities(self.targets, self.ledger, self.people, self.keys, fakes.now)
        gating = GatingActivities(self.targets, self.ledger, self.keys, self.trust, self.duties, fakes.now)
        reviewing = ReviewingActivities(self.ledger, fakes.FakeRenderer(), self.catalogue, fakes.now)
        reviews = ReviewKeepingActivities(self.ledger, self.people, self.keys, self.channel, "http://console")
        sealer = Sealer(self.signals, lambda _name: None)
        verifying = VerifyingActivities(self.signals, sealer, self.catalogue, self.ledger, self.targets, fakes.now)
        watching = WatchingActivities(self.signals, sealer, self.catalogue, fakes.now)
        keeping = KeepingActivities(
            self.ledger, self.duties, self.people, self.keys, self.channel, "http://console", fakes.now
        )
        investigating = InvestigatingActivities(self.ledger, self.signals, fakes.now)
        guarding = GuardingActivities(
            self.targets, self.ledger, self.people, self.keys, fakes.now, timedelta(milliseconds=200)
        )
        async with (
            Worker(
                self.env.client,
                task_queue=self.queue,
                workflows=WORKFLOWS,
                activities=[
                    RecordingActivities(self.ledger).record,
                    BriefingActivities(self.catalogue, self.people, self.keys, fakes.adoptions(self.catalogue)).brief,
                    FreezingActivities(
                        self.ledger, self.catalogue, self.signals, self.targets, self.people, fakes.now
                    ).freeze,
                    planning.make_plan,
                    planning.open_ask,
                    planning.name_alternative,
                    gating.decide_gate,
                    gating.decide_default,
                    staging.recheck,
                    staging.set_stage,
                    TrafficActivities(self.targets, self.ledger, fakes.now).verify_traffic,
                    CheckingActivities(self.targets, self.data, self.ledger, fakes.now).run_checks,
                    emergencies.confirm_declared,
                    emergencies.eligible,
                    emergencies.break_glass,
                    investigating.measure_slices,
                    investigating.registered_since,
                    verifying.verify_health,
                    verifying.watch_health,
                    CommunicatingActivities(
                        self.ledger, fakes.FakeRenderer(), self.channel, "http://console"
                    ).communicate,
                    ShowingActivities(self.ledger, self.cards, self.people, fakes.now).show_ask,
                    reviewing.draft_review,
                    reviews.look_at_review,
                    reviews.call_for_review,
                    reviews.keep_review,
                    keeping.look_at_clocks,
                    keeping.warn_owner,
                    keeping.keep_obligation,
                    reviewing.close_release,
                    AdoptingActivities(
                        self.ledger, self.catalogue, self.people, self.keys, fakes.FakeAdoptionKey()
                    ).adopt_playbook,
                    MarkingActivities(self.targets, self.ledger).mark_version,
                    ReadyingActivities(self.targets, self.catalogue, self.ledger).look_at_destination,
                    *more,
                ],
                graceful_shutdown_timeout=timedelta(seconds=1),
                sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
            ) as worker,
            Worker(self.env.client, task_queue=OBSERVE_QUEUE, activities=[watching.observe, guarding.guard]),
        ):
            yield worker
        await self.evidence_came_first()

    async def evidence_came_first(self) -> None:
        """I10, in every story that is told here: nothing was changed before the evidence was frozen, somebody signed
        that it goes on without, or the glass was broken."""
        carrying = {Kind.freeze_completed, Kind.freeze_waived, Kind.glass_broken}
        safe = set()
        for record in await self.ledger.records(kinds=[*carrying, Kind.stage_intent]):
            if record.kind in carrying:
                safe.add(record.incident_id)
            else:
                assert record.incident_id in safe, f"record {record.seq} changes something before evidence is safe"

    async def open_incident(self) -> WorkflowHandle[Any, Any]:
        self.signals.standing = True
        verdict = self.verdict()
        case = Case(
            incident_id=self.incident_id,
            release_id=self.release.release_id,
            environment=self.release.environment,
            service=self.release.service,
            severity=Severity(verdict.severity),
            verdict=verdict,
            opened_by="automation",
        )
        return await self.env.client.start_workflow(Incident.run, case, id=self.workflow_id, task_queue=self.queue)

    def verdict(self, candidate_bad: int = 40) -> VerdictChanged:
        fired = triggered(self.playbook.detection, {Arm.candidate: candidate_bad, Arm.baseline: 4}, scored=200)
        return VerdictChanged.of("watch/test", fired)

    async def view(self) -> IncidentView:
        found = incident(await self.ledger.records(incident_id=self.incident_id))
        assert found is not None
        return found

    async def reaches(self, phase: str) -> IncidentView:
        """Wait until the incident's status is `phase`."""

        async def there() -> IncidentView | None:
            if not await self.ledger.records(incident_id=self.incident_id):
                return None
            view = await self.view()
            return view if view.status == phase and (phase != "asking" or self._asked(view)) else None

        return await until(there, f"incident reaches {phase}")

    async def reviewed(self) -> None:
        """Wait until the review is drafted and people are told."""

        async def told() -> bool:
            return ("review_drafted", "approver") in self.channel.steps()

        await until(told, "the review is drafted")
        await self.env.client.get_workflow_handle(ids.messages_workflow(self.incident_id)).result()

    async def write_review(self) -> None:
        """Jonas writes every part that has to be there before anybody can sign."""
        await self.reviewed()
        drafted = ReviewDrafted.model_validate(self.ledger.bodies(Kind.review_drafted)[-1])
        for name in drafted.required:
            await self.decide(DecisionKind.keep_review, cases.JONAS, terms=reviewing.part(Part(name)))

    @staticmethod
    def _asked(view: IncidentView) -> bool:
        return view.ask is not None and view.ask.status == "pending"

    async def decide(
        self, kind: DecisionKind, who: str, *, reason: str = "seen the evidence, agreed", **changes: Any
    ) -> Answer:
        """What the console does: sign a decision of this person and send it to the workflow that judges it."""
        view, directory = await self.view(), await self.people.snapshot()
        opened = view.ask.opened if view.ask else None
        for_ask = kind in VOTES and opened is not None
        if for_ask and opened is not None:
            addressee = opened.workflow_id
        elif kind in (DecisionKind.sign_review, DecisionKind.keep_review):
            addressee = ids.review_workflow(self.incident_id)
        else:
            assert view.phase is not None
            addressee = view.phase.commands_to
        decision = Decision(
            decision_id=str(uuid.uuid4()),
            kind=kind,
            addressed_to=addressee,
            incident_id=self.incident_id,
            ask_id=opened.ask_id if for_ask and opened else None,
            approval_digest=opened.approval_digest if for_ask and opened else None,
            reason=reason,
            actor=Actor(
                subject=who,
                printed_name=directory.name_of(who),
                principal="person",
                roles=directory.roles_of(who),
                role_source="fake",
                role_as_of=fakes.now(),
            ),
            channel="web",
            acr="local",
            view_sha256=None,
            decided_at=fakes.now(),
            gateway_key_id=self.keys.key_id,
        ).model_copy(update={key: value for key, value in changes.items() if key != "signature"})
        signed = self.keys.sign(decision)
        if "signature" in changes:
            signed = signed.model_copy(update={"signature": changes["signature"]})
        await self.ledger.append(
            DecisionMade(decision=signed).entry(f"decision/{signed.decision_id}", who, incident_id=self.incident_id)
        )
        handle = self.env.client.get_workflow_handle(signed.addressed_to)
        return await handle.execute_update(UPDATE, signed, id=signed.decision_id, result_type=Answer)

    async def approve_by_two(self) -> None:
        await self.reaches("asking")
        await self.decide(DecisionKind.approve, cases.MARIA)
        await self.decide(DecisionKind.approve, cases.JONAS)


@pytest.fixture
def world(environment: WorkflowEnvironment) -> World:
    return World(environment, cases.playbook())
