"""Consent to one document: who may sign, when it is given, refused or lapsed; ratification as break-glass has it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from countermand.governance.consent import (
    ConsentRequest,
    ConsentState,
    ConsentStatus,
    apply,
    check,
    have,
    lapse,
    missing,
    next_wake,
    reminders,
)
from countermand.governance.decision import Actor, Decision, DecisionKind, DelegatedBy, Refusal, Refused, SignatureClass
from countermand.governance.rights import Action
from countermand.governance.shipped import shipped_rights
from countermand.playbook.terms import Severity
from tests import cases
from tests.rules.governance.asking import BEGIN, KEYS, NOOR, OMAR, RUTH, an_actor, directory, more_people

DAY = timedelta(days=1)
APPROVE, REJECT, RETRACT, RATIFY = (
    DecisionKind.approve, DecisionKind.reject, DecisionKind.retract, DecisionKind.ratify,
)  # fmt: skip


def a_request(**changes: Any) -> ConsentRequest:
    """A standing authorisation that Lena asks for, to be signed by a safety lead and an executive in 7 days."""
    parts: dict[str, Any] = {
        "consent_id": "sa-1-consent",
        "workflow_id": "consent/sa-1-consent",
        "right": shipped_rights().row(Action.standing_authorisation, Severity.sev1),
        "subject": "May this run without asking?",
        "document": {"what": "roll back"},
        "requester": cases.LENA,
        "excluded": (),
        "incident_id": "",
        "release_id": "",
        "environment": "test",
        "opened_at": BEGIN,
        "expires_at": BEGIN + 7 * DAY,
        "overdue": "lapse",
        "directory": directory(more_people()),
        "keys": KEYS.gateway_keys(),
    }
    return ConsentRequest.model_validate(parts | changes)


def a_ratification(**changes: Any) -> ConsentRequest:
    """Noor broke the glass; the quorum of sev1 answers for it within a day."""
    given_: dict[str, Any] = {
        "right": shipped_rights().row(Action.decide_plan, Severity.sev1),
        "requester": NOOR,
        "excluded": (NOOR,),
        "expires_at": BEGIN + DAY,
        "overdue": "escalate_daily",
    }
    return a_request(**given_ | changes)


def a_vote(request: ConsentRequest, kind: DecisionKind, who: str | Actor, number: int = 0, **changes: Any) -> Decision:
    decision = Decision(
        decision_id=f"d-{number}",
        kind=kind,
        addressed_to=request.workflow_id,
        incident_id=request.incident_id,
        ask_id=request.consent_id,
        approval_digest=request.approval_digest,
        reason="read it, agreed with it",
        actor=an_actor(who) if isinstance(who, str) else who,
        channel="web",
        acr="local",
        view_sha256=None,
        decided_at=BEGIN,
        gateway_key_id=KEYS.key_id,
        signature_class=SignatureClass.step_up,
    )
    return KEYS.sign(decision.model_copy(update=changes))


def code_of(request: ConsentRequest, decision: Decision, now: datetime = BEGIN, state: Any = None) -> Refusal:
    with pytest.raises(Refused) as caught:
        check(request, state or ConsentState(), decision, now)
    assert caught.value.next, "every refusal says what to do next"
    return caught.value.code


def signed(request: ConsentRequest, *people: str) -> ConsentState:
    state = ConsentState()
    for number, who in enumerate(people):
        state = apply(request, state, a_vote(request, request.approving, who, number), BEGIN)
    return state


def test_it_is_given_when_every_place_of_the_row_is_filled_and_not_before() -> None:
    request = a_request()
    one = signed(request, cases.MARIA)
    assert (one.status, missing(request, one), have(request, one)) == (ConsentStatus.pending, ("executive",), 1)
    both = signed(request, cases.MARIA, cases.AMIRA)
    assert (both.status, both.because) == (ConsentStatus.given, "signed by Maria Keller and Amira Haddad")
    assert code_of(request, a_vote(request, REJECT, cases.MARIA, 9), state=both) is Refusal.already_decided


def test_one_refusal_ends_it_and_needs_no_second_factor() -> None:
    request = a_request()
    weak = a_vote(request, REJECT, cases.MARIA, 1, signature_class=SignatureClass.standard)
    state = apply(request, signed(request, cases.AMIRA), weak, BEGIN)
    assert (state.status, state.because) == (ConsentStatus.refused, "refused by Maria Keller")


def test_gov_13_equality_is_expiry_and_nothing_counts_from_then_on() -> None:
    request = a_request()
    last = request.expires_at - timedelta(microseconds=1)
    check(request, ConsentState(), a_vote(request, APPROVE, cases.MARIA), last)
    assert lapse(request, ConsentState(), last).status is ConsentStatus.pending
    late = a_vote(request, APPROVE, cases.MARIA)
    assert code_of(request, late, request.expires_at) is Refusal.expired
    lapsed = lapse(request, signed(request, cases.MARIA), request.expires_at)
    assert lapsed.status is ConsentStatus.lapsed
    assert "1 of 2 people signed" in lapsed.because
    assert code_of(request, late, request.expires_at, lapsed) is Refusal.already_voted
    assert code_of(request, a_vote(request, APPROVE, cases.AMIRA, 7), BEGIN, lapsed) is Refusal.expired


def test_a_retracted_signature_leaves_its_place_empty_and_can_be_given_again() -> None:
    request = a_request()
    state = apply(request, signed(request, cases.MARIA), a_vote(request, RETRACT, cases.MARIA, 1), BEGIN)
    assert state.votes == ()
    assert apply(request, state, a_vote(request, APPROVE, cases.MARIA, 2), BEGIN).votes
    assert code_of(request, a_vote(request, RETRACT, cases.AMIRA, 3), state=state) is Refusal.wrong_state


LENT = DelegatedBy(delegation_id="x", subject=cases.MARIA, name="Maria Keller", not_after=BEGIN + DAY)
BY_LENA = LENT.model_copy(update={"subject": cases.LENA, "name": "Lena Ortiz"})


@pytest.mark.parametrize(
    ("who", "changes", "code"),
    [
        (cases.MARIA, {"addressed_to": "consent/other"}, Refusal.unknown_ask),
        (cases.MARIA, {"ask_id": "other"}, Refusal.unknown_ask),
        (cases.MARIA, {"incident_id": "inc-1"}, Refusal.unknown_ask),
        (cases.MARIA, {"approval_digest": "sha256:0"}, Refusal.stale),
        (cases.MARIA, {"gateway_key_id": "gw-other"}, Refusal.signature_invalid),
        (cases.MARIA, {"signature_class": SignatureClass.standard}, Refusal.step_up_required),
        (cases.MARIA, {"signature_class": SignatureClass.part11}, Refusal.step_up_required),
        (cases.MARIA, {"reason": "too short"}, Refusal.reason_too_short),
        (cases.MARIA, {"kind": RATIFY}, Refusal.wrong_state),
        (cases.MARIA, {"kind": DecisionKind.extend}, Refusal.wrong_state),
        (an_actor(cases.MARIA, principal="automation"), {}, Refusal.actor_not_a_person),
        (OMAR, {}, Refusal.not_your_role),
        (cases.LENA, {}, Refusal.four_eyes),
        (an_actor(OMAR, roles=("safety_lead",), delegated_by=BY_LENA), {}, Refusal.four_eyes),
        (an_actor(OMAR, roles=("safety_lead",), delegated_by=LENT.model_copy(update={"not_after": BEGIN})), {},
         Refusal.delegation_ended),
    ],
)  # fmt: skip
def test_wrong_votes_are_refused_with_their_reason(who: str | Actor, changes: dict[str, Any], code: Refusal) -> None:
    request = a_request()
    kind = changes.pop("kind", APPROVE)
    assert code_of(request, a_vote(request, kind, who, **changes)) is code


def test_gov_19_a_delegate_and_who_lent_the_role_are_one_person() -> None:
    request = a_request()
    lent = an_actor(OMAR, roles=("safety_lead",), delegated_by=LENT)
    assert code_of(request, a_vote(request, APPROVE, lent, 1), state=signed(request, cases.MARIA)) is (
        Refusal.already_voted
    )


def test_gov_19_another_account_of_the_requester_is_the_requester() -> None:
    people = more_people().model_dump(mode="json")["people"]
    people[0]["linked"] = ["oidc|maria"]
    request = a_request(requester="oidc|maria", directory=directory(cases.governance(people=people)))
    assert code_of(request, a_vote(request, APPROVE, cases.MARIA)) is Refusal.four_eyes


def test_excluded_accounts_and_excluded_people_do_not_sign() -> None:
    banned = a_request(directory=directory(more_people(excluded=[cases.MARIA])))
    assert code_of(banned, a_vote(banned, APPROVE, cases.MARIA)) is Refusal.external_account
    involved = a_request(excluded=(cases.MARIA,))
    assert code_of(involved, a_vote(involved, APPROVE, cases.MARIA)) is Refusal.four_eyes


@pytest.mark.parametrize(
    "changes",
    [
        {"document": {"what": "roll back", "more": "everything"}},
        {"subject": "May something else run?"},
        {"requester": cases.JONAS},
        {"excluded": (cases.JONAS,)},
        {"expires_at": BEGIN + 8 * DAY},
        {"right": shipped_rights().row(Action.release_hold, Severity.sev1)},
    ],
)
def test_gov_8_any_change_of_what_is_asked_changes_the_digest(changes: dict[str, Any]) -> None:
    assert a_request(**changes).approval_digest != a_request().approval_digest
    assert a_request(opened_at=BEGIN - DAY).approval_digest == a_request().approval_digest


def test_what_nobody_could_decide_does_not_parse() -> None:
    with pytest.raises(ValidationError, match="is no decision of roles"):
        a_request(right=shipped_rights().row(Action.acknowledge, Severity.sev1))
    with pytest.raises(ValidationError, match="is no decision of roles"):
        a_request(right=shipped_rights().row(Action.extend, Severity.sev1))
    with pytest.raises(ValidationError, match="name the person who acted first"):
        a_ratification(excluded=())


def test_gov_39_a_ratification_is_given_by_the_quorum_of_sev1_without_who_acted() -> None:
    request = a_ratification(requester=cases.MARIA, excluded=(cases.MARIA,))
    assert code_of(request, a_vote(request, RATIFY, cases.MARIA)) is Refusal.four_eyes
    assert code_of(request, a_vote(request, APPROVE, cases.AMIRA)) is Refusal.wrong_state
    weak = a_vote(request, RATIFY, cases.AMIRA, signature_class=SignatureClass.standard)
    assert code_of(request, weak) is Refusal.step_up_required
    assert signed(request, cases.AMIRA).status is ConsentStatus.pending
    assert signed(request, cases.AMIRA, cases.JONAS).status is ConsentStatus.given
    no = apply(request, ConsentState(), a_vote(request, REJECT, cases.AMIRA), BEGIN)
    assert no.status is ConsentStatus.refused


def test_gov_39_a_ratification_never_lapses_and_is_told_daily_until_it_is_decided() -> None:
    request = a_ratification()
    state = signed(request, cases.MARIA)
    later = request.expires_at + 30 * DAY
    assert lapse(request, state, later) == state
    told = [reminders(request, state, request.expires_at + span) for span in (-timedelta(seconds=1), 0 * DAY, DAY)]
    assert told == [0, 1, 2]
    assert [next_wake(request, number) for number in (0, 1)] == [request.expires_at, request.expires_at + DAY]
    done = apply(request, state, a_vote(request, RATIFY, cases.JONAS, 5), later)
    assert done.status is ConsentStatus.given
    assert reminders(request, done, later) == 0


VOTERS = (cases.MARIA, cases.JONAS, cases.AMIRA, cases.LENA, OMAR, NOOR, RUTH)


@settings(max_examples=150, deadline=None)
@given(
    ratifies=st.booleans(),
    acts=st.lists(
        st.tuples(st.sampled_from(VOTERS), st.sampled_from((APPROVE, RATIFY, REJECT, RETRACT)), st.integers(0, 9)),
        max_size=12,
    ),
)
def test_whatever_people_do_it_is_given_only_by_enough_different_people_and_never_changes_after_its_end(
    ratifies: bool, acts: list[tuple[str, DecisionKind, int]]
) -> None:
    request = a_ratification() if ratifies else a_request()
    state = ConsentState()
    for number, (who, kind, day) in enumerate(sorted(acts, key=lambda act: act[2])):
        now, before = BEGIN + day * DAY, state
        state = lapse(request, state, now)
        try:
            state = apply(request, state, a_vote(request, kind, who, number), now)
        except Refused:
            continue
        assert not before.closed
    approving = [vote.actor for vote in state.votes if vote.kind == "approve"]
    people = {actor.subject: actor.roles for actor in approving}
    assert len(people) == len(approving)
    assert not people.keys() & {request.requester, *request.excluded}
    if state.status is ConsentStatus.given:
        assert request.right.missing(people) == ()
    else:
        assert request.right.missing(people) or state.status is ConsentStatus.refused
