"""GOV-8…21: the approval rules under random people, clocks and changes; I1–I5, I13, I14 after every step."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from countermand.governance import approval
from countermand.governance.ask import ApprovalStatus
from countermand.governance.decision import DecisionKind
from countermand.governance.delegation import Delegation
from tests import cases
from tests.rules.governance.asking import KEYS, a_delegation
from tests.rules.governance.incident_model import LINKED, OMAR, IncidentModel, Rules
from tests.rules.governance.invariants import assert_all
from tests.rules.governance.seeded_faults import FAULTS

FULL = os.environ.get("COUNTERMAND_FULL") == "1"
EXAMPLES = 10_000 if FULL else 500
QUICK = settings(
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
#: Somebody who may decide comes first, so that stories in which something happens are short.
PEOPLE = st.sampled_from([cases.MARIA, cases.JONAS, cases.AMIRA, OMAR, LINKED, cases.LENA, "local|stranger"])
HOLDERS = st.sampled_from([cases.MARIA, cases.JONAS, cases.AMIRA, OMAR])
KINDS = st.sampled_from(
    [
        DecisionKind.approve,
        DecisionKind.approve,
        DecisionKind.approve,
        DecisionKind.reject,
        DecisionKind.retract,
        DecisionKind.extend,
        DecisionKind.withdraw,
    ]
)


class ApprovalMachine(RuleBasedStateMachine):
    """Random acts on one release. `planted` are the rules under test."""

    planted = Rules()

    def __init__(self) -> None:
        super().__init__()
        self.model = IncidentModel(self.planted)
        self.number = 0

    @initialize(requester=st.sampled_from(["automation", cases.JONAS, LINKED]))
    def begin(self, requester: str) -> None:
        self.model.signal("truth")
        self.model.ask_for(requester)

    @rule(cause=st.sampled_from(["truth", "latency"]))
    def a_signal_comes(self, cause: str) -> None:
        self.model.signal(cause)

    @precondition(lambda self: self.model.current.state.closed)
    @rule(requester=st.sampled_from(["automation", cases.AMIRA]))
    def somebody_asks_again(self, requester: str) -> None:
        self.model.ask_for(requester)

    @rule(minutes=st.sampled_from([0, 1, 10, 29, 30, 31]))
    def time_passes(self, minutes: int) -> None:
        self.model.pass_time(minutes)

    @rule()
    def the_timers_fire(self) -> None:
        self.model.run_timers()

    @rule(who=PEOPLE, kind=KINDS)
    def somebody_decides(self, who: str, kind: DecisionKind) -> None:
        self._decide(len(self.model.asks) - 1, who, kind)

    @precondition(lambda self: not self.model.current.state.closed)
    @rule(first=st.sampled_from([cases.MARIA, LINKED, cases.AMIRA]), second=st.sampled_from([cases.JONAS, OMAR]))
    def two_people_approve(self, first: str, second: str) -> None:
        for who in (first, second):
            self._decide(len(self.model.asks) - 1, who, DecisionKind.approve)

    @rule(who=HOLDERS, kind=KINDS, place=st.integers(0, 3))
    def somebody_decides_on_an_old_page(self, who: str, kind: DecisionKind, place: int) -> None:
        """The digest is of an earlier request, the address that of the newest one, or both are old."""
        old = self.model.asks[min(place, len(self.model.asks) - 1)]
        decision = self.model.draft(self.model.current, kind, who, self._next())
        if decision is not None:
            changed = decision.model_copy(update={"approval_digest": old.ask.approval_digest, "signature": ""})
            self.model.decide(self.model.current, KEYS.sign(changed))
        self._decide(min(place, len(self.model.asks) - 1), who, kind)

    @precondition(lambda self: any(asked.sent for asked in self.model.asks))
    @rule(place=st.integers(0, 9))
    def the_same_bytes_come_again(self, place: int) -> None:
        sent = [(asked, decision) for asked in self.model.asks for decision in asked.sent]
        asked, decision = sent[place % len(sent)]
        self.model.decide(asked, decision)

    @rule(told=st.booleans())
    def the_plan_is_edited(self, told: bool) -> None:
        self.model.edit_plan(told=told)

    @rule(who=HOLDERS, role=st.sampled_from(["safety_lead", "release_owner"]))
    def a_role_changes(self, who: str, role: str) -> None:
        self.model.people[who] ^= {role}

    @rule(who=HOLDERS)
    def somebody_leaves_or_comes_back(self, who: str) -> None:
        self.model.excluded ^= {who}

    @rule(minutes=st.sampled_from([5, 30, 600]))
    def jonas_delegates_to_his_deputy(self, minutes: int) -> None:
        self.somebody_delegates(cases.JONAS, OMAR, minutes)

    @rule(delegator=HOLDERS, delegate=HOLDERS, minutes=st.sampled_from([5, 30, 600]))
    def somebody_delegates(self, delegator: str, delegate: str, minutes: int) -> None:
        if delegator != delegate and self.model.people[delegator]:
            self.model.delegations.append(self._delegation(delegator, delegate, minutes))

    @precondition(lambda self: self.model.delegations)
    @rule()
    def a_delegation_is_taken_back(self) -> None:
        self.model.delegations.pop()

    @rule()
    def the_roles_are_read_anew(self) -> None:
        self.model.reread_roles()

    @rule(who=PEOPLE)
    def somebody_acknowledges(self, who: str) -> None:
        asked = self.model.current
        before = asked.state
        asked.state = approval.acknowledge(asked.ask, before, who, self.model.now)
        assert (asked.state.votes, asked.state.status) == (before.votes, before.status), "GOV-25"

    @rule()
    def the_plan_is_carried_out(self) -> None:
        self.model.execute()

    @invariant()
    def everything_holds(self) -> None:
        if self.model.asks:
            assert_all(self.model)

    def teardown(self) -> None:
        """I13: wherever the story stopped, the time limit leads on."""
        if self.model.asks:
            self.model.pass_time(120)
            self.model.run_timers()
            assert_all(self.model)

    def _next(self) -> int:
        self.number += 1
        return self.number

    def _decide(self, place: int, who: str, kind: DecisionKind) -> None:
        asked = self.model.asks[place]
        decision = self.model.draft(asked, kind, who, self._next())
        if decision is not None:
            self.model.decide(asked, decision)

    def _delegation(self, delegator: str, delegate: str, minutes: int) -> Delegation:
        now = self.model.now
        return a_delegation(
            id=f"lent-{self._next()}",
            delegator=delegator,
            delegate=delegate,
            roles=sorted(self.model.people[delegator]),
            granted_at=now,
            not_before=now,
            not_after=now + timedelta(minutes=minutes),
        )


@pytest.mark.timeout(4 * 3600 if FULL else 180)
def test_the_approval_rules_keep_every_invariant_under_random_stories() -> None:
    """I1–I5, I13, I14; GOV-8, 9, 12–17, 19–21, 25. The stories reach every end; else there would be little to break."""
    reached: set[str] = set()

    class Watched(ApprovalMachine):
        def teardown(self) -> None:
            super().teardown()
            for asked in self.model.asks:
                reached.add(asked.state.status.value)
                reached.update("lent" for vote in asked.state.votes if vote.actor.delegated_by)
                reached.update("extended" for _ in range(asked.state.extended_until is not None))
            reached.update("effect" for _ in self.model.effects)

    run_state_machine_as_test(Watched, settings=settings(QUICK, max_examples=EXAMPLES))
    assert reached == {*(status.value for status in ApprovalStatus), "lent", "extended", "effect"}


@pytest.mark.parametrize("name", FAULTS)
def test_the_machine_finds_a_planted_fault(name: str) -> None:
    """A machine that stays green with a wrong rule would prove nothing."""
    planted, invariant_name = FAULTS[name]
    machine = type("Planted", (ApprovalMachine,), {"planted": planted})
    with pytest.raises(AssertionError, match=invariant_name):
        run_state_machine_as_test(
            machine,
            settings=settings(QUICK, max_examples=EXAMPLES, phases=[Phase.generate], report_multiple_bugs=False),
        )
