"""GOV-37…40: acting first, and answering for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from countermand.governance.break_glass import (
    BreakGlass,
    Emergency,
    Ratification,
    check,
    escalations,
    opened,
    outcome,
    overuse,
    ratify,
    use_digest,
)
from countermand.governance.decision import Actor, Decision, DecisionKind, DelegatedBy, Refusal, Refused, SignatureClass
from countermand.governance.directory import Directory
from countermand.governance.limits import Limits
from countermand.governance.rights import Action
from countermand.governance.shipped import shipped_rights
from countermand.governance.working_time import WorkingTime
from countermand.playbook.terms import Severity
from tests import cases
from tests.rules.governance.asking import BEGIN, NOOR, OMAR, a_decision, an_actor, an_ask, directory, more_people

BREAK = shipped_rights().row(Action.break_glass, Severity.sev1)
RATIFY = shipped_rights().row(Action.decide_plan, Severity.sev1)
PEOPLE = directory(more_people())
STOP = BreakGlass(emergency=Emergency.stop, harm="users get dosage advice that is wrong", target_eligible=None)
CALENDAR = WorkingTime(time_zone="Europe/Berlin")
DAY = timedelta(days=1)


def act(who: str | Actor = NOOR, **changes: Any) -> Decision:
    said: dict[str, Any] = {
        "reason": "dosage advice is wrong right now",
        "signature_class": SignatureClass.step_up,
        "approval_digest": use_digest(an_ask().workflow_id),
    }
    return a_decision(an_ask(), DecisionKind.break_glass, who, **(said | changes))


def code_of(wanted: BreakGlass, decision: Decision, people: Directory = PEOPLE) -> Refusal:
    with pytest.raises(Refused) as caught:
        check(wanted, decision, people, BREAK)
    assert caught.value.next
    return caught.value.code


def test_gov_38_break_glass_stops_disables_or_goes_to_the_last_known_good_and_nothing_else() -> None:
    assert [one.value for one in Emergency] == ["stop", "disable", "last_known_good"]
    for emergency in Emergency:
        wanted = STOP.model_copy(update={"emergency": emergency, "target_eligible": True})
        check(wanted, act(), PEOPLE, BREAK)


LENT = DelegatedBy(delegation_id="x", subject=NOOR, name="Noor Vermeer", not_after=BEGIN + DAY)


@pytest.mark.parametrize(
    ("wanted", "decision", "code"),
    [
        ({}, act(cases.MARIA), Refusal.not_your_role),
        ({}, act(an_actor(cases.MARIA, roles=("break_glass",))), Refusal.not_your_role),
        ({}, act(an_actor(OMAR, roles=("break_glass",), delegated_by=LENT)), Refusal.not_your_role),
        ({}, act(an_actor(NOOR, delegated_by=LENT)), Refusal.not_your_role),
        ({}, act(an_actor(NOOR, principal="automation")), Refusal.actor_not_a_person),
        ({}, act(signature_class=SignatureClass.standard), Refusal.step_up_required),
        ({}, act(approval_digest=an_ask().approval_digest), Refusal.stale),
        ({}, act(approval_digest=None), Refusal.stale),
        ({}, act(reason="x" * 19), Refusal.reason_too_short),
        ({}, act(reason=" " * 5 + "x" * 19), Refusal.reason_too_short),
        ({"harm": "  "}, act(), Refusal.reason_too_short),
        ({"emergency": Emergency.last_known_good}, act(), Refusal.target_not_eligible),
        ({"emergency": Emergency.last_known_good, "target_eligible": False}, act(), Refusal.target_not_eligible),
        ({}, act().model_copy(update={"kind": DecisionKind.abort}), Refusal.wrong_state),
    ],
)
def test_gov_38_it_needs_the_own_role_a_second_factor_a_reason_and_a_harm(
    wanted: dict[str, Any], decision: Decision, code: Refusal
) -> None:
    assert code_of(STOP.model_copy(update=wanted), decision) is code


def test_gov_38_an_excluded_account_breaks_no_glass() -> None:
    assert code_of(STOP, act(), directory(more_people(excluded=[NOOR]))) is Refusal.external_account


def a_case(used_by: str = NOOR) -> Ratification:
    return opened(used_by, "prod", BEGIN, CALENDAR)


def vote(who: str | Actor, kind: DecisionKind = DecisionKind.ratify) -> Decision:
    return a_decision(an_ask(), kind, who, signature_class=SignatureClass.step_up)


def at(case: Ratification, now: datetime = BEGIN) -> str:
    return outcome(case, RATIFY, PEOPLE, now)


def test_gov_39_it_is_ratified_by_the_quorum_of_sev1() -> None:
    case = ratify(a_case(), vote(cases.MARIA), RATIFY, PEOPLE)
    assert at(case) == "open"
    assert at(ratify(case, vote(cases.JONAS), RATIFY, PEOPLE)) == "ratified"


def test_gov_39_one_refusal_is_not_ratified_and_stays_so() -> None:
    case = ratify(a_case(), vote(cases.MARIA, DecisionKind.reject), RATIFY, PEOPLE)
    assert at(case) == at(case, case.due + 9 * DAY) == "not_ratified"
    with pytest.raises(Refused, match="already_decided"):
        ratify(case, vote(cases.JONAS), RATIFY, PEOPLE)


def test_gov_39_who_acted_never_counts_for_themselves() -> None:
    case = a_case(cases.MARIA)
    lent = DelegatedBy(delegation_id="x", subject=cases.MARIA, name="Maria Keller", not_after=BEGIN + DAY)
    for who in (cases.MARIA, an_actor(OMAR, roles=("safety_lead",), delegated_by=lent)):
        with pytest.raises(Refused, match="four_eyes"):
            ratify(case, vote(who), RATIFY, PEOPLE)
    forged = case.model_copy(update={"ratified_by": {cases.MARIA: ("safety_lead",), cases.JONAS: ("release_owner",)}})
    assert at(forged) == "open"


def test_gov_39_votes_need_role_signature_and_a_different_person_each() -> None:
    with pytest.raises(Refused, match="not_your_role"):
        ratify(a_case(), vote(OMAR), RATIFY, PEOPLE)
    with pytest.raises(Refused, match="step_up_required"):
        ratify(a_case(), a_decision(an_ask(), DecisionKind.ratify, cases.MARIA), RATIFY, PEOPLE)
    with pytest.raises(Refused, match="actor_not_a_person"):
        ratify(a_case(), vote(an_actor(cases.MARIA, principal="automation")), RATIFY, PEOPLE)
    with pytest.raises(Refused, match="wrong_state"):
        ratify(a_case(), vote(cases.MARIA, DecisionKind.approve), RATIFY, PEOPLE)
    case = ratify(a_case(), vote(cases.JONAS), RATIFY, PEOPLE)
    lent = DelegatedBy(delegation_id="x", subject=cases.JONAS, name="Jonas Weber", not_after=BEGIN + DAY)
    for who in (cases.JONAS, an_actor(OMAR, roles=("release_owner",), delegated_by=lent)):
        with pytest.raises(Refused, match="already_voted"):
            ratify(case, vote(who), RATIFY, PEOPLE)


def test_gov_39_overdue_escalates_at_once_and_daily_until_it_is_decided() -> None:
    case = a_case()
    assert [escalations(case, RATIFY, PEOPLE, case.due + days * DAY - timedelta(seconds=late)) for days, late in
            ((0, 1), (0, 0), (1, 1), (1, 0), (6, 0))] == [0, 1, 1, 2, 7]  # fmt: skip
    assert at(case, case.due) == "expired"
    late = ratify(ratify(case, vote(cases.MARIA), RATIFY, PEOPLE), vote(cases.JONAS), RATIFY, PEOPLE)
    assert at(late, case.due + 9 * DAY) == "ratified"
    assert escalations(late, RATIFY, PEOPLE, case.due + 9 * DAY) == 0


def test_gov_39_the_clock_runs_one_business_day_in_the_zone_of_the_organisation() -> None:
    friday = datetime(2026, 3, 27, 15, 30, tzinfo=BEGIN.tzinfo)
    due = opened(NOOR, "prod", friday, CALENDAR).due
    assert due == datetime(2026, 3, 30, 14, 30, tzinfo=BEGIN.tzinfo), "Monday, half past four in Berlin, summer time"


def test_gov_40_more_than_two_uses_in_thirty_days_are_a_finding() -> None:
    now = BEGIN + timedelta(days=60)
    two = [("prod", now), ("prod", now - timedelta(days=29))]
    old = [("prod", now - timedelta(days=30)), ("test", now), ("prod", now + timedelta(seconds=1))]
    assert overuse(two + old, "prod", now, Limits()) == ""
    found = overuse([*two, *old, ("prod", now - DAY)], "prod", now, Limits())
    assert found.startswith("break-glass was used 3 times in 30 days in 'prod'")
