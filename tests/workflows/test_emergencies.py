"""What people start out of order: declared incidents and break-glass, on the real server."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import (
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError

from console import temporal
from countermand import ids
from countermand.detection.blocks import Row
from countermand.governance import declaring
from countermand.governance.break_glass import use_digest
from countermand.governance.decision import Decision, DecisionKind, Refusal, Refused, SignatureClass
from countermand.governance.declaring import Declaration, Mode
from countermand.governance.gating import Trust
from countermand.ledger.bodies import ConsentOpened, DecisionMade, GlassBroken
from countermand.ledger.record import Entry, Kind, Record
from countermand.playbook.model import Severity
from tests import cases, fakes, standing
from tests.waiting import until
from tests.workflows.conftest import World
from tests.workflows.test_staged_revert import soaking, with_soak
from workflows.decisions import UPDATE, Answer
from workflows.incident import Incident
from workflows.incident_steps import Case

HARM = "Customers are told to take twice the dose."
REASON = "Every minute more people act on a wrong answer."


@pytest.fixture(autouse=True)
def people(world: World) -> None:
    world.people.governance = cases.with_a_glass_breaker()


async def signed(
    world: World, kind: DecisionKind, who: str, terms: dict[str, str], incident_id: str = "", **changes: Any
) -> Decision:
    """A decision of this person as the console signs it, for the incident of the release."""
    directory = await world.people.snapshot()
    decision = Decision(
        decision_id=str(uuid.uuid4()),
        kind=kind,
        addressed_to=world.workflow_id,
        incident_id=incident_id or world.incident_id,
        ask_id=None,
        approval_digest=use_digest(world.workflow_id) if kind is DecisionKind.break_glass else None,
        reason=REASON,
        actor={
            "subject": who,
            "printed_name": directory.name_of(who),
            "principal": "person",
            "roles": directory.roles_of(who),
            "role_source": "fake",
            "role_as_of": fakes.now(),
        },  # type: ignore[arg-type]  # validated by the model
        channel="web",
        acr="local",
        view_sha256=None,
        decided_at=fakes.now(),
        gateway_key_id=world.keys.key_id,
        terms=terms,
        signature_class=SignatureClass.step_up,
    )
    return world.keys.sign(decision.model_copy(update=changes))


async def record(world: World, decision: Decision) -> None:
    body = DecisionMade(decision=decision)
    key = f"decision/{decision.decision_id}"
    await world.ledger.append(body.entry(key, decision.actor.subject, incident_id=decision.incident_id))


def terms(mode: Mode = Mode.emergency, severity: Severity = Severity.sev1) -> dict[str, str]:
    return Declaration(mode=mode, severity=severity, harm=HARM).terms


def case_of(world: World, decision: Decision, **changes: Any) -> Case:
    return Case(
        incident_id=decision.incident_id,
        release_id=world.release.release_id,
        environment=world.release.environment,
        service=world.release.service,
        severity=declaring.severity_of(decision),
        verdict=declaring.statement(decision),
        opened_by=decision.actor.subject,
        declared=decision.decision_id,
    ).model_copy(update=changes)


async def start(world: World, case: Case, decision: Decision) -> tuple[WorkflowHandle[Any, Any], Answer]:
    """Start the incident, or join the open one, as the console does: one call, whatever happens meanwhile."""
    begin = WithStartWorkflowOperation(
        Incident.run,
        case,
        id=world.workflow_id,
        task_queue=world.queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    answer: Answer = await world.env.client.execute_update_with_start_workflow(
        UPDATE, decision, start_workflow_operation=begin, id=decision.decision_id, result_type=Answer
    )
    return await begin.workflow_handle(), answer


async def declare(world: World, who: str, mode: Mode = Mode.emergency) -> WorkflowHandle[Any, Any]:
    world.signals.standing = True
    decision = await signed(world, DecisionKind.declare, who, terms(mode))
    await record(world, decision)
    handle, answer = await start(world, case_of(world, decision), decision)
    assert answer.status == "opened"
    return handle


async def break_glass(world: World, emergency: str = "disable", who: str = cases.LENA, **changes: Any) -> Answer:
    decision = await signed(world, DecisionKind.break_glass, who, {"emergency": emergency, "harm": HARM}, **changes)
    await record(world, decision)
    return await send(world, decision)


async def send(world: World, decision: Decision) -> Answer:
    handle = world.env.client.get_workflow_handle(world.workflow_id)
    return await handle.execute_update(UPDATE, decision, id=decision.decision_id, result_type=Answer)


async def bodies(world: World, kind: Kind) -> list[dict[str, Any]]:
    return [record.body for record in await world.ledger.records(incident_id=world.incident_id, kinds=[kind])]


def refusal(error: pytest.ExceptionInfo[WorkflowUpdateFailedError]) -> str:
    cause = error.value.cause
    assert isinstance(cause, ApplicationError)
    return str(cause.details[0])


# --- declared ------------------------------------------------------------------------------------------------


async def test_gov_37_who_declares_an_emergency_cannot_approve_it_and_others_can(world: World) -> None:
    async with world.worker():
        handle = await declare(world, cases.MARIA)
        view = await world.reaches("asking")
        assert view.opened.opened_by == cases.MARIA
        assert view.opened.severity == "sev1"
        assert "Maria Keller (safety lead, product owner) declared an emergency" in view.opened.sentence
        assert HARM in view.opened.sentence
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await world.decide(DecisionKind.approve, cases.MARIA)
        assert refusal(refused) == "four_eyes"
        await world.decide(DecisionKind.approve, cases.AMIRA)
        await world.decide(DecisionKind.approve, cases.JONAS)
        assert (await handle.result()).outcome == "reverted"
    told = {audience for step, audience in world.channel.steps() if step == "emergency_declared"}
    assert told == {"operator", "approver", "exec"}


async def test_nobody_is_said_to_have_declared_what_they_did_not_sign(world: World) -> None:
    """A workflow that somebody starts by hand opens nothing in the name of a person."""
    decision = await signed(world, DecisionKind.declare, cases.MARIA, terms())
    forged = world.keys.sign(decision).model_copy(update={"signature": "AAAA"})
    proposal = await signed(world, DecisionKind.declare, cases.MARIA, terms(Mode.propose, Severity.sev3))
    await record(world, proposal)
    nobody = await signed(world, DecisionKind.declare, "local|deployer", terms())
    await record(world, nobody)
    cases_ = [
        case_of(world, decision),  # signed, but not in the Ledger
        case_of(world, forged),
        case_of(world, proposal, severity=Severity.sev1),  # not as they said it
        case_of(world, proposal, opened_by=cases.AMIRA),
        case_of(world, proposal, declared=None),
        case_of(world, nobody),  # not their right
    ]
    async with world.worker():
        for case in cases_:
            handle = await world.env.client.start_workflow(
                Incident.run, case, id=world.workflow_id, task_queue=world.queue
            )
            with pytest.raises(WorkflowFailureError):
                await handle.result()
    assert await bodies(world, Kind.incident_opened) == []


async def test_a_declaration_joins_the_open_incident_and_what_was_asked_is_asked_anew(world: World) -> None:
    async with world.worker():
        await world.open_incident()
        first = await world.reaches("asking")
        assert first.ask is not None
        decision = await signed(world, DecisionKind.declare, cases.JONAS, terms())
        await record(world, decision)
        _, answer = await start(world, case_of(world, decision), decision)
        assert answer.status == "joined"

        async def anew() -> bool:
            view = await world.view()
            return len(view.asks) == 2 and view.asks[1].status == "pending"

        await until(anew, "approval is asked again")
        view = await world.view()
        assert view.asks[0].status == "stale"
        assert view.plan is not None
        assert view.plan.severity is Severity.sev1
        assert view.opened.opened_by == "automation"

        async def told() -> bool:
            return ("emergency_declared", "exec") in world.channel.steps()

        await until(told, "executives are told")


async def test_the_console_opens_an_incident_in_one_call_and_one_that_is_open_answers_for_itself(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporal, "EFFECTS_QUEUE", world.queue)
    console = temporal.TemporalWorkflows(world.env.client)
    async with world.worker():
        first = await signed(world, DecisionKind.declare, cases.MARIA, terms())
        await record(world, first)
        assert (await console.declare(first, case_of(world, first))).status == "opened"
        assert (await console.declare(first, case_of(world, first))).status == "opened", "sent again, counted once"
        other = await signed(world, DecisionKind.declare, cases.JONAS, terms(), incident_id="inc-of-its-own")
        await record(world, other)
        with pytest.raises(Refused) as refused:
            await console.declare(other, case_of(world, other))
        assert refused.value.code is Refusal.stale
        joining = await signed(world, DecisionKind.declare, cases.JONAS, terms())
        await record(world, joining)
        assert (await console.decide(joining)).status == "joined"
        await world.env.client.get_workflow_handle(world.workflow_id).terminate()
    assert len(await bodies(world, Kind.incident_opened)) == 1


async def test_words_of_a_person_that_nobody_signed_do_not_join(world: World) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        decision = await signed(world, DecisionKind.declare, cases.MARIA, terms())
        await handle.signal(Incident.evidence_changed, declaring.statement(decision))
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await send(world, decision.model_copy(update={"signature": "AAAA"}))
        assert refusal(refused) == "signature_invalid"
        view = await world.view()
    assert view.statement is None
    assert view.status == "asking"


async def test_who_declared_cannot_withdraw_what_was_measured_meanwhile(world: World) -> None:
    async with world.worker():
        handle = await declare(world, cases.MARIA)
        await world.reaches("asking")
        await handle.signal(Incident.evidence_changed, world.verdict())

        async def anew() -> bool:
            view = await world.view()
            return len(view.asks) == 2 and view.asks[1].status == "pending"

        await until(anew, "approval is asked again")
        await world.decide(DecisionKind.withdraw, cases.MARIA)
        held = await world.reaches("held")
        assert "what was measured stays" in held.sentence
        await world.decide(DecisionKind.ask_again, cases.JONAS)
        await world.reaches("asking")
        await handle.terminate()


async def test_one_person_cannot_keep_others_from_approving_by_declaring_again_and_again(world: World) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        for joins in (True, False):
            decision = await signed(world, DecisionKind.declare, cases.JONAS, terms(Mode.propose, Severity.sev3))
            await record(world, decision)
            if joins:
                assert (await send(world, decision)).status == "joined"
            else:
                with pytest.raises(WorkflowUpdateFailedError) as refused:
                    await send(world, decision)
                assert refusal(refused) == "already_decided"
        worse = await signed(world, DecisionKind.declare, cases.JONAS, terms(Mode.emergency, Severity.sev1))
        await record(world, worse)
        assert (await send(world, worse)).status == "joined"
        await handle.terminate()


class SlowVerdicts(fakes.FakeLedger):
    """What a person said is written only when `gate` is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.asked = asyncio.Event(), False

    async def append(self, *entries: Entry) -> list[Record]:
        if any(entry.idem_key.endswith("/verdict/2") for entry in entries):
            self.asked = True
            await self.gate.wait()
        return await super().append(*entries)


async def test_a_gate_is_decided_only_when_all_that_was_said_before_stands_in_the_ledger(world: World) -> None:
    world.ledger = ledger = SlowVerdicts()
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        decision = await signed(world, DecisionKind.declare, cases.JONAS, terms())
        await record(world, decision)
        await send(world, decision)

        async def superseded() -> bool:
            view = await world.view()
            return ledger.asked and view.asks[0].status == "stale"

        await until(superseded, "the first request is stale")
        await asyncio.sleep(2)
        assert ledger.kinds()[Kind.gate_decided.value] == 1
        ledger.gate.set()

        async def anew() -> bool:
            return ledger.kinds()[Kind.gate_decided.value] == 2

        await until(anew, "the gate is decided again")
        await handle.terminate()


# --- break-glass ---------------------------------------------------------------------------------------------


async def test_gov_38_break_glass_reverts_at_once_without_approval_and_the_open_request_is_stale(world: World) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        answer = await break_glass(world, "last_known_good")
        assert answer.status == "accepted"
        closing = await handle.result()
        view = await world.view()
        ratification = world.env.client.get_workflow_handle(
            ids.consent_workflow(ids.ratification(view.glass[0].decision_id))
        )
        asked = [ConsentOpened.model_validate(body) for body in await bodies(world, Kind.consent_opened)]
        await ratification.terminate()
    assert closing.outcome == "reverted"
    assert [share for _, share in world.target.effects] == [0], "one step, no soak"
    assert view.asks[0].status == "stale"
    assert view.asks[0].closed is not None
    assert "broke the glass" in view.asks[0].closed.because
    (broken,) = [GlassBroken.model_validate(body) for body in await bodies(world, Kind.glass_broken)]
    assert (broken.subject, broken.harm, broken.emergency) == (cases.LENA, HARM, "last_known_good")
    assert view.plan is not None
    assert broken.plan_digest == view.plan.digest
    told = {audience for step, audience in world.channel.steps() if step == "glass_broken"}
    assert told == {"operator", "approver", "exec"}
    assert [(one.requester, one.excluded, one.overdue) for one in asked] == [
        (cases.LENA, (cases.LENA,), "escalate_daily")
    ]
    assert abs(asked[0].expires_at - broken.ratify_by) < timedelta(seconds=5)


class BrokenTrust(fakes.FakeTrust):
    """The settings of the sources cannot be read."""

    asked = 0

    def __call__(self, name: str) -> Trust:
        self.asked += 1
        raise RuntimeError(f"no settings for {name}")


class HeldSignals(fakes.FakeSignals):
    """Copying the evidence takes until `gate` is open."""

    def __init__(self, block: timedelta) -> None:
        super().__init__(block)
        self.gate = asyncio.Event()

    async def rows(self, release_id: str, *, after_seq: int = -1, limit: int = 100_000) -> list[Row]:
        await self.gate.wait()
        return await super().rows(release_id, after_seq=after_seq, limit=limit)


async def test_gov_39_evidence_is_frozen_beside_the_effect_with_a_recorded_start(world: World) -> None:
    world.signals = signals = HeldSignals(world.playbook.detection.block)
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("freezing")
        await break_glass(world)

        async def effect() -> bool:
            return bool(world.target.effects)

        await until(effect, "the first effect")
        assert (await world.view()).freeze is None
        signals.gate.set()
        assert (await handle.result()).outcome == "reverted"
    kinds = [record.kind for record in await world.ledger.records(incident_id=world.incident_id)]
    order = [Kind.freeze_started, Kind.glass_broken, Kind.stage_intent, Kind.freeze_completed, Kind.incident_closed]
    assert [kind for kind in kinds if kind in order] == order


async def test_break_glass_stop_moves_nobody_and_holds_the_incident(world: World) -> None:
    world.playbook = with_soak("60s")
    world.catalogue.the_playbook = world.playbook
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await soaking(world, 1)
        effects = list(world.target.effects)
        await break_glass(world, "stop")
        await world.reaches("held")
        assert world.target.effects == effects
        await world.decide(DecisionKind.abort, cases.JONAS, reason="enough for today, we look at it first")
        assert (await handle.result()).outcome == "aborted"
    (broken,) = await bodies(world, Kind.glass_broken)
    assert broken["plan_digest"] is None


async def test_break_glass_overrules_a_revert_that_is_under_way(world: World) -> None:
    world.playbook = with_soak("60s")
    world.catalogue.the_playbook = world.playbook
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await soaking(world, 1)
        await break_glass(world, "disable")
        assert (await handle.result()).outcome == "reverted"
    assert [share for _, share in world.target.effects] == [4_500, 0]


async def test_gov_38_without_the_role_the_second_factor_or_an_eligible_version_the_glass_holds(world: World) -> None:
    async with world.worker():
        await world.open_incident()
        await world.reaches("asking")
        for code, changes in [
            ("not_your_role", {"who": cases.MARIA}),
            ("step_up_required", {"signature_class": SignatureClass.standard}),
            ("stale", {"approval_digest": use_digest("incident/elsewhere")}),
            ("reason_too_short", {"reason": "it is urgent"}),
            ("unknown_ask", {"addressed_to": "incident/elsewhere"}),
        ]:
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await break_glass(world, **changes)
            assert refusal(refused) == code
        world.target.healthy = False
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await break_glass(world, "last_known_good")
        assert refusal(refused) == "target_not_eligible"
        assert (await world.view()).status == "asking"
    assert world.target.effects == []
    assert await bodies(world, Kind.glass_broken) == []


async def test_break_glass_does_not_wait_for_a_gate_that_cannot_be_decided(world: World) -> None:
    world.playbook = world.catalogue.the_playbook = standing.serious_playbook()
    world.trust = trust = BrokenTrust()
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("planning")

        async def asked() -> bool:
            return trust.asked > 0

        await until(asked, "the gate was tried")
        await break_glass(world)
        await world.reaches("verifying")
        await handle.terminate()
    assert [share for _, share in world.target.effects] == [0]


async def test_a_glass_that_was_broken_as_the_time_of_the_incident_ran_out_is_acted_on(world: World) -> None:
    world.playbook = with_soak("60s").model_copy(update={"incident_time_limit": timedelta(seconds=4)})
    world.catalogue.the_playbook = world.playbook
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await soaking(world, 1)
        await asyncio.sleep(4)
        await break_glass(world)
        assert (await handle.result()).outcome == "reverted"
    assert [share for _, share in world.target.effects] == [4_500, 0]
