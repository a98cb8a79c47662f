"""Months of reporting clocks on the real server: only the clock of the workflow is moved forward."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from countermand import ids
from countermand.canonical import parse_instant
from countermand.governance.decision import Actor, Decision, DecisionKind
from countermand.ledger.bodies import DecisionMade
from countermand.ledger.record import Kind, Record
from tests import cases, fakes
from tests.rules.obligations.books import declared, only
from tests.waiting import until
from tests.workflows.conftest import World, start_environment
from workflows.decisions import UPDATE, Answer
from workflows.obligations import Obligations, ObligationsInput

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PRIYA = "local|priya"
#: Bytes of a report; only their digest matters here.
SENT = "sha256:" + "5" * 64


class Clocks:
    """The clocks of one incident, and Priya who looks after them. `shift`: how far their time was moved forward."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.incident_id = f"inc-{uuid.uuid4().hex[:8]}"
        self.workflow_id = ids.obligations_workflow(self.incident_id)
        self.shift = timedelta()
        people = world.people.governance.model_dump(mode="json", by_alias=True)["people"]
        priya = {"subject": PRIYA, "name": "Priya Nair", "roles": ["compliance_officer", "privacy_officer"]}
        world.people.governance = cases.governance(people=[*people, priya])

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift

    async def start(self) -> WorkflowHandle[Any, Any]:
        return await self.world.env.client.start_workflow(
            Obligations.run,
            ObligationsInput(incident_id=self.incident_id, release_id=self.world.release.release_id),
            id=self.workflow_id,
            task_queue=self.world.queue,
        )

    async def pass_time(self, handle: WorkflowHandle[Any, Any], length: timedelta) -> None:
        await self.world.env.fast_forward(handle, length)
        self.shift += length

    async def does(self, act: str, reason: str = "as the logs of tonight show", **terms: str) -> Answer:
        """Priya signs an act, as the console does, and hands it to the clocks."""
        directory = await self.world.people.snapshot()
        decision = Decision(
            decision_id=str(uuid.uuid4()),
            kind=DecisionKind.keep_obligation,
            addressed_to=self.workflow_id,
            incident_id=self.incident_id,
            ask_id=None,
            approval_digest=None,
            reason=reason,
            actor=Actor(
                subject=PRIYA,
                printed_name="Priya Nair",
                principal="person",
                roles=directory.roles_of(PRIYA),
                role_source="fake",
                role_as_of=fakes.now(),
            ),
            channel="web",
            acr="local",
            view_sha256=None,
            decided_at=fakes.now(),
            gateway_key_id=self.world.keys.key_id,
            terms={"act": act, **terms},
        )
        return await self.send(self.world.keys.sign(decision))

    async def send(self, decision: Decision) -> Answer:
        made = DecisionMade(decision=decision)
        await self.world.ledger.append(
            made.entry(f"decision/{decision.decision_id}", PRIYA, incident_id=self.incident_id)
        )
        handle = self.world.env.client.get_workflow_handle(self.workflow_id)
        return await handle.execute_update(UPDATE, decision, id=decision.decision_id, result_type=Answer)

    async def anchor(self, event: str, ago: timedelta = HOUR) -> datetime:
        at = self.now - ago
        await self.does("anchor", event=event, at=at.isoformat())
        return at

    async def files(self, row: str, at: datetime | None = None) -> None:
        """A report of a while ago, unless given: the workflow may still be on its way to `now`."""
        when = (at or self.now - 2 * HOUR).isoformat()
        await self.does("file", row=row, sha256=SENT, channel="portal", reference="R-1", filed_at=when)

    async def records(self, kind: Kind) -> list[Record]:
        return await self.world.ledger.records(incident_id=self.incident_id, kinds=[kind])

    async def has(self, kind: Kind, count: int, **said: object) -> list[Record]:
        """Wait until so many records of a kind say this."""

        async def there() -> list[Record] | None:
            found = [one for one in await self.records(kind) if said.items() <= one.body.items()]
            return found if len(found) >= count else None

        return await until(there, f"{count} records of {kind.value} with {said}")


@pytest.fixture
def clocks(environment: WorkflowEnvironment) -> Clocks:
    return Clocks(World(environment, cases.playbook()))


async def test_a_chain_of_nis2_runs_for_a_month_over_another_worker_and_ends_when_everything_is_decided(
    clocks: Clocks,
) -> None:
    world = clocks.world
    world.duties.profile = only(nis2__entity="essential")
    early, notification, final = "nis2-23-4-a", "nis2-23-4-b", "nis2-23-4-d"
    async with world.worker():
        handle = await clocks.start()
        await clocks.does("fact", path="significant_incident", value="yes")
        await clocks.does("fact", path="authority_request", value="no")
        await clocks.anchor("aware.significant_incident")
        await clocks.has(Kind.obligation_clock, 2)
        await clocks.pass_time(handle, 12 * HOUR)
        await clocks.has(Kind.obligation_warned, 1, row_id=early, point="50%")
        await clocks.files(early)
        await clocks.pass_time(handle, 26 * HOUR)
        await clocks.has(Kind.obligation_warned, 1, row_id=notification, point="50%")
    async with world.worker():
        await clocks.pass_time(handle, 20 * HOUR)
        await clocks.has(Kind.obligation_warned, 1, row_id=notification, point="80%")
        await clocks.pass_time(handle, 10 * HOUR)
        await clocks.has(Kind.obligation_warned, 1, row_id=notification, point="-4h")
        await clocks.files(notification)
        await clocks.has(Kind.obligation_clock, 1, row_id=final)
        await clocks.pass_time(handle, 33 * DAY)
        overdue = (await clocks.has(Kind.obligation_overdue, 1, row_id=final))[0]
        await clocks.files(final, parse_instant(overdue.body["legal_latest"]) + timedelta(milliseconds=1))
        await clocks.does("decide", "counsel was heard, see minutes", regime="nis2", reportable="yes")
        assert "no clock runs" in (await handle.result()).lower()
        await clocks.has(Kind.obligation_closed, 1)
        late = {one.body["row_id"]: one.body["late"] for one in await clocks.records(Kind.obligation_filed)}
        assert late == {early: False, notification: False, final: True}
    assert ("obligation_warned", "operator") in world.channel.steps()
    points = {(one.body["row_id"], one.body["point"]) for one in await clocks.records(Kind.obligation_warned)}
    assert (early, "80%") not in points, "nobody is warned about what was reported"


async def test_a_row_of_a_group_is_rebased_when_the_facts_change_and_its_history_is_kept(clocks: Clocks) -> None:
    clocks.world.duties.profile = declared(eu_ai_act__role="provider")
    async with clocks.world.worker():
        handle = await clocks.start()
        await clocks.does("fact", path="widespread_infringement", value="no")
        await clocks.does("fact", path="limbs", value="a_health, b_critical_infrastructure")
        await clocks.anchor("aware.ai_serious_incident")
        await clocks.has(Kind.obligation_clock, 1, row_id="eu-aia-73-3", rebased_from=None)
        await clocks.does("fact", path="limbs", value="a_health")
        await clocks.has(Kind.obligation_clock, 1, row_id="eu-aia-73-2", rebased_from="eu-aia-73-3")
        await handle.terminate()
    assert len(await clocks.records(Kind.obligation_clock)) == 2


async def test_a_delay_by_an_authority_moves_a_clock_and_keeps_its_original_time(clocks: Clocks) -> None:
    clocks.world.duties.profile = declared(hipaa__covered_entity=True)
    async with clocks.world.worker():
        handle = await clocks.start()
        await clocks.does("fact", path="phi_breach", value="yes")
        await clocks.anchor("discovered.phi_breach")
        await clocks.pass_time(handle, 50 * DAY)
        await clocks.has(Kind.obligation_warned, 1, row_id="hipaa-164-404", point="80%")
        end = clocks.now + 20 * DAY
        await clocks.does("toll", row="hipaa-164-404", rule="hipaa_164_412", authority="FBI", until=end.isoformat())
        await clocks.pass_time(handle, 15 * DAY)
        await clocks.has(Kind.obligation_overdue, 1, row_id="hipaa-164-406")
        assert not await _overdue(clocks, "hipaa-164-404"), "a delayed clock is not overdue"
        await clocks.pass_time(handle, 10 * DAY)
        await clocks.has(Kind.obligation_overdue, 1, row_id="hipaa-164-404")
        await handle.terminate()


async def _overdue(clocks: Clocks, row_id: str) -> list[Record]:
    return [one for one in await clocks.records(Kind.obligation_overdue) if one.body["row_id"] == row_id]


async def test_with_no_profile_the_clocks_end_at_once_and_an_act_of_a_person_is_still_judged(clocks: Clocks) -> None:
    async with clocks.world.worker():
        sentence = await (await clocks.start()).result()
    assert "Nobody declared" in sentence
    assert await clocks.records(Kind.obligation_clock) == []


async def test_an_act_that_nobody_signed_or_that_a_machine_signed_is_refused(clocks: Clocks) -> None:
    clocks.world.duties.profile = declared(nis2__entity="essential")
    async with clocks.world.worker():
        handle = await clocks.start()
        await clocks.does("fact", path="significant_incident", value="yes")
        stored = (await clocks.records(Kind.decision))[0]
        signed = DecisionMade.model_validate(stored.body).decision
        forged = signed.model_copy(
            update={"decision_id": "forged", "terms": {"act": "set_aside", "row": "nis2-23-4-a"}}
        )
        machine = clocks.world.keys.sign(
            signed.model_copy(
                update={
                    "decision_id": "machine",
                    "actor": signed.actor.model_copy(update={"principal": "automation"}),
                }
            )
        )
        for decision, code in ((forged, "signature_invalid"), (machine, "actor_not_a_person")):
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await clocks.send(decision)
            assert isinstance(refused.value.cause, ApplicationError)
            assert refused.value.cause.details[0] == code
        await handle.terminate()
    assert await clocks.records(Kind.obligation_set_aside) == []


async def test_a_long_story_goes_on_in_a_new_run_and_no_warning_is_lost() -> None:
    short = "--dynamic-config-value=limit.historyCount.suggestContinueAsNew=60"
    async with start_environment(more=(short,)) as env:
        clocks = Clocks(World(env, cases.playbook()))
        clocks.world.duties.profile = only(nis2__entity="essential")
        async with clocks.world.worker():
            first = await clocks.start()
            await clocks.does("fact", path="significant_incident", value="yes")
            await clocks.anchor("aware.significant_incident")
            for _ in range(8):
                await clocks.does("fact", path="authority_request", value="no")
            handle = env.client.get_workflow_handle(clocks.workflow_id)

            async def another_run() -> bool:
                return (await handle.describe()).run_id != first.first_execution_run_id

            await until(another_run, "a new run")
            await clocks.pass_time(handle, 12 * HOUR)
            await clocks.has(Kind.obligation_warned, 1, row_id="nis2-23-4-a", point="50%", roles=["compliance_officer"])
            await clocks.pass_time(handle, 8 * HOUR)
            again = (await clocks.has(Kind.obligation_warned, 1, row_id="nis2-23-4-a", point="80%"))[0].body
            assert again["roles"] == ["compliance_officer", "incident_commander"], "nobody did anything"
            last = (await clocks.has(Kind.obligation_warned, 1, row_id="nis2-23-4-a", point="-4h"))[0].body
            assert last["roles"][-1] == "executive"
            await handle.terminate()
