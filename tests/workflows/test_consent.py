"""Consents on a real server: signed, refused, lapsed; a ratification is asked for until somebody decides."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from countermand import ids
from countermand.governance.decision import Actor, Decision, DecisionKind, Refusal, SignatureClass
from countermand.governance.register import KINDS, standing_authorisations
from countermand.governance.rights import Action
from countermand.governance.shipped import shipped_rights
from countermand.ledger.bodies import ConsentOpened, DecisionMade
from countermand.ledger.record import Kind
from countermand.playbook.terms import Severity
from tests import cases, fakes
from tests.rules.governance.test_standing import an_authorisation
from tests.waiting import until
from tests.workflows.conftest import World
from workflows.consent import Consent, ConsentInput
from workflows.decisions import UPDATE, Answer
from workflows.standing import IssueStanding

DAY = 86_400


async def asked(world: World, **changes: Any) -> ConsentInput:
    authorisation = an_authorisation(authorisation_id=f"sa-{uuid.uuid4().hex[:8]}", signers=())
    given: dict[str, Any] = {
        "consent_id": ids.standing_consent(authorisation.authorisation_id),
        "right": shipped_rights().row(Action.standing_authorisation, Severity.sev1),
        "subject": "May serious harm be rolled back without asking?",
        "document": authorisation.document,
        "requester": cases.LENA,
        "excluded": (),
        "incident_id": None,
        "release_id": None,
        "environment": "test",
        "time_limit": timedelta(days=7),
        "overdue": "lapse",
        "directory": await world.people.snapshot(),
        "keys": world.keys.gateway_keys(),
    }
    return ConsentInput.model_validate(given | changes)


async def a_ratification(world: World) -> ConsentInput:
    return await asked(
        world,
        consent_id=f"ratify-{uuid.uuid4().hex[:8]}",
        right=shipped_rights().row(Action.decide_plan, Severity.sev1),
        document={"what": "the release was stopped"},
        requester=cases.AMIRA,
        excluded=(cases.AMIRA,),
        incident_id="inc-1",
        release_id="r-1",
        time_limit=timedelta(days=1),
        overdue="escalate_daily",
    )


async def start(world: World, given: ConsentInput) -> WorkflowHandle[Any, Any]:
    handle = await world.env.client.start_workflow(
        Consent.run, given, id=ids.consent_workflow(given.consent_id), task_queue=world.queue
    )
    await opened(world, given)
    return handle


async def opened(world: World, given: ConsentInput) -> ConsentOpened:
    async def there() -> ConsentOpened | None:
        record = await world.ledger.find(ids.consent_record(given.consent_id, "opened"))
        return ConsentOpened.model_validate(record.body) if record else None

    return await until(there, "the consent is asked for")


async def decide(world: World, given: ConsentInput, kind: DecisionKind, who: str, **changes: Any) -> Answer:
    """What the console does: sign with the second factor, record, hand over."""
    body, people = await opened(world, given), await world.people.snapshot()
    decision = Decision(
        decision_id=str(uuid.uuid4()),
        kind=kind,
        addressed_to=body.workflow_id,
        incident_id=given.incident_id or "",
        ask_id=given.consent_id,
        approval_digest=body.approval_digest,
        reason="read it, agreed with it",
        actor=Actor(
            subject=who,
            printed_name=people.name_of(who),
            principal="person",
            roles=people.roles_of(who),
            role_source="fake",
            role_as_of=fakes.now(),
        ),
        channel="web",
        acr="local",
        view_sha256=None,
        decided_at=fakes.now(),
        gateway_key_id=world.keys.key_id,
        signature_class=SignatureClass.step_up,
    ).model_copy(update=changes)
    signed = world.keys.sign(decision)
    await world.ledger.append(DecisionMade(decision=signed).entry(f"decision/{signed.decision_id}", who))
    handle = world.env.client.get_workflow_handle(body.workflow_id)
    return await handle.execute_update(UPDATE, signed, id=signed.decision_id, result_type=Answer)


async def refused(world: World, given: ConsentInput, kind: DecisionKind, who: str, **changes: Any) -> Refusal:
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await decide(world, given, kind, who, **changes)
    assert isinstance(caught.value.cause, ApplicationError)
    return Refusal(caught.value.cause.details[0])


async def test_gov_28_a_standing_authorisation_is_issued_when_safety_lead_and_executive_signed(world: World) -> None:
    given = await asked(world)
    name = given.document["authorisation_id"]
    async with world.worker():
        handle = await world.env.client.start_workflow(
            IssueStanding.run, given, id=ids.standing_workflow(str(name)), task_queue=world.queue
        )
        answer = await decide(world, given, DecisionKind.approve, cases.MARIA)
        assert (answer.status, answer.have, answer.need) == ("pending", 1, 2)
        assert await refused(world, given, DecisionKind.approve, cases.MARIA) is Refusal.already_voted
        assert world.ledger.kinds()[Kind.standing_issued.value] == 0
        answer = await decide(world, given, DecisionKind.approve, cases.AMIRA)
        assert answer.sentence == "signed by Maria Keller and Amira Haddad"
        assert (await handle.result()).status == "given"
    records = await world.ledger.records(kinds=KINDS)
    (issued,) = standing_authorisations(records, world.keys.gateway_keys())
    assert issued.authorisation_id == name
    assert {signer.subject for signer in issued.signers} == {cases.MARIA, cases.AMIRA}


async def test_wrong_people_weak_signatures_and_other_digests_change_nothing(world: World) -> None:
    given = await asked(world, requester=cases.MARIA)
    approve = DecisionKind.approve
    async with world.worker():
        handle = await start(world, given)
        assert await refused(world, given, approve, cases.MARIA) is Refusal.four_eyes
        assert await refused(world, given, approve, cases.LENA) is Refusal.not_your_role
        weak = {"signature_class": SignatureClass.standard}
        assert await refused(world, given, approve, cases.AMIRA, **weak) is Refusal.step_up_required
        stale = {"approval_digest": "sha256:" + "0" * 64}
        assert await refused(world, given, approve, cases.AMIRA, **stale) is Refusal.stale
        assert await refused(world, given, approve, cases.AMIRA, reason="ok") is Refusal.reason_too_short
        assert await refused(world, given, approve, cases.AMIRA, ask_id="other") is Refusal.unknown_ask
        assert await refused(world, given, DecisionKind.ratify, cases.AMIRA) is Refusal.wrong_state
        assert (await handle.query(Consent.state)).votes == ()
        await decide(world, given, DecisionKind.reject, cases.AMIRA)
        assert (await handle.result()).status == "refused"
    assert world.ledger.kinds()[Kind.consent_vote.value] == 1


async def test_nobody_signs_in_time_and_the_request_lapses_without_effect(
    world: World, environment: WorkflowEnvironment
) -> None:
    given = await asked(world)
    async with world.worker():
        handle = await start(world, given)
        await decide(world, given, DecisionKind.approve, cases.MARIA)
        await decide(world, given, DecisionKind.retract, cases.MARIA)
        await environment.fast_forward(handle, 7 * DAY)
        result = await handle.result()
    assert result.status == "lapsed"
    assert "0 of 2 people signed" in result.because
    assert world.ledger.kinds()[Kind.consent_closed.value] == 1


async def test_gov_39_a_ratification_is_reminded_daily_and_never_lapses(
    world: World, environment: WorkflowEnvironment
) -> None:
    given = await a_ratification(world)
    async with world.worker():
        handle = await start(world, given)
        assert await refused(world, given, DecisionKind.ratify, cases.AMIRA) is Refusal.four_eyes
        for number in (1, 2, 3):
            await environment.fast_forward(handle, DAY)

            async def reminded(number: int = number) -> bool:
                return world.ledger.kinds()[Kind.consent_overdue.value] >= number

            await until(reminded, f"reminder {number}")
        await decide(world, given, DecisionKind.ratify, cases.MARIA)
        answer = await decide(world, given, DecisionKind.ratify, cases.JONAS)
        assert answer.status == "given"
        assert [one.subject for one in (await handle.result()).signers] == [cases.MARIA, cases.JONAS]
    assert [body["number"] for body in world.ledger.bodies(Kind.consent_overdue)][:3] == [1, 2, 3]


async def test_gov_39_one_rejection_means_that_the_use_is_not_ratified(world: World) -> None:
    given = await a_ratification(world)
    async with world.worker():
        handle = await start(world, given)
        await decide(world, given, DecisionKind.reject, cases.MARIA)
        assert (await handle.result()).status == "refused"
