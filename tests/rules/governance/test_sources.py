"""GOV-3, 4, 5: each role has one source; what a source does not say now gives nobody a role."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from countermand.governance.approval import apply
from countermand.governance.ask import ApprovalState, ApprovalStatus, Ask
from countermand.governance.decision import DecisionKind, Refusal, Refused
from countermand.governance.directory import Directory, Governance, unattainable, unheld
from countermand.governance.execution import consume, recheck
from countermand.governance.mandates import actor
from countermand.governance.sources import Membership
from tests import cases
from tests.rules.governance.asking import BEGIN, DIGEST, SCOPE, a_decision, an_ask, directory

OKTA_MARIA = "https://login.example.com/oauth2/default|00u1maria"
SLACK = {"safety_lead": {"slack_user_group": "S0123"}}
LATER = BEGIN + timedelta(minutes=20)


def people(**changes: Any) -> Governance:
    """The small world, whose safety leads are a Slack user group instead of names in the file."""
    listed = cases.governance().model_dump(mode="json")["people"]
    for person in listed:
        person["roles"] = [role for role in person["roles"] if role != "safety_lead"]
    listed[0]["linked"] = [OKTA_MARIA]
    return cases.governance(**{"people": listed, "sources": SLACK} | changes)


def members(*subjects: str, at: datetime = BEGIN, **changes: Any) -> Directory:
    given = {"members": dict.fromkeys(subjects, at), "as_of": at, **changes}
    group = Membership(role="safety_lead", source="slack_user_group:S0123", **given)
    return directory(people()).model_copy(update={"memberships": (group,)})


def unanswered() -> Directory:
    return members(unavailable="Slack does not answer")


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        ({"safety_lead": {"oidc_groups": "a", "slack_user_group": "S1"}}, "exactly one source"),
        ({"safety_lead": {}}, "exactly one source"),
        ({"safety_lead": {"slack_user_group": "safety leads"}}, "pattern"),
        ({"release_owner": {"oidc_groups": "owners"}}, "a role has one source"),
    ],
)
def test_gov_3_a_role_with_two_sources_or_none_does_not_parse(sources: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        people(sources=sources)


def test_gov_3_a_person_without_a_role_parses_only_when_a_source_can_give_one() -> None:
    listed = people().model_dump(mode="json")["people"]
    listed.append({"subject": "local|noor", "name": "Noor Vermeer"})
    assert people(people=listed).people[-1].roles == ()
    with pytest.raises(ValidationError, match=r"'local\|noor' has no role"):
        people(people=[*cases.governance().model_dump(mode="json")["people"], listed[-1]], sources={})


def test_gov_3_members_hold_the_role_by_any_of_their_accounts_and_only_if_they_are_among_the_people() -> None:
    found = members(OKTA_MARIA, "local|somebody")
    assert found.roles_of(cases.MARIA) == found.roles_of(OKTA_MARIA) == ("product_owner", "safety_lead")
    assert found.roles_of("local|somebody") == ()
    assert [person.subject for person in found.holders("safety_lead")] == [cases.MARIA]
    assert Directory.model_validate_json(found.model_dump_json()) == found


def test_gov_3_an_excluded_account_holds_nothing_whatever_a_source_says() -> None:
    found = members(cases.AMIRA)
    found = found.model_copy(update={"governance": people(excluded=[cases.AMIRA])})
    assert found.roles_of(cases.AMIRA) == ()
    assert found.holders("safety_lead") == ()


def test_gov_4_the_actor_carries_the_source_of_the_roles_and_the_oldest_instant() -> None:
    early = BEGIN - timedelta(seconds=40)
    amira = actor(members(cases.AMIRA, at=early), cases.AMIRA, ("safety_lead",), SCOPE, BEGIN)
    assert (amira.role_source, amira.role_as_of) == ("test; slack_user_group:S0123", early)
    jonas = actor(members(cases.AMIRA, at=early), cases.JONAS, ("release_owner",), SCOPE, BEGIN)
    assert (jonas.role_source, jonas.role_as_of) == ("test", BEGIN)


def test_gov_5_the_age_of_last_known_members_is_printed() -> None:
    old = members(cases.AMIRA, at=BEGIN - timedelta(minutes=4), last_known=True)
    amira = actor(old, cases.AMIRA, ("safety_lead",), SCOPE, BEGIN)
    assert amira.role_source == "test; slack_user_group:S0123 (does not answer; last known 4m ago)"
    assert amira.role_as_of == BEGIN - timedelta(minutes=4)


def test_gov_5_a_decision_that_needs_a_role_of_a_silent_source_is_refused() -> None:
    with pytest.raises(Refused, match="Slack does not answer") as refused:
        actor(unanswered(), cases.AMIRA, ("safety_lead", "release_owner"), SCOPE, BEGIN)
    assert refused.value.code is Refusal.directory_unavailable


def test_gov_5_roles_of_the_file_still_count_while_another_source_is_silent() -> None:
    jonas = actor(unanswered(), cases.JONAS, ("safety_lead", "release_owner"), SCOPE, BEGIN)
    assert jonas.roles == ("release_owner", "incident_commander")


def test_gov_6_an_empty_group_and_a_silent_source_are_told_and_make_quorums_unattainable() -> None:
    empty = members(left_out=("U07: this Slack user is deactivated",))
    assert unheld(empty) == [
        "role safety_lead: slack_user_group:S0123 names nobody who is among the people "
        "(U07: this Slack user is deactivated)"
    ]
    assert unheld(unanswered()) == ["role safety_lead: slack_user_group:S0123: Slack does not answer"]
    assert any("needs 1 × safety_lead, the directory has 0" in one for one in unattainable(cases.playbook(), empty))
    assert unheld(members(cases.MARIA)) == unattainable(cases.playbook(), members(cases.MARIA)) == []


def test_gov_6_a_right_that_only_an_empty_group_could_use_is_told() -> None:
    rights = {kind: ["safety_lead"] for kind in ("withdraw", "hold", "resume", "abort", "reverse", "ask_again")}
    empty = members().model_copy(update={"governance": people(rights=rights)})
    assert "rights.abort: nobody holds safety_lead" in unheld(empty)


def approved() -> tuple[Ask, ApprovalState]:
    ask, state = an_ask(directory=members(cases.AMIRA), scope=SCOPE), ApprovalState()
    for number, who in enumerate((cases.AMIRA, cases.JONAS)):
        acting = actor(members(cases.AMIRA), who, ask.voting_roles, SCOPE, BEGIN)
        state = apply(ask, state, a_decision(ask, DecisionKind.approve, acting, number), BEGIN)
    assert state.status is ApprovalStatus.approved
    return ask, state


def test_gov_4_an_approval_is_stale_once_its_approver_left_the_group() -> None:
    ask, state = approved()
    assert consume(ask, state, DIGEST, members(cases.AMIRA), LATER).consumed_at == LATER
    lost = recheck(ask, state, DIGEST, members(), LATER)
    assert lost.status is ApprovalStatus.stale
    assert "role lost" in lost.because
    with pytest.raises(Refused) as refused:
        consume(ask, state, DIGEST, members(), LATER)
    assert refused.value.code is Refusal.stale


def test_gov_5_before_an_effect_a_silent_source_is_not_taken_for_a_lost_role() -> None:
    ask, state = approved()
    with pytest.raises(Refused) as refused:
        consume(ask, state, DIGEST, unanswered(), LATER)
    assert refused.value.code is Refusal.directory_unavailable
