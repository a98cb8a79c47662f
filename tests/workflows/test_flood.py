"""GOV-52: ten thousand signals of one cause are one incident with a short history, and a sev1 request of another
release still reaches people at once, on the same worker."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.ports import ReleaseStatus
from activities.signal_ports import Batch, LabelledOutput
from adapters.catalogue import SqlCatalogue
from adapters.database import Database
from adapters.migrate import upgrade
from adapters.signals import SqlSignals
from countermand import ids
from countermand.detection.models import Arm
from countermand.ledger.bodies import AskSentTo
from countermand.ledger.record import Kind
from countermand.plan.model import Release
from countermand.playbook.model import Playbook, Severity
from tests import cases, fakes
from tests.waiting import until
from tests.workflows.conftest import World
from workflows.incident import Incident
from workflows.incident_steps import Case
from workflows.release_watch import ReleaseWatch, WatchInput

#: `make test-flood-full` sends twenty times as much.
SIGNALS = 200_000 if os.environ.get("COUNTERMAND_FULL") else 10_000
BATCH = 1_000
#: Events of the longest history of the flooded release.
BOUND = 120
MARIA = (cases.MARIA, "Maria Keller")
#: The first block of the flooded release: a minute ago.
BEGUN = fakes.now().replace(microsecond=0) - timedelta(seconds=60)


class Releases(fakes.FakeCatalogue):
    """The flooded release, and another one of the same playbook."""

    def __init__(self, playbook: Playbook, flooded: Release, other: Release) -> None:
        super().__init__(playbook, flooded)
        self._other = ReleaseStatus(release=other, registered_at=fakes.now(), closed_at=None, closed_why=None)

    async def release(self, release_id: str) -> ReleaseStatus | None:
        return self._other if release_id == self._other.release.release_id else await super().release(release_id)


class Flood:
    """A world whose signals are kept in a real database."""

    def __init__(self, env: WorkflowEnvironment, database: Database) -> None:
        self._document = cases.playbook_document()
        self._document["approvals"]["sev1"] = self._document["approvals"]["sev2"]
        self._document["verification"]["time_limit"] = "6s"
        self._database = database
        self.world = World(env, Playbook.model_validate(self._document))
        self.store = SqlSignals(database)

    async def register(self) -> None:
        catalogue = SqlCatalogue(self._database)
        playbook_digest = await catalogue.put_playbook(json.dumps(self._document).encode())
        self.world.release = self.world.release.model_copy(update={"playbook_digest": playbook_digest})
        await catalogue.put_release(self.world.release, BEGUN)
        self.other = self.world.release.model_copy(update={"release_id": f"{self.world.release.release_id}-other"})
        self.world.catalogue = Releases(self.world.playbook, self.world.release, self.other)
        self.world.signals = self.store  # type: ignore[assignment]  # the real store instead of the fake one
        self.world.cards.people = (MARIA,)

    async def pour(self, first: int, count: int, since: datetime) -> None:
        """So many outputs of the flooded release, spread over twenty blocks; every answer of the candidate is bad."""
        for start in range(first, first + count, BATCH):
            items = tuple(
                LabelledOutput(
                    observation_id=f"o-{number}",
                    release_id=self.world.release.release_id,
                    arm=Arm.candidate if number % 2 else Arm.baseline,
                    signal="hallucinations",
                    event_time=since + timedelta(milliseconds=(number * 7) % 20_000),
                    outcome="bad" if number % 2 else "ok",
                )
                for number in range(start, start + BATCH)
            )
            batch = Batch(batch_id=f"b-{start}", body_sha256=f"{start}", items=items)
            await self.store.add("judge", batch, fakes.now(), may=lambda _release, _environment: True)

    async def watch(self, started_at: datetime) -> None:
        release = self.world.release
        await self.world.env.client.start_workflow(
            ReleaseWatch.run,
            WatchInput(
                release_id=release.release_id,
                environment=release.environment,
                service=release.service,
                playbook_digest=release.playbook_digest,
                started_at=started_at,
            ),
            id=self.watch_id,
            task_queue=self.world.queue,
        )

    @property
    def watch_id(self) -> str:
        return ids.watch_workflow(self.world.release.environment, self.world.release.release_id)

    async def emergency(self) -> str:
        """The other release has a sev1 incident; returns the id of the request that follows."""
        incident_id = ids.incident_id(self.other.environment, self.other.service, self.other.release_id, 1)
        case = Case(
            incident_id=incident_id,
            release_id=self.other.release_id,
            environment=self.other.environment,
            service=self.other.service,
            severity=Severity.sev1,
            verdict=self.world.verdict().model_copy(update={"severity": "sev1"}),
            opened_by="automation",
        )
        workflow_id = ids.incident_workflow(self.other.environment, self.other.service, self.other.release_id)
        await self.world.env.client.start_workflow(Incident.run, case, id=workflow_id, task_queue=self.world.queue)
        return ids.ask_id(incident_id, 1)

    async def events(self, workflow_id: str) -> int:
        return len((await self.world.env.client.get_workflow_handle(workflow_id).fetch_history()).events)


@pytest.fixture
async def flood(environment: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[Flood]:
    url = f"sqlite+aiosqlite:///{tmp_path}/flood.db"
    upgrade(url)
    database = Database(url)
    made = Flood(environment, database)
    await made.register()
    yield made
    await database.close()


@pytest.mark.timeout(1_800)
async def test_gov_52_a_flood_is_one_incident_with_a_short_history_and_a_sev1_request_still_goes_out(
    flood: Flood,
) -> None:
    world = flood.world
    for number in range(20):  # Maria's share of the hour is used up
        sent = AskSentTo(ask_id=f"inc-{number}-ask-1", subject=cases.MARIA, name="Maria", severity="sev3", lane="now")
        await world.ledger.append(sent.entry(f"sent/{number}", "worker"))
    await flood.pour(0, SIGNALS // 2, BEGUN)
    async with world.worker():
        await flood.watch(BEGUN)
        pouring = asyncio.create_task(flood.pour(SIGNALS // 2, SIGNALS // 2, fakes.now()))
        clock = time.monotonic()
        critical = await flood.emergency()

        async def shown() -> bool:
            return bool(world.cards.shown.get(critical))

        await until(shown, "the sev1 request is shown", within=60)
        assert time.monotonic() - clock < 60
        assert world.cards.lanes[critical] == {cases.MARIA: "own"}
        view = await world.reaches("asking")
        await pouring
        await asyncio.sleep(2)  # the watch has judged what came last
        assert view.ask is not None
        assert world.cards.lanes[view.ask.opened.ask_id] == {cases.MARIA: "batch"}
        opened = [record.release_id for record in await world.ledger.records(kinds=[Kind.incident_opened])]
        assert sorted(opened) == sorted([world.release.release_id, flood.other.release_id])
        lengths = [await flood.events(one) for one in (flood.watch_id, world.workflow_id, view.ask.opened.workflow_id)]
        assert max(lengths) <= BOUND, lengths
        await world.catalogue.close_release(world.release.release_id, fakes.now(), "the test is over")
