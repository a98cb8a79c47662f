"""GOV-8…16, 25: one rule of the approval at a time; `test_approval_machine` has them all at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations

import pytest

from countermand.governance.approval import (
    acknowledge,
    apply,
    check,
    deadline,
    due_rungs,
    expire,
    may_page,
    settle,
    supersede,
)
from countermand.governance.ask import ApprovalState, ApprovalStatus, Ask
from countermand.governance.decision import Decision, DecisionKind, Refusal, Refused
from tests import cases
from tests.rules.governance.asking import BEGIN, OMAR, a_decision, an_actor, an_ask, directory, more_people


def code_of(ask: Ask, decision: Decision, now: datetime = BEGIN, state: ApprovalState | None = None) -> Refusal:
    with pytest.raises(Refused) as caught:
        check(ask, state or ApprovalState(), decision, now)
    assert caught.value.next, "every refusal says what to do next"
    return caught.value.code


def test_gov_13_equality_is_expiry() -> None:
    ask = an_ask()
    vote = a_decision(ask, DecisionKind.approve, cases.MARIA)
    check(ask, ApprovalState(), vote, ask.expires_at - timedelta(microseconds=1))
    assert code_of(ask, vote, ask.expires_at) is Refusal.expired


def test_gov_16_a_withdrawal_at_the_instant_of_expiry_is_a_withdrawal() -> None:
    ask = an_ask()
    state = apply(ask, ApprovalState(), a_decision(ask, DecisionKind.withdraw, cases.JONAS), ask.expires_at)
    assert state.status is ApprovalStatus.withdrawn
    assert expire(ask, state, ask.expires_at).status is ApprovalStatus.withdrawn


def test_gov_8_any_change_of_plan_evidence_or_expiry_changes_the_digest() -> None:
    ask = an_ask()
    others = [
        an_ask(plan_digest="sha256:" + "2" * 64),
        an_ask(evidence_digest="sha256:" + "2" * 64),
        an_ask(expires_at=ask.expires_at + timedelta(seconds=1)),
        an_ask(requester="local|other"),
        an_ask(ask_id="inc-1-ask-2"),
    ]
    assert len({ask.approval_digest, *(other.approval_digest for other in others)}) == 6


def test_a_tampered_decision_is_refused() -> None:
    ask = an_ask()
    decision = a_decision(ask, DecisionKind.approve, cases.MARIA)
    for field, value in [
        ("reason", "something else was said here"),
        ("decision_id", "d-9"),
        ("channel", "cli"),
    ]:
        assert code_of(ask, decision.model_copy(update={field: value}), BEGIN) is Refusal.signature_invalid


def test_gov_17_the_requester_may_not_approve_but_may_withdraw() -> None:
    ask = an_ask(requester=cases.MARIA)
    assert code_of(ask, a_decision(ask, DecisionKind.approve, cases.MARIA), BEGIN) is Refusal.four_eyes
    check(ask, ApprovalState(), a_decision(ask, DecisionKind.withdraw, cases.MARIA), BEGIN)


def test_f2_after_an_outage_the_ladder_catches_up_once_without_a_burst_of_reminders() -> None:
    policy = cases.playbook().approvals["sev2"]
    assert due_rungs(policy, timedelta(0), 0) == [0]
    assert due_rungs(policy, timedelta(minutes=5), 1) == [1]
    assert due_rungs(policy, timedelta(minutes=12), 1) == [2]
    assert due_rungs(policy, timedelta(minutes=31), 1) == [2, 3]


def test_i14_the_same_signed_bytes_count_once_even_after_a_retraction() -> None:
    ask = an_ask()
    vote = a_decision(ask, DecisionKind.approve, cases.MARIA, 1)
    state = apply(ask, ApprovalState(), vote, BEGIN)
    state = apply(ask, state, a_decision(ask, DecisionKind.retract, cases.MARIA, 2), BEGIN)
    assert code_of(ask, vote, BEGIN, state) is Refusal.already_voted


def test_a_decision_of_another_incident_is_refused_although_the_workflow_id_is_reused() -> None:
    ask = an_ask()
    other = a_decision(ask, DecisionKind.approve, cases.MARIA, incident_id="inc-2")
    assert code_of(ask, other, BEGIN) is Refusal.unknown_ask


def test_gov_1_an_excluded_account_is_refused_whatever_its_roles() -> None:
    ask = an_ask(directory=directory(cases.governance(excluded=[cases.MARIA])))
    assert code_of(ask, a_decision(ask, DecisionKind.approve, cases.MARIA)) is Refusal.external_account


def test_gov_2_automation_never_decides_not_even_with_a_role() -> None:
    ask = an_ask()
    robot = an_actor(cases.MARIA, principal="automation")
    assert code_of(ask, a_decision(ask, DecisionKind.approve, robot)) is Refusal.actor_not_a_person


def test_gov_9_what_was_asked_changed_and_nothing_happens_on_it() -> None:
    ask = an_ask()
    state = supersede(ApprovalState(), "the plan changed", BEGIN)
    assert state.status is ApprovalStatus.stale
    vote = a_decision(ask, DecisionKind.approve, cases.MARIA)
    assert code_of(ask, vote, BEGIN, state) is Refusal.already_decided


def test_gov_12_a_vote_after_the_end_is_answered_and_changes_nothing() -> None:
    ask = an_ask()
    for status in set(ApprovalStatus) - {ApprovalStatus.pending}:
        state = ApprovalState(status=status, because="it ended", closed_at=BEGIN)
        code = code_of(ask, a_decision(ask, DecisionKind.approve, cases.MARIA), BEGIN, state)
        assert code is (Refusal.expired if status is ApprovalStatus.expired else Refusal.already_decided)


def test_gov_19_an_account_linked_to_the_requester_may_not_approve() -> None:
    people = more_people().people
    linked = [person.model_copy(update={"linked": ("slack|maria",)}) for person in people[:1]]
    linked_people = directory(more_people().model_copy(update={"people": (*linked, *people[1:])}))
    ask = an_ask(directory=linked_people, requester=cases.MARIA)
    other = an_actor("slack|maria", linked_people)
    assert other.roles == an_actor(cases.MARIA).roles
    assert code_of(ask, a_decision(ask, DecisionKind.approve, other)) is Refusal.four_eyes
    check(ask, ApprovalState(), a_decision(ask, DecisionKind.withdraw, other), BEGIN)


def test_gov_19_two_accounts_of_one_person_count_once() -> None:
    people = more_people().people
    linked = people[0].model_copy(update={"linked": ("slack|maria",)})
    linked_people = directory(more_people().model_copy(update={"people": (linked, *people[1:])}))
    ask = an_ask(directory=linked_people)
    state = apply(ask, ApprovalState(), a_decision(ask, DecisionKind.approve, cases.MARIA, 1), BEGIN)
    again = a_decision(ask, DecisionKind.approve, an_actor("slack|maria", linked_people), 2)
    assert code_of(ask, again, BEGIN, state) is Refusal.already_voted


# --- extending, acknowledging --------------------------------------------------------------------------------------


def test_people_who_are_asked_extend_the_time_limit_once_by_the_original_window() -> None:
    ask = an_ask()
    voted = apply(ask, ApprovalState(), a_decision(ask, DecisionKind.approve, cases.MARIA, 1), BEGIN)
    state = apply(ask, voted, a_decision(ask, DecisionKind.extend, cases.JONAS, 2), BEGIN + timedelta(minutes=29))
    assert deadline(ask, state) == BEGIN + timedelta(minutes=60)
    assert state.votes == voted.votes, "votes stay: they were given on the same digest"
    late = BEGIN + timedelta(minutes=59)
    assert code_of(ask, a_decision(ask, DecisionKind.extend, cases.MARIA, 3), late, state) is Refusal.wrong_state
    assert expire(ask, state, late) == state
    assert apply(ask, state, a_decision(ask, DecisionKind.approve, cases.JONAS, 4), late).status.value == "approved"
    assert expire(ask, state, BEGIN + timedelta(minutes=60)).status is ApprovalStatus.expired


def test_nobody_extends_a_time_limit_that_has_passed_or_without_being_asked() -> None:
    ask = an_ask()
    assert code_of(ask, a_decision(ask, DecisionKind.extend, cases.JONAS), ask.expires_at) is Refusal.expired
    assert code_of(ask, a_decision(ask, DecisionKind.extend, OMAR)) is Refusal.not_your_role
    silent = a_decision(ask, DecisionKind.extend, cases.JONAS, reason="wait")
    assert code_of(ask, silent) is Refusal.reason_too_short


def test_an_extension_moves_the_last_rung_and_no_other() -> None:
    policy = cases.playbook().approvals["sev2"]
    window = policy.time_limit
    assert due_rungs(policy, timedelta(minutes=31), 1, window) == [2]
    assert due_rungs(policy, timedelta(minutes=60), 3, window) == [3]


def test_gov_25_acknowledging_quiets_pages_to_that_person_and_is_no_vote() -> None:
    ask = an_ask()
    state = acknowledge(ask, ApprovalState(), cases.MARIA, BEGIN)
    assert (state.status, state.votes) == (ApprovalStatus.pending, ())
    assert not may_page(ask, state, cases.MARIA, BEGIN + timedelta(minutes=9, seconds=59))
    assert may_page(ask, state, cases.MARIA, BEGIN + timedelta(minutes=10))
    assert may_page(ask, state, cases.JONAS, BEGIN)
    again = acknowledge(ask, state, cases.MARIA, BEGIN + timedelta(minutes=10))
    assert [one.at for one in again.acknowledged] == [BEGIN + timedelta(minutes=10)]


def test_gov_25_the_end_of_an_ask_cancels_all_pages() -> None:
    ask = an_ask()
    state = expire(ask, ApprovalState(), ask.expires_at)
    assert not may_page(ask, state, cases.MARIA, ask.expires_at)
    assert acknowledge(ask, state, cases.MARIA, ask.expires_at) == state
    voted = apply(ask, ApprovalState(), a_decision(ask, DecisionKind.approve, cases.MARIA), BEGIN)
    assert not may_page(ask, voted, cases.MARIA, BEGIN), "who has voted is left in peace"


def test_a_time_limit_under_a_standing_authorisation_says_on_what_the_approval_rests() -> None:
    ask = an_ask()
    state = expire(ask, ApprovalState(), ask.expires_at, standing="sa-1")
    assert (state.status, state.basis) == (ApprovalStatus.approved, "standing_authorisation")
    assert "sa-1" in state.because
    early = ask.expires_at - timedelta(microseconds=1)
    assert expire(ask, ApprovalState(), early, standing="sa-1").status is ApprovalStatus.pending


# --- several things in one instant (GOV-16) ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "minutes", "stale", "ends"),
    [
        ("withdraw reject approve approve", 29, "the plan changed", "withdrawn"),
        ("withdraw reject approve approve", 30, "the plan changed", "withdrawn"),
        ("reject approve approve", 30, "the plan changed", "expired"),
        ("reject approve approve", 29, "the plan changed", "stale"),
        ("reject approve approve", 29, "", "rejected"),
        ("approve approve", 29, "", "approved"),
        ("approve extend", 29, "", "pending"),
    ],
)
def test_gov_16_one_end_whatever_the_order_of_arrival(kinds: str, minutes: int, stale: str, ends: str) -> None:
    ask = an_ask()
    people = {"withdraw": [cases.JONAS], "reject": [cases.AMIRA], "extend": [cases.AMIRA]}
    people["approve"] = [cases.MARIA, cases.JONAS]
    decisions = [
        a_decision(ask, DecisionKind(kind), people[kind][kinds.split()[:place].count(kind)], place)
        for place, kind in enumerate(kinds.split())
    ]
    now = BEGIN + timedelta(minutes=minutes)
    found = {settle(ask, ApprovalState(), order, now, stale)[0] for order in permutations(decisions)}
    assert [state.status.value for state in found] == [ends], "one state, its words included"


def test_gov_16_every_refused_decision_of_the_instant_is_answered() -> None:
    ask = an_ask()
    decisions = [
        a_decision(ask, DecisionKind.approve, cases.MARIA, 1),
        a_decision(ask, DecisionKind.reject, cases.AMIRA, 2),
        a_decision(ask, DecisionKind.hold, cases.JONAS, 3),
    ]
    state, refused = settle(ask, ApprovalState(), decisions, BEGIN)
    assert state.status is ApprovalStatus.rejected
    assert {decision.decision_id for decision, _ in refused} == {"d-1", "d-3"}


def test_gov_16_one_after_the_other_also_gives_exactly_one_end() -> None:
    ask = an_ask()
    acts = [
        (DecisionKind.approve, cases.MARIA),
        (DecisionKind.approve, cases.JONAS),
        (DecisionKind.reject, cases.AMIRA),
    ]
    decisions = [a_decision(ask, kind, who, place) for place, (kind, who) in enumerate(acts)]
    for order in permutations(decisions):
        ends, state = [], ApprovalState()
        for decision in order:
            try:
                state = apply(ask, state, decision, BEGIN)
            except Refused:
                continue
            ends += [state.status] if state.closed else []
        assert len(ends) == 1
