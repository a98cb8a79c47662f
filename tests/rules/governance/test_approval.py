"""GOV-8…16: the approval machine under random acts, clocks and changes; invariants I3, I4, I5, I14 after each step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from countermand.governance.approval import (
    ApprovalState,
    ApprovalStatus,
    Ask,
    apply,
    check,
    due_rungs,
    expire,
    quorum_of,
    supersede,
)
from countermand.governance.decision import Actor, Decision, DecisionKind, Refusal, Refused
from countermand.governance.directory import Directory
from tests import cases, fakes

BEGIN = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
KEYS = fakes.FakeKeys()
DIGEST = "sha256:" + "1" * 64
PEOPLE = {person.subject: person for person in cases.governance().people}


def an_ask(**changes: object) -> Ask:
    policy = cases.playbook().approvals["sev2"]
    directory = Directory(governance=cases.governance(), digest=DIGEST, source="test", as_of=BEGIN)
    ask = Ask(
        ask_id="inc-1-ask-1",
        incident_id="inc-1",
        workflow_id="incident/x/approval/1",
        plan_digest=DIGEST,
        evidence_digest=DIGEST,
        requester="automation",
        excluded=(cases.LENA,),
        policy=policy,
        opened_at=BEGIN,
        expires_at=BEGIN + policy.time_limit,
        directory=directory,
        keys=KEYS.gateway_keys(),
    )
    return ask.model_copy(update=changes)


def a_decision(ask: Ask, kind: DecisionKind, who: str, number: int = 0, **changes: object) -> Decision:
    person = PEOPLE.get(who)
    decision = Decision(
        decision_id=f"d-{number}",
        kind=kind,
        addressed_to=ask.workflow_id,
        incident_id=ask.incident_id,
        ask_id=ask.ask_id,
        approval_digest=ask.approval_digest,
        reason="looked at the evidence, agreed",
        actor=Actor(
            subject=who,
            printed_name=person.name if person else who,
            principal="person",
            roles=person.roles if person else (),
            role_source="test",
            role_as_of=BEGIN,
        ),
        channel="web",
        acr="local",
        view_sha256=None,
        decided_at=BEGIN,
        gateway_key_id=KEYS.key_id,
    )
    return KEYS.sign(decision.model_copy(update=changes))


class ApprovalMachine(RuleBasedStateMachine):
    """Random people, acts, delays and changes of what is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.ask = an_ask()
        self.state = ApprovalState()
        self.now = BEGIN
        self.count = 0
        self.ended: ApprovalState | None = None

    @rule(minutes=st.integers(0, 20))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def the_timer_fires(self) -> None:
        self.state = expire(self.ask, self.state, self.now)

    @rule()
    def what_is_asked_changes(self) -> None:
        self.state = supersede(self.state, "the plan changed", self.now)

    @rule(
        who=st.sampled_from([cases.MARIA, cases.JONAS, cases.AMIRA, cases.LENA, "local|stranger"]),
        kind=st.sampled_from([DecisionKind.approve, DecisionKind.reject, DecisionKind.retract, DecisionKind.withdraw]),
        right_digest=st.booleans(),
    )
    def somebody_decides(self, who: str, kind: DecisionKind, right_digest: bool) -> None:
        self.count += 1
        changes = {} if right_digest else {"approval_digest": "sha256:" + "0" * 64}
        decision = a_decision(self.ask, kind, who, self.count, **changes)
        before = self.state
        try:
            self.state = apply(self.ask, self.state, decision, self.now)
        except Refused:
            assert self.state == before, "I14: a refused decision changes nothing"
            return
        if kind is not DecisionKind.withdraw:
            assert self.now < self.ask.expires_at, "I4: nothing counts at or after expiry"
            assert right_digest, "GOV-8: votes are for exactly this digest"

    @invariant()
    def nobody_counts_twice_and_no_excluded_person_counts(self) -> None:
        subjects = [vote.actor.subject for vote in self.state.votes]
        assert len(subjects) == len(set(subjects)), "I5"
        assert not {cases.LENA, "automation", "local|stranger"} & set(subjects), "I3"

    @invariant()
    def approved_means_quorum(self) -> None:
        if self.state.status is ApprovalStatus.approved:
            assert quorum_of(self.ask, self.state).satisfied
            assert self.state.closed_at is not None
            assert self.state.closed_at < self.ask.expires_at

    @invariant()
    def what_has_ended_stays_ended(self) -> None:
        if self.ended is not None:
            assert self.state == self.ended, "GOV-12"
        elif self.state.closed:
            self.ended = self.state


TestApprovalMachine = ApprovalMachine.TestCase
TestApprovalMachine.settings = settings(max_examples=500, stateful_step_count=20, deadline=None, derandomize=True)


def code_of(ask: Ask, decision: Decision, now: datetime, state: ApprovalState | None = None) -> Refusal:
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
