"""Duties on a real server: put off twice, an executive, done, skipped, missed; schedules that take a change over."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.auditing import Audit, AuditingActivities
from activities.cadence import CadenceActivities, duties_planned
from countermand import ids
from countermand.cadence import acts
from countermand.cadence.audits import Audited
from countermand.cadence.duty import Planned, as_shipped, shipped
from countermand.governance.decision import Actor, Decision, DecisionKind
from countermand.ledger.bodies import DecisionMade
from countermand.ledger.cadence_bodies import Finding
from countermand.ledger.record import Kind
from runtime import keep_duties
from tests import cases, fakes
from tests.waiting import until
from workflows.cadence_run import CadenceInput, CadenceRun
from workflows.decisions import UPDATE, Answer

TABLETOP = next(one for one in shipped() if one.id == "tabletop")


@dataclass
class FakeCadence:
    """The shipped duties with some of them changed; implements Cadence."""

    changed: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def read(self) -> tuple[tuple[Planned, ...], str]:
        return tuple(
            one.model_copy(update={"duty": one.duty.model_copy(update=self.changed.get(one.duty.id, {}))})
            for one in as_shipped()
        ), ""


@dataclass
class Office:
    """Everything around one duty of people."""

    env: WorkflowEnvironment
    queue: str = field(default_factory=lambda: f"test-{uuid.uuid4()}")
    ledger: fakes.FakeLedger = field(default_factory=fakes.FakeLedger)
    channel: fakes.FakeChannel = field(default_factory=fakes.FakeChannel)
    keys: fakes.FakeKeys = field(default_factory=fakes.FakeKeys)
    cadence: FakeCadence = field(default_factory=FakeCadence)
    audits: dict[str, Audit] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.people = fakes.FakePeople(cases.governance())
        self.catalogue = fakes.FakeCatalogue(cases.playbook(), cases.release())

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        activities = CadenceActivities(
            self.ledger, self.cadence, self.catalogue, self.people, self.keys, self.channel, "http://console"
        )
        async with Worker(
            self.env.client,
            task_queue=self.queue,
            workflows=[CadenceRun],
            activities=[
                activities.look_at_duty,
                activities.ask_for_duty,
                activities.close_duty,
                activities.miss_duty,
                AuditingActivities(self.ledger, self.audits).audit,
            ],
            graceful_shutdown_timeout=timedelta(seconds=1),
        ):
            yield

    async def start(self, duty: str, number: int = 1) -> WorkflowHandle[Any, str]:
        request = CadenceInput(duty=duty, number=number)
        return await self.env.client.start_workflow(CadenceRun.run, request, id=self.queue, task_queue=self.queue)

    async def asked(self, records: int) -> None:
        async def there() -> bool:
            return len(await self.ledger.records(kinds=(Kind.cadence_opened, Kind.cadence_moved))) >= records

        await until(there, f"people are asked {records} times")

    async def decide(self, who: str, said: dict[str, str], reason: str) -> Answer:
        directory = await self.people.snapshot()
        decision = Decision(
            decision_id=str(uuid.uuid4()),
            kind=DecisionKind.do_duty,
            addressed_to=self.queue,
            incident_id="",
            ask_id=None,
            approval_digest=None,
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
            terms=said,
        )
        signed = self.keys.sign(decision)
        await self.ledger.append(DecisionMade(decision=signed).entry(f"decision/{signed.decision_id}", who))
        handle = self.env.client.get_workflow_handle(self.queue)
        return await handle.execute_update(UPDATE, signed, id=signed.decision_id, result_type=Answer)


@pytest.fixture
async def office(environment: WorkflowEnvironment) -> AsyncIterator[Office]:
    found = Office(environment)
    async with found.worker():
        yield found


def quickly(seconds: float) -> dict[str, dict[str, Any]]:
    return {"tabletop": {"answer_within": timedelta(seconds=seconds)}}


async def test_lrn_18_nobody_is_free_so_it_is_put_off_twice_then_an_executive_is_asked_then_it_is_missed(
    office: Office,
) -> None:
    office.cadence.changed = quickly(0.6)
    sentence = await (await office.start("tabletop")).result()
    moved = office.ledger.bodies(Kind.cadence_moved)
    assert [(one["times"], one["escalated"]) for one in moved] == [(1, False), (2, False), (3, True)]
    assert "executive" not in office.ledger.bodies(Kind.cadence_opened)[0]["asks"]  # type: ignore[operator]
    assert "executive" in moved[-1]["asks"]  # type: ignore[operator]
    [missed] = office.ledger.bodies(Kind.cadence_missed)
    assert missed["sentence"] == sentence == "Nobody did it, and nobody said why it is left out."
    assert ("duty_asked", "exec") in office.channel.steps()


async def test_people_say_that_it_is_done_and_how_long_it_took(office: Office) -> None:
    handle = await office.start("tabletop")
    await office.asked(1)
    await office.decide(cases.MARIA, acts.terms("done", "tabletop", "", minutes=90), "Five of us, two surprises.")
    await handle.result()
    [done] = office.ledger.bodies(Kind.cadence_done)
    assert (done["result"], done["minutes"], done["name"]) == ("done", 90, "Maria Keller")
    assert not office.ledger.bodies(Kind.cadence_missed)


async def test_lrn_18_a_skipped_run_leaves_a_record_with_its_reason_and_its_person(office: Office) -> None:
    handle = await office.start("tabletop")
    await office.asked(1)
    await office.decide(cases.JONAS, acts.terms("skip", "tabletop", ""), "The whole team is at the yearly meeting.")
    await handle.result()
    [skipped] = office.ledger.bodies(Kind.cadence_skipped)
    assert (skipped["name"], skipped["duty"]) == ("Jonas Weber", "tabletop")


@pytest.mark.parametrize(
    ("who", "said", "reason", "because"),
    [
        (cases.LENA, acts.terms("done", "tabletop", "", minutes=5), "", "not_your_role"),
        (cases.MARIA, acts.terms("skip", "tabletop", ""), "no", "reason_too_short"),
        (cases.MARIA, acts.terms("done", "tabletop", "", minutes=0), "", "wrong_state"),
        (cases.MARIA, acts.terms("done", "key_drill", "", minutes=5), "", "stale"),
        (cases.MARIA, acts.terms("done", "tabletop", "", minutes=5, criteria={"a/b": "keep"}), "", "wrong_state"),
    ],
)
async def test_what_does_not_count_is_refused_and_people_stay_asked(
    office: Office, who: str, said: dict[str, str], reason: str, because: str
) -> None:
    handle = await office.start("tabletop")
    await office.asked(1)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await office.decide(who, said, reason)
    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.details[0] == because
    assert not office.ledger.bodies(Kind.cadence_done)
    await handle.terminate()


async def test_a_look_asks_once_for_what_is_due_and_not_again_while_people_are_asked(office: Office) -> None:
    await duties_planned(office.ledger, office.cadence)
    office.cadence.changed = {"tabletop": {"every": timedelta(milliseconds=1)}}
    for _ in range(2):
        await office.env.client.execute_workflow(
            CadenceRun.run, CadenceInput(duty="tabletop"), id=f"look-{uuid.uuid4()}", task_queue=office.queue
        )
        await office.asked(1)
    assert len(office.ledger.bodies(Kind.cadence_opened)) == 1
    await office.env.client.get_workflow_handle(ids.cadence_workflow("tabletop", "", 1)).terminate()


def finding(said: str) -> Audit:
    async def audit(_now: datetime) -> Audited:
        return Audited(sentence="Looked.", findings=(Finding(about="it", sentence=said),) * 60)

    return audit


async def test_a_machine_records_what_it_found_and_keeps_the_rest_beside_the_record(office: Office) -> None:
    handle = Office(office.env, audits={"governance_audit": finding("Nobody holds it.")})
    async with handle.worker():
        await (await handle.start("governance_audit", number=0)).result()
    [done] = handle.ledger.bodies(Kind.cadence_done)
    assert (done["result"], len(done["findings"]), done["left_out"]) == ("findings", 40, 20)  # type: ignore[arg-type]
    assert str(done["report_sha256"]) in handle.ledger.blobs


async def test_an_audit_that_cannot_be_done_is_missed_and_never_clean(office: Office) -> None:
    handle = Office(office.env)
    async with handle.worker():
        await (await handle.start("governance_audit", number=0)).result()
    assert not handle.ledger.bodies(Kind.cadence_done)
    [missed] = handle.ledger.bodies(Kind.cadence_missed)
    assert missed["sentence"] == "It was begun and could not be finished; nothing is known from it."


async def test_schedules_are_made_once_and_take_a_new_interval_over_without_ending_a_pause(
    environment: WorkflowEnvironment,
) -> None:
    audit = next(one for one in shipped() if one.id == "ledger_audit")
    person = TABLETOP
    handle = environment.client.get_schedule_handle(ids.cadence_schedule(audit.id))

    async def every() -> tuple[timedelta, bool]:
        found = (await handle.describe()).schedule
        return found.spec.intervals[0].every, found.state.paused

    try:
        await keep_duties(environment.client, (audit, person))
        await keep_duties(environment.client, (audit, person))
        assert await every() == (timedelta(days=1), False)
        await handle.pause()
        await keep_duties(environment.client, (audit.model_copy(update={"every": timedelta(hours=6)}),))
        assert await every() == (timedelta(hours=6), True)
        looks = environment.client.get_schedule_handle(ids.cadence_schedule(person.id))
        assert (await looks.describe()).schedule.spec.intervals[0].every == timedelta(days=1)
    finally:
        for one in (audit, person):
            await environment.client.get_schedule_handle(ids.cadence_schedule(one.id)).delete()
