"""Whoever can talk to Temporal directly still cannot decide: Updates without a genuine signature leave no trace.

The attacker here has what a client of the Temporal service has: ids, the query `state`, the right to send Updates.
"""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from countermand import ids
from countermand.governance.decision import Actor, Decision, DecisionKind, Refusal, SignatureClass, sign
from countermand.ledger.record import Entry, Kind, Record
from countermand.messages.incident import AskView
from tests import cases, fakes
from tests.waiting import until
from tests.workflows.conftest import World
from workflows.approval import Approval
from workflows.decisions import REFUSED, UPDATE, Answer

Forge = Callable[[World, Decision], Decision]
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))


def without_signature(world: World, wanted: Decision) -> Decision:
    return wanted


def with_an_empty_signature_block(world: World, wanted: Decision) -> Decision:
    return wanted.model_copy(update={"signature": base64.b64encode(bytes(64)).decode()})


def signed_with_another_key_under_our_key_id(world: World, wanted: Decision) -> Decision:
    return sign(wanted.bind(lambda: bytes(32)), STRANGER)


def signed_with_another_key_under_its_own_id(world: World, wanted: Decision) -> Decision:
    return sign(wanted.bind(lambda: bytes(32)).model_copy(update={"gateway_key_id": "gw-stranger"}), STRANGER)


def with_a_role_added_after_signing(world: World, wanted: Decision) -> Decision:
    genuine = world.keys.sign(wanted.model_copy(update={"actor": _with_roles(wanted.actor, "observer")}))
    return genuine.model_copy(update={"actor": _with_roles(wanted.actor, "observer", "safety_lead")})


def with_another_person_after_signing(world: World, wanted: Decision) -> Decision:
    other = wanted.actor.model_copy(update={"subject": cases.JONAS, "printed_name": "Jonas Weber"})
    return world.keys.sign(wanted).model_copy(update={"actor": other})


def with_the_reason_changed_after_signing(world: World, wanted: Decision) -> Decision:
    return world.keys.sign(wanted).model_copy(update={"reason": "looked at everything, all is well"})


def with_the_reason_erased_after_signing(world: World, wanted: Decision) -> Decision:
    return world.keys.sign(wanted).model_copy(update={"reason": "[erased]"})


def with_the_reason_and_its_commitment_changed_after_signing(world: World, wanted: Decision) -> Decision:
    changed = wanted.model_copy(update={"reason": "looked at everything, all is well"}).bind(lambda: bytes(32))
    return changed.model_copy(update={"signature": world.keys.sign(wanted).signature})


def with_terms_added_after_signing(world: World, wanted: Decision) -> Decision:
    return world.keys.sign(wanted).model_copy(update={"terms": {"severity": "sev1"}})


def with_a_stronger_class_after_signing(world: World, wanted: Decision) -> Decision:
    return world.keys.sign(wanted).model_copy(update={"signature_class": SignatureClass.step_up})


def with_a_rejection_turned_into_an_approval(world: World, wanted: Decision) -> Decision:
    rejected = world.keys.sign(wanted.model_copy(update={"kind": DecisionKind.reject}))
    return rejected.model_copy(update={"kind": DecisionKind.approve})


FORGERIES = (
    without_signature,
    with_an_empty_signature_block,
    signed_with_another_key_under_our_key_id,
    signed_with_another_key_under_its_own_id,
    with_a_role_added_after_signing,
    with_another_person_after_signing,
    with_the_reason_changed_after_signing,
    with_the_reason_erased_after_signing,
    with_the_reason_and_its_commitment_changed_after_signing,
    with_terms_added_after_signing,
    with_a_stronger_class_after_signing,
    with_a_rejection_turned_into_an_approval,
)


def _with_roles(actor: Actor, *roles: str) -> Actor:
    return actor.model_copy(update={"roles": roles})


def maria() -> Actor:
    return Actor(
        subject=cases.MARIA, printed_name="Maria Keller", principal="person", roles=("safety_lead",),
        role_source="fake", role_as_of=fakes.now(),
    )  # fmt: skip


def approval_by_maria(ask: AskView, world: World, **changes: Any) -> Decision:
    """An approval with everything right but its signature, which is still missing."""
    opened = ask.opened
    decision = Decision(
        decision_id=str(uuid.uuid4()),
        kind=DecisionKind.approve,
        addressed_to=opened.workflow_id,
        incident_id=world.incident_id,
        ask_id=opened.ask_id,
        approval_digest=opened.approval_digest,
        reason="seen the evidence, agreed",
        actor=maria(),
        channel="web",
        acr="local",
        view_sha256=None,
        decided_at=fakes.now(),
        gateway_key_id=world.keys.key_id,
    )
    return decision.model_copy(update=changes)


async def open_ask(world: World) -> tuple[AskView, WorkflowHandle[Any, Any]]:
    """The request once it waits for nothing but people and its own clock."""
    ask = (await world.reaches("asking")).ask
    assert ask is not None
    handle = world.env.client.get_workflow_handle(ask.opened.workflow_id)

    async def settled() -> bool:
        return (await handle.fetch_history()).events[-1].HasField("timer_started_event_attributes")

    await until(settled, "the request waits for people")
    return ask, handle


async def refusal(handle: WorkflowHandle[Any, Any], decision: Decision) -> Refusal:
    """Why the Update was refused by the validator: nothing of it may be in the history afterwards."""
    before = (await handle.fetch_history()).events
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update(UPDATE, decision, id=decision.decision_id, result_type=Answer)
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == REFUSED
    after = (await handle.fetch_history()).events
    assert [event.event_id for event in after] == [event.event_id for event in before], "it left something behind"
    return Refusal(caught.value.cause.details[0])


async def assert_untouched(world: World, ask: AskView, handle: WorkflowHandle[Any, Any]) -> None:
    state = await handle.query(Approval.state)
    assert (state.status.value, state.votes, state.used) == ("pending", (), ())
    found = next(one for one in (await world.view()).asks if one.opened.ask_id == ask.opened.ask_id)
    assert (found.status, found.votes, found.opened) == ("pending", [], ask.opened)
    assert world.ledger.kinds()[Kind.ask_vote.value] == 0
    assert world.target.effects == []


async def test_an_update_sent_straight_to_temporal_with_a_made_up_person_is_refused(world: World) -> None:
    invented = Actor(
        subject="local|nobody", printed_name="Nobody Known", principal="person",
        roles=("safety_lead", "release_owner"), role_source="made up", role_as_of=fakes.now(),
    )  # fmt: skip
    async with world.worker():
        await world.open_incident()
        ask, handle = await open_ask(world)
        for forge in (without_signature, signed_with_another_key_under_our_key_id):
            made_up = forge(world, approval_by_maria(ask, world, actor=invented))
            assert await refusal(handle, made_up) is Refusal.signature_invalid
        await assert_untouched(world, ask, handle)


async def test_every_way_to_forge_or_change_a_decision_is_refused_and_the_genuine_one_still_counts(
    world: World,
) -> None:
    async with world.worker():
        await world.open_incident()
        ask, handle = await open_ask(world)
        for forge in FORGERIES:
            forged = forge(world, approval_by_maria(ask, world))
            assert await refusal(handle, forged) is Refusal.signature_invalid, forge.__name__
        await assert_untouched(world, ask, handle)
        genuine = world.keys.sign(approval_by_maria(ask, world))
        answer = await handle.execute_update(UPDATE, genuine, id=genuine.decision_id, result_type=Answer)
        assert (answer.status, answer.have) == ("pending", 1)


async def test_a_signed_decision_stolen_from_another_request_counts_nowhere_else(world: World) -> None:
    async with world.worker():
        incident = await world.open_incident()
        first, _ = await open_ask(world)
        stolen = world.keys.sign(approval_by_maria(first, world))
        await incident.signal("evidence_changed", world.verdict(candidate_bad=120))

        async def asked_anew() -> bool:
            return len((await world.view()).asks) == 2

        await until(asked_anew, "a second request")
        second, handle = await open_ask(world)
        here = {
            "addressed_to": second.opened.workflow_id,
            "ask_id": second.opened.ask_id,
            "approval_digest": second.opened.approval_digest,
        }
        assert first.opened.ask_id != second.opened.ask_id
        assert await refusal(handle, stolen) is Refusal.unknown_ask
        assert await refusal(handle, stolen.model_copy(update=here)) is Refusal.signature_invalid
        elsewhere = approval_by_maria(second, world, incident_id="inc-00000000")
        assert await refusal(handle, world.keys.sign(elsewhere)) is Refusal.unknown_ask
        await assert_untouched(world, second, handle)


async def test_automation_cannot_decide_even_with_a_signature_of_the_gateway(world: World) -> None:
    robot = Actor(
        subject="service|judge", printed_name="The judge", principal="automation", roles=("safety_lead",),
        role_source="fake", role_as_of=fakes.now(),
    )  # fmt: skip
    async with world.worker():
        await world.open_incident()
        ask, handle = await open_ask(world)
        signed = world.keys.sign(approval_by_maria(ask, world, actor=robot))
        assert await refusal(handle, signed) is Refusal.actor_not_a_person
        await assert_untouched(world, ask, handle)


async def test_a_forged_decision_is_refused_even_while_the_request_is_still_being_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A genuine vote of that moment is kept (GOV-14); nothing else gets into the history."""
    writing, written, append = asyncio.Event(), asyncio.Event(), world.ledger.append

    async def slowly(*entries: Entry) -> list[Record]:
        if any(entry.kind is Kind.ask_opened for entry in entries):
            writing.set()
            await written.wait()
        return await append(*entries)

    monkeypatch.setattr(world.ledger, "append", slowly)
    async with world.worker():
        await world.open_incident()
        await asyncio.wait_for(writing.wait(), 20)
        handle = world.env.client.get_workflow_handle(ids.approval_workflow(world.workflow_id, 1))
        forged = Decision(
            decision_id=str(uuid.uuid4()),
            kind=DecisionKind.approve,
            addressed_to=handle.id,
            incident_id=world.incident_id,
            ask_id=ids.ask_id(world.incident_id, 1),
            approval_digest=None,
            reason="seen the evidence, agreed",
            actor=maria(),
            channel="web",
            acr="local",
            view_sha256=None,
            decided_at=fakes.now(),
            gateway_key_id=world.keys.key_id,
        )
        assert await refusal(handle, forged) is Refusal.signature_invalid
        written.set()
        ask, _ = await open_ask(world)
        await assert_untouched(world, ask, handle)
