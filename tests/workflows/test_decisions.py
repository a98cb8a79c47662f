"""Which decisions count: every refusal has a reason code, and changes nothing."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from countermand import ids
from countermand.governance import mandates
from countermand.governance.decision import Actor, DecisionKind, Refusal
from countermand.governance.delegation import Scope
from countermand.ledger.record import Kind
from countermand.playbook.terms import Severity
from tests import cases, fakes
from tests.waiting import until
from tests.workflows.conftest import World
from workflows.ask_cards import AskCards
from workflows.decisions import REFUSED


async def refused(world: World, kind: DecisionKind, who: str, **changes: object) -> tuple[Refusal, str]:
    """The refusal a decision meets; fails if it is accepted."""
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await world.decide(kind, who, **changes)
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == REFUSED
    code, detail, next_ = cause.details
    assert next_
    return Refusal(code), detail


async def test_wrong_people_wrong_digests_and_forged_signatures_are_refused_and_change_nothing(
    world: World,
) -> None:
    automation = Actor(
        subject="service|bot", printed_name="bot", principal="automation", roles=("safety_lead",),
        role_source="fake", role_as_of=fakes.now(),
    )  # fmt: skip
    async with world.worker():
        await world.open_incident()
        await world.reaches("asking")
        forged = base64.b64encode(bytes(64)).decode()
        approve = DecisionKind.approve
        assert (await refused(world, approve, cases.MARIA, signature=forged))[0] is Refusal.signature_invalid
        assert (await refused(world, approve, cases.MARIA, gateway_key_id="other"))[0] is Refusal.signature_invalid
        assert (await refused(world, approve, cases.MARIA, actor=automation))[0] is Refusal.actor_not_a_person
        assert (await refused(world, approve, "local|nobody"))[0] is Refusal.not_your_role
        stale = "sha256:" + "0" * 64
        assert (await refused(world, approve, cases.MARIA, approval_digest=stale))[0] is Refusal.stale
        assert (await refused(world, approve, cases.MARIA, reason="ok"))[0] is Refusal.reason_too_short
        ask = (await world.view()).asks[0].opened
        other = {"addressed_to": ask.workflow_id, "ask_id": "inc-00000000-ask-9"}
        assert (await refused(world, approve, cases.MARIA, **other))[0] is Refusal.unknown_ask
    view = await world.view()
    assert view.ask is not None
    assert view.ask.votes == []
    assert world.ledger.kinds()[Kind.ask_vote.value] == 0


async def test_the_same_person_cannot_fill_two_places(world: World) -> None:
    async with world.worker():
        await world.open_incident()
        await world.reaches("asking")
        answer = await world.decide(DecisionKind.approve, cases.MARIA)
        assert (answer.have, answer.need, answer.status) == (1, 2, "pending")
        code, detail = await refused(world, DecisionKind.approve, cases.MARIA)
        assert code is Refusal.already_voted
        assert "counts once" in detail
        await world.decide(DecisionKind.retract, cases.MARIA)
        answer = await world.decide(DecisionKind.approve, cases.MARIA)
        assert answer.have == 1
    assert world.target.effects == []


async def test_whoever_put_the_release_out_cannot_approve_its_rollback(world: World) -> None:
    world.catalogue.status = world.catalogue.status.model_copy(
        update={"release": world.release.model_copy(update={"registered_by": cases.MARIA})}
    )
    async with world.worker():
        await world.open_incident()
        await world.reaches("asking")
        assert (await refused(world, DecisionKind.approve, cases.MARIA))[0] is Refusal.four_eyes


async def test_one_vote_before_expiry_and_one_after_are_not_a_quorum(
    world: World, environment: WorkflowEnvironment
) -> None:
    async with world.worker():
        await world.open_incident()
        view = await world.reaches("asking")
        assert view.ask is not None
        await environment.fast_forward(environment.client.get_workflow_handle(view.ask.opened.workflow_id), 29 * 60)
        await world.decide(DecisionKind.approve, cases.MARIA)
        await environment.fast_forward(environment.client.get_workflow_handle(view.ask.opened.workflow_id), 2 * 60)
        await world.reaches("held")
        with pytest.raises(RPCError) as caught:  # the request is over; the console says when and how
            await world.decide(DecisionKind.approve, cases.JONAS)
        assert caught.value.status is RPCStatusCode.NOT_FOUND
    assert world.target.effects == []


async def test_a_changed_set_of_failing_criteria_makes_the_open_request_stale_and_asks_anew(
    world: World,
) -> None:
    async with world.worker():
        handle = await world.open_incident()
        first = (await world.reaches("asking")).ask
        assert first is not None
        await handle.signal("evidence_changed", world.verdict(candidate_bad=120))

        async def asked_anew() -> bool:
            view = await world.view()
            return len(view.asks) == 2 and view.asks[1].status == "pending"

        await until(asked_anew, "a second request")
        view = await world.view()
        assert view.asks[0].status == "stale"
        assert view.asks[1].opened.evidence_digest == world.verdict(candidate_bad=120).evidence_digest
        code, _ = await refused(world, DecisionKind.approve, cases.MARIA, approval_digest=first.opened.approval_digest)
        assert code is Refusal.stale
        await world.approve_by_two()
        assert (await handle.result()).outcome == "reverted"


async def test_a_lost_role_between_approval_and_first_effect_stops_everything(world: World) -> None:
    async with world.worker():
        await world.open_incident()
        await world.reaches("asking")
        await world.decide(DecisionKind.approve, cases.MARIA)
        people = [
            person.model_dump() | ({"roles": ["product_owner"]} if person.subject == cases.MARIA else {})
            for person in world.people.governance.people
        ]
        view = await world.view()
        assert view.ask is not None
        handle = world.env.client.get_workflow_handle(view.ask.opened.workflow_id)
        jonas = cases.JONAS
        world.people.governance = cases.governance(people=people)
        await world.decide(DecisionKind.approve, jonas)
        await handle.result()

        async def asked_anew() -> bool:
            return len((await world.view()).asks) == 2

        await until(asked_anew, "a new request because an approver lost their role")
    assert world.target.effects == []


async def test_the_incident_commander_withdraws_the_request(world: World) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        await world.decide(DecisionKind.withdraw, cases.JONAS)
        assert (await handle.result()).outcome == "withdrawn"
    assert world.target.effects == []


async def test_cards_show_every_state_of_the_request_in_order_and_its_end_last(world: World) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        ask_id = (await world.view()).asks[0].opened.ask_id

        async def first() -> bool:
            return bool(world.cards.shown.get(ask_id))

        await until(first, "the card is there")
        await world.decide(DecisionKind.approve, cases.MARIA)
        await world.decide(DecisionKind.approve, cases.JONAS)
        await handle.result()

        async def ended() -> bool:
            return world.cards.shown[ask_id][-1][1] == "approved"

        await until(ended, "the card says how it ended")
    shown = world.cards.shown[ask_id]
    assert [revision for revision, _ in shown] == sorted({revision for revision, _ in shown})
    assert shown[0][1] == "pending"


async def test_somebody_who_looks_at_the_request_renews_its_cards_and_later_changes_still_come(
    world: World, environment: WorkflowEnvironment
) -> None:
    async with world.worker():
        await world.open_incident()
        view = await world.reaches("asking")
        assert view.ask is not None
        ask_id, approval = view.ask.opened.ask_id, view.ask.opened.workflow_id
        shown = world.cards.shown

        async def first() -> bool:
            return bool(shown.get(ask_id))

        await until(first, "the cards are posted")
        before = len(shown[ask_id])
        cards = environment.client.get_workflow_handle_for(AskCards.run, ids.cards_workflow(approval))
        await cards.signal(AskCards.look_again)

        async def again() -> bool:
            return len(shown[ask_id]) > before

        await until(again, "the cards are looked at again")
        assert shown[ask_id][-1] == shown[ask_id][-2], "the same revision, so nothing newer is overwritten"
        await world.decide(DecisionKind.reject, cases.MARIA, reason="the judge is wrong, looked at ten")
        await cards.result()
    assert shown[ask_id][-1][1] == "rejected"


async def test_a_messenger_that_never_answers_delays_neither_decision_nor_revert(world: World) -> None:
    world.cards.dark = True
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        await world.decide(DecisionKind.approve, cases.MARIA)
        await world.decide(DecisionKind.approve, cases.JONAS)
        await handle.result()
        view = await world.view()
        assert view.closed is not None
        assert view.closed.outcome == "reverted"
        assert world.cards.shown == {}
        cards = world.env.client.get_workflow_handle(f"{view.asks[0].opened.workflow_id}/cards")
        await cards.terminate("the test is over")


async def test_people_take_more_time_once_and_the_default_waits_for_it(
    world: World, environment: WorkflowEnvironment
) -> None:
    async with world.worker():
        await world.open_incident()
        await world.reaches("asking")
        ask = (await world.view()).asks[0].opened
        assert (await refused(world, DecisionKind.extend, "local|nobody"))[0] is Refusal.not_your_role
        assert (await refused(world, DecisionKind.extend, cases.MARIA, reason="more"))[0] is Refusal.reason_too_short
        await world.decide(DecisionKind.approve, cases.MARIA)
        await world.decide(DecisionKind.extend, cases.JONAS)
        code, detail = await refused(world, DecisionKind.extend, cases.MARIA)
        assert code is Refusal.wrong_state
        assert "possible once" in detail
        view = await world.view()
        assert view.ask is not None
        assert view.ask.expires_at == ask.expires_at + (ask.expires_at - ask.opened_at)
        assert [vote.name for vote in view.ask.standing_votes] == ["Maria Keller"], "votes stay"
        approval = environment.client.get_workflow_handle(ask.workflow_id)
        await environment.fast_forward(approval, 31 * 60)
        assert (await world.view()).status == "asking", "the time limit as asked is over, the longer one is not"
        answer = await world.decide(DecisionKind.approve, cases.JONAS)
        assert answer.status == "approved"


async def test_a_lent_role_counts_while_it_is_lent_and_for_one_person(world: World) -> None:
    """GOV-20, GOV-21: Amira acts for Jonas; once it is taken from the file, her vote carries no effect."""
    now = fakes.now()
    lent = {
        "id": "holiday",
        "delegator": cases.JONAS,
        "delegate": cases.AMIRA,
        "roles": ["release_owner"],
        "releases": "any",
        "environments": "any",
        "severities": "any",
        "granted_at": (now - timedelta(days=2)).isoformat(),
        "not_before": (now - timedelta(days=1)).isoformat(),
        "not_after": (now + timedelta(days=3)).isoformat(),
        "reason": "Jonas is on holiday",
    }
    world.people.governance = cases.governance(delegations=[lent])
    async with world.worker():
        await world.open_incident()
        await world.reaches("asking")
        await world.decide(DecisionKind.approve, cases.MARIA)
        actor = mandates.actor(
            await world.people.snapshot(),
            cases.AMIRA,
            ("release_owner",),
            Scope(release=world.release.release_id, environment=world.release.environment, severity=Severity.sev2),
            fakes.now(),
        )
        assert actor.delegated_by is not None
        world.people.governance = cases.governance()
        answer = await world.decide(DecisionKind.approve, cases.AMIRA, actor=actor)
        assert answer.status == "approved", "the request was opened while the role was lent"

        async def asked_anew() -> bool:
            return len((await world.view()).asks) == 2

        await until(asked_anew, "a new request because a lent role was taken back")
    assert world.target.effects == [], "the role was gone when the first effect was due"
