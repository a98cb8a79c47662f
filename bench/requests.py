"""The product as processes, and open requests for approval in it: what `bench.decision` clicks on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client, WorkflowHandle

from activities.briefing import Brief
from adapters.database import Database, utc_now
from adapters.directory_file import FileDirectory
from adapters.ledger import SqlLedger
from adapters.payload_codec import CodecKeys, EncryptingCodec
from adapters.settings import Settings
from adapters.signing import GatewayKey
from adapters.vault import SqlVault
from adapters.vault_key import MasterKey
from countermand import ids
from countermand.cli import environment
from countermand.cli.processes import Supervisor
from countermand.detection.models import Arm
from countermand.governance.shipped import rights_in_force
from countermand.ledger.bodies import Body, IncidentOpened, PlanMade, VerdictChanged
from countermand.plan.build import Found, build_plan
from countermand.plan.model import Plan, Release
from countermand.plan.target import Preflight, Split, TargetState
from countermand.playbook.model import Playbook, Severity
from runtime import plugin
from tests import cases
from tests.fakes import FakeTarget
from tests.verdicts import triggered
from tests.waiting import until
from workflows.approval import Approval, ApprovalInput, ApprovalResult
from workflows.ask_cards import AskCards, CardsInput
from workflows.policies import EFFECTS_QUEUE


@dataclass(frozen=True)
class Request:
    """One open request."""

    ask_id: str
    incident_id: str
    approval_digest: str
    approval: WorkflowHandle[Approval, ApprovalResult]


@dataclass(frozen=True)
class Press:
    """A decision, and when the person pressed: seconds since 1970."""

    request: Request
    decision_id: str
    at: float


@dataclass(frozen=True)
class Installation:
    """Temporal's development server, a worker and a console, each in a process of its own, over one data directory."""

    place: environment.Place
    supervisor: Supervisor
    passwords: dict[str, str]
    settings: Settings
    database: Database

    @property
    def key(self) -> GatewayKey:
        return GatewayKey(self.settings.gateway_key)

    def _ledger(self) -> SqlLedger:
        return SqlLedger(self.database, vault=SqlVault(self.database, MasterKey(self.settings.vault_key)))

    async def start(self) -> Client:
        """Start all three; returns a client of the server. Raises Failure."""
        start = self.supervisor.start
        await start(environment.temporal_server(self.place))
        # Patient: on a machine that does other things too, importing everything may take a minute.
        children = (environment.worker(self.place), environment.console(self.place))
        await asyncio.gather(*(start(child, within=120) for child in children))
        return await Client.connect(
            f"127.0.0.1:{self.place.temporal_port}",
            plugins=[plugin(EncryptingCodec(CodecKeys(self.settings.codec_keys)))],
        )

    async def ask(self, client: Client, count: int) -> list[Request]:
        """Open that many requests, each about a release of its own."""
        verdict = VerdictChanged.of("watch/bench", triggered(_PLAYBOOK.detection, _BAD, scored=200))
        directory = await FileDirectory(self.settings.governance).snapshot()
        brief = Brief(
            release=cases.release(),
            playbook=_PLAYBOOK,
            directory=directory,
            keys=self.key.gateway_keys(),
            rights=rights_in_force(directory.governance),
        )
        return await asyncio.gather(*(self._ask(client, number, verdict, brief) for number in range(count)))

    async def _ask(self, client: Client, number: int, verdict: VerdictChanged, brief: Brief) -> Request:
        release = brief.release.model_copy(update={"release_id": f"bench-{number}"})
        workflow_id = ids.incident_workflow(release.environment, release.service, release.release_id)
        incident_id = ids.incident_id(release.environment, release.service, release.release_id, 1)
        plan = _plan(incident_id, release, brief.directory.digest)
        bodies = (_opened(workflow_id, release, verdict), verdict, _made(plan))
        await _write(
            self._ledger(),
            bodies,
            incident_id,
            release.release_id,
        )
        approval = ids.approval_workflow(workflow_id, 1)
        ask_id = ids.ask_id(incident_id, 1)
        await client.start_workflow(
            AskCards.run,
            CardsInput(
                incident_id=incident_id,
                release_id=release.release_id,
                ask_id=ask_id,
                time_limit=_PLAYBOOK.incident_time_limit,
            ),
            id=ids.cards_workflow(approval),
            task_queue=EFFECTS_QUEUE,
        )
        handle = await client.start_workflow(
            Approval.run,
            ApprovalInput(
                ask_id=ask_id,
                plan=plan,
                policy=_PLAYBOOK.approvals[Severity.sev2],
                evidence_digest=verdict.evidence_digest,
                requester="automation",
                brief=brief.model_copy(update={"release": release}),
            ),
            id=approval,
            task_queue=EFFECTS_QUEUE,
        )

        async def opened() -> str | None:
            record = await self._ledger().find(f"{ask_id}/opened")
            return str(record.body["approval_digest"]) if record else None

        digest = await until(opened, f"request {ask_id} is open")
        return Request(ask_id=ask_id, incident_id=incident_id, approval_digest=digest, approval=handle)


async def accepted_after(presses: Sequence[Press]) -> list[float]:
    """Seconds from each press to the instant at which the server has its Update accepted in the history."""
    accepted: dict[str, float] = {}
    for request in {press.request.ask_id: press.request for press in presses}.values():
        async for event in request.approval.fetch_history_events():
            if event.HasField("workflow_execution_update_accepted_event_attributes"):
                update = event.workflow_execution_update_accepted_event_attributes.accepted_request.meta.update_id
                accepted[update] = event.event_time.ToNanoseconds() / 1e9
    return [accepted[press.decision_id] - press.at for press in presses]


@asynccontextmanager
async def installed(folder: Path) -> AsyncIterator[Installation]:
    """Everything that has to be there before the processes start; they are stopped at the end."""
    place = environment.Place.choose(folder, ".")
    place.data.mkdir(parents=True, mode=0o700, exist_ok=True)
    passwords = await environment.prepare(place)
    settings = Settings.from_environment(place.environment)
    database = Database(settings.database_url)
    supervisor = Supervisor(lambda _said: None)
    try:
        yield Installation(place, supervisor, passwords, settings, database)
    finally:
        await supervisor.stop()
        await database.close()


_PLAYBOOK: Playbook = cases.playbook()
_BAD = {Arm.candidate: 40, Arm.baseline: 4}


def _plan(incident_id: str, release: Release, governance_digest: str) -> Plan:
    state = TargetState(
        split=Split.candidate(5_000), revision="1", idempotency_key=None, fence=0, read_at=utc_now(),
        raw_sha256="sha256:state",
    )  # fmt: skip
    return build_plan(
        incident_id=incident_id,
        release=release,
        playbook=_PLAYBOOK,
        governance_digest=governance_digest,
        severity=Severity.sev2,
        found=[
            Found(
                state=state,
                preflight=Preflight(ready=True, problems=(), destination_digest=None, write_permitted=True),
                capabilities=FakeTarget.capabilities,
            )
        ],
    )


def _made(plan: Plan) -> PlanMade:
    return PlanMade(plan_digest=plan.digest, plan=plan.model_dump(mode="json"))


def _opened(workflow_id: str, release: Release, verdict: VerdictChanged) -> IncidentOpened:
    return IncidentOpened(
        workflow_id=workflow_id,
        environment=release.environment,
        service=release.service,
        candidate_name=release.candidate.name,
        baseline_name=release.baseline.name,
        severity=verdict.severity,
        trigger=verdict.trigger,
        sentence=verdict.sentence,
        evidence_digest=verdict.evidence_digest,
        opened_by="automation",
        ends_by=utc_now() + _PLAYBOOK.incident_time_limit,
    )


async def _write(ledger: SqlLedger, bodies: Sequence[Body], incident_id: str, release_id: str) -> None:
    keys = {"incident_id": incident_id, "release_id": release_id}
    await ledger.append(*(body.entry(f"{incident_id}/{body.KIND}", "bench", **keys) for body in bodies))
