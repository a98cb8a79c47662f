"""GOV-19…21: who lends what to whom, for how long, and whose votes it makes worthless."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from countermand.governance.approval import apply, check
from countermand.governance.ask import ApprovalState, ApprovalStatus, Ask
from countermand.governance.decision import Actor, DecisionKind, Refusal, Refused
from countermand.governance.delegation import Delegation
from countermand.governance.directory import Directory
from countermand.governance.mandates import actor, delegators_of, effective_roles, ended_between, powerless
from countermand.playbook.terms import Severity
from tests import cases
from tests.rules.governance.asking import (
    BEGIN,
    NOOR,
    OMAR,
    SCOPE,
    a_decision,
    a_delegation,
    an_ask,
    directory,
    more_people,
)

DAY = timedelta(days=1)


def lending(*delegations: Delegation, **changes: object) -> Directory:
    return directory(more_people(delegations=[one.model_dump() for one in delegations], **changes))


def held(people: Directory, subject: str = OMAR, **scope: object) -> list[tuple[str, str | None]]:
    roles = effective_roles(people, subject, SCOPE.model_copy(update=scope), BEGIN)
    return [(one.role, one.delegated_by.name if one.delegated_by else None) for one in roles]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"delegate": cases.JONAS}, "cannot delegate to themselves"),
        ({"roles": ["break_glass"]}, "'break_glass' cannot be delegated"),
        ({"not_before": BEGIN - timedelta(seconds=1)}, "never works backwards"),
        ({"not_after": BEGIN}, "at most 14 days later"),
        ({"not_after": BEGIN + timedelta(days=14, seconds=1)}, "at most 14 days later"),
        ({"not_after": (BEGIN + DAY).replace(tzinfo=None)}, "timezone"),
        ({"releases": []}, "releases"),
        ({"reason": ""}, "reason"),
    ],
)
def test_gov_20_what_may_not_be_delegated_does_not_parse_and_says_why(changes: dict[str, object], said: str) -> None:
    a_delegation(not_after=BEGIN + timedelta(days=14))
    with pytest.raises(ValidationError, match=said):
        a_delegation(**changes)


def test_gov_20_the_scope_is_written_in_full() -> None:
    document = a_delegation().model_dump()
    for part in ("releases", "environments", "severities", "roles", "not_after"):
        with pytest.raises(ValidationError, match=part):
            Delegation.model_validate({name: value for name, value in document.items() if name != part})


def test_gov_20_a_lent_role_counts_inside_its_scope_only_and_names_its_owner() -> None:
    people = lending(a_delegation(releases=["test-bot-v7"], environments=["test"], severities=["sev2"]))
    assert held(people) == [("operator", None), ("release_owner", "Jonas Weber")]
    assert held(people, release="test-bot-v8") == [("operator", None)]
    assert held(people, environment="production") == [("operator", None)]
    assert held(people, severity=Severity.sev1) == [("operator", None)]


@pytest.mark.parametrize(("offset", "lends"), [(-1, False), (0, True), (3599, True), (3600, False)])
def test_gov_20_the_window_begins_inside_and_ends_outside(offset: int, lends: bool) -> None:
    people = lending(a_delegation(not_after=BEGIN + timedelta(hours=1)))
    assert bool(delegators_of(people, OMAR, SCOPE, BEGIN + timedelta(seconds=offset))) == lends


def test_gov_20_a_lent_role_cannot_be_lent_on() -> None:
    onward = a_delegation(id="onward", delegator=OMAR, delegate=NOOR)
    people = lending(a_delegation(), onward)
    assert ("release_owner", "Omar Said") not in held(people, NOOR)
    assert "does not hold release_owner in their own right" in powerless(onward, people, BEGIN)[0]


def test_gov_20_only_roles_that_the_owner_holds_can_be_lent() -> None:
    people = lending(a_delegation(roles=["release_owner", "safety_lead"]))
    assert held(people) == [("operator", None), ("release_owner", "Jonas Weber")]


def test_gov_20_why_a_delegation_gives_nothing_is_said_in_full() -> None:
    one = a_delegation(delegate="local|unknown", roles=["safety_lead"], revoked_at=BEGIN)
    reasons = " ".join(powerless(one, lending(one), BEGIN))
    for words in ("it ended at 2026-03-02T03:00:00", "'local|unknown' is not among the people", "does not hold"):
        assert words in reasons
    later = a_delegation(not_before=BEGIN + DAY, not_after=BEGIN + 2 * DAY)
    assert "it begins at" in powerless(later, lending(later), BEGIN)[0]
    assert powerless(a_delegation(), lending(a_delegation()), BEGIN) == ()


def test_gov_20_delegations_of_excluded_people_and_between_accounts_of_one_person_give_nothing() -> None:
    assert held(lending(a_delegation(), excluded=[cases.JONAS])) == [("operator", None)]
    assert held(lending(a_delegation(), excluded=[OMAR])) == []
    people = more_people().model_dump(mode="json")["people"]
    people[1]["linked"] = ["slack|jonas"]
    own = a_delegation(delegate="slack|jonas")
    linked = directory(cases.governance(people=people, delegations=[own.model_dump()]))
    assert "accounts of one person" in " ".join(powerless(own, linked, BEGIN))


def acting(people: Directory, subject: str = OMAR) -> Actor:
    return actor(people, subject, ("safety_lead", "release_owner"), SCOPE, BEGIN)


def code_of(ask: Ask, who: Actor, state: ApprovalState | None = None, minutes: int = 0) -> Refusal:
    vote = a_decision(ask, DecisionKind.approve, who, who.subject)
    with pytest.raises(Refused) as caught:
        check(ask, state or ApprovalState(), vote, BEGIN + timedelta(minutes=minutes))
    return caught.value.code


def test_gov_21_a_vote_with_a_lent_role_counts_and_carries_both_names() -> None:
    people = lending(a_delegation())
    ask = an_ask(directory=people, scope=SCOPE)
    state = ApprovalState()
    for number, who in enumerate((cases.MARIA, OMAR)):
        state = apply(ask, state, a_decision(ask, DecisionKind.approve, acting(people, who), number), BEGIN)
    assert state.status is ApprovalStatus.approved
    by = state.votes[1].actor.delegated_by
    assert by is not None
    assert (state.votes[1].actor.printed_name, by.name) == ("Omar Said", "Jonas Weber")


def test_gov_21_people_with_a_role_of_their_own_act_in_their_own_right() -> None:
    people = lending(a_delegation(delegate=cases.MARIA))
    assert acting(people, cases.MARIA).delegated_by is None


def test_gov_21_a_delegation_that_ended_on_the_way_is_refused_by_name() -> None:
    people = lending(a_delegation(not_after=BEGIN + timedelta(minutes=5)))
    ask = an_ask(directory=people, scope=SCOPE)
    assert code_of(ask, acting(people), minutes=5) is Refusal.delegation_ended
    assert code_of(an_ask(directory=people), acting(people)) is Refusal.not_your_role, "an ask without scope takes none"


def test_gov_19_a_delegate_of_the_requester_may_not_approve_in_any_right() -> None:
    people = lending(a_delegation(delegate=cases.MARIA), a_delegation(id="two"))
    ask = an_ask(directory=people, scope=SCOPE, requester=cases.JONAS)
    assert code_of(ask, acting(people, OMAR)) is Refusal.four_eyes
    assert code_of(ask, acting(people, cases.MARIA)) is Refusal.four_eyes, "although she is a safety lead herself"


def test_gov_19_owner_and_delegate_count_as_one_person() -> None:
    people = lending(a_delegation())
    ask = an_ask(directory=people, scope=SCOPE)
    for first, second in ((OMAR, cases.JONAS), (cases.JONAS, OMAR)):
        state = apply(ask, ApprovalState(), a_decision(ask, DecisionKind.approve, acting(people, first)), BEGIN)
        assert code_of(ask, acting(people, second), state) is Refusal.already_voted


def test_gov_19_an_excluded_account_gets_no_actor() -> None:
    with pytest.raises(Refused, match="external_account"):
        acting(lending(excluded=[cases.MARIA]), cases.MARIA)


@pytest.mark.parametrize(
    ("later", "ended"),
    [
        (lending(a_delegation()), False),
        (lending(a_delegation(revoked_at=BEGIN + timedelta(minutes=1))), True),
        (lending(), True),
        (lending(a_delegation(delegate=NOOR)), True),
        (lending(a_delegation(environments=["production"])), True),
        (lending(a_delegation(), excluded=[cases.JONAS]), True),
    ],
)
def test_gov_21_a_delegation_ends_by_time_hand_edit_or_loss_of_the_role(later: Directory, ended: bool) -> None:
    before = lending(a_delegation())
    found = ended_between(before, later, BEGIN, BEGIN + timedelta(minutes=5), SCOPE)
    assert [one.id for one in found] == (["jonas-away"] if ended else [])
    assert ended_between(before, before, BEGIN, BEGIN + DAY, SCOPE), "it runs out by itself"


def test_gov_1_an_account_belongs_to_one_person() -> None:
    people = more_people().model_dump(mode="json")["people"]
    for linked in ([cases.MARIA], [cases.JONAS], ["slack|x", "slack|x"]):
        with pytest.raises(ValidationError, match="listed twice"):
            cases.governance(people=[people[0] | {"linked": linked}, *people[1:]])
    with pytest.raises(ValidationError, match="listed twice"):
        cases.governance(people=[*people, people[0]])


def test_a_delegation_id_stands_once() -> None:
    with pytest.raises(ValidationError, match="'jonas-away' is used twice"):
        lending(a_delegation(), a_delegation())
