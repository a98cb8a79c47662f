"""GOV-4, 10, 12, 21: an approval is read again with today's roles before the first effect."""

from __future__ import annotations

from datetime import timedelta

import pytest

from countermand.governance.approval import apply
from countermand.governance.ask import ApprovalState, ApprovalStatus, Ask
from countermand.governance.decision import DecisionKind, Refused
from countermand.governance.directory import Directory
from countermand.governance.execution import consume, quorum_now, recheck, stale_votes
from countermand.governance.mandates import actor
from tests import cases
from tests.rules.governance.asking import (
    BEGIN,
    DIGEST,
    OMAR,
    SCOPE,
    a_decision,
    a_delegation,
    an_ask,
    directory,
    more_people,
)

LATER = BEGIN + timedelta(minutes=20)
OTHER = "sha256:" + "2" * 64


def people(*, delegated: bool = True, **roles: list[str]) -> Directory:
    """Everybody as usual; `local_maria=[...]` changes roles, an empty list takes the person out."""
    listed = more_people().model_dump(mode="json")["people"]
    for person in listed:
        person["roles"] = roles.get(person["subject"].replace("local|", ""), person["roles"])
    listed = [person for person in listed if person["roles"]]
    rights = {
        "withdraw": ["executive"], "hold": ["executive"], "resume": ["executive"], "abort": ["executive"],
        "reverse": ["executive"], "ask_again": ["executive"],
    }  # fmt: skip
    lent = [a_delegation().model_dump()] if delegated else []
    return directory(cases.governance(people=listed, rights=rights, delegations=lent))


def asked_with(*voters: str) -> tuple[Ask, ApprovalState]:
    ask, state = an_ask(directory=people(), scope=SCOPE), ApprovalState()
    for number, who in enumerate(voters):
        acting = actor(people(), who, ask.voting_roles, SCOPE, BEGIN)
        state = apply(ask, state, a_decision(ask, DecisionKind.approve, acting, number), BEGIN)
    return ask, state


def test_gov_4_an_approval_holds_while_its_people_hold_their_roles() -> None:
    ask, state = asked_with(cases.MARIA, cases.JONAS)
    assert state.status is ApprovalStatus.approved
    assert recheck(ask, state, DIGEST, people(), LATER) == state


@pytest.mark.parametrize("roles", [{"maria": ["product_owner"]}, {"maria": []}])
def test_gov_4_a_quorum_that_no_longer_holds_makes_the_approval_stale(roles: dict[str, list[str]]) -> None:
    ask, state = asked_with(cases.MARIA, cases.JONAS)
    found = recheck(ask, state, DIGEST, people(**roles), LATER)
    assert found.status is ApprovalStatus.stale
    assert found.because.startswith("role lost: Maria Keller no longer counts; missing now: safety lead")


def test_gov_4_a_role_that_the_quorum_does_not_need_may_be_lost() -> None:
    ask, state = asked_with(cases.MARIA, cases.JONAS)
    assert recheck(ask, state, DIGEST, people(jonas=["release_owner"]), LATER) == state


def test_gov_21_an_open_vote_under_an_ended_delegation_makes_the_request_stale() -> None:
    ask, state = asked_with(OMAR)
    assert state.status is ApprovalStatus.pending
    assert recheck(ask, state, DIGEST, people(), LATER) == state
    found = recheck(ask, state, DIGEST, people(delegated=False), LATER)
    assert (found.status, "Omar Said" in found.because) == (ApprovalStatus.stale, True)
    ended = recheck(ask, state, DIGEST, people(), BEGIN + timedelta(days=1))
    assert ended.status is ApprovalStatus.stale


def test_gov_21_an_approval_under_a_delegation_is_stale_when_its_owner_lost_the_role() -> None:
    ask, state = asked_with(cases.MARIA, OMAR)
    assert state.status is ApprovalStatus.approved
    later = people(jonas=["incident_commander"])
    assert [vote.actor.subject for vote in stale_votes(ask, state, later, LATER)] == [OMAR]
    assert not quorum_now(ask, state, later, LATER).satisfied
    assert recheck(ask, state, DIGEST, later, LATER).status is ApprovalStatus.stale


def test_gov_19_accounts_that_turn_out_to_be_the_requesters_no_longer_count() -> None:
    ask, state = asked_with(cases.MARIA, cases.JONAS)
    ask = ask.model_copy(update={"requester": "slack|jonas"})
    listed = people().governance.people
    linked = tuple(
        person.model_copy(update={"linked": ("slack|jonas",)}) if person.subject == cases.JONAS else person
        for person in listed
    )
    later = directory(people().governance.model_copy(update={"people": linked}))
    assert quorum_now(ask, state, people(), LATER).satisfied
    assert recheck(ask, state, DIGEST, later, LATER).status is ApprovalStatus.stale


def test_gov_21_an_id_used_again_for_another_owner_is_another_delegation() -> None:
    ask, state = asked_with(cases.MARIA, OMAR)
    other = a_delegation(delegator=cases.LENA)
    later = directory(people().governance.model_copy(update={"delegations": (other,)}))
    assert recheck(ask, state, DIGEST, later, LATER).status is ApprovalStatus.stale


def test_gov_10_another_plan_than_the_approved_one_is_never_carried_out() -> None:
    ask, state = asked_with(cases.MARIA, cases.JONAS)
    assert recheck(ask, state, OTHER, people(), LATER).status is ApprovalStatus.stale
    with pytest.raises(Refused, match="not the one that was approved"):
        consume(ask, state, OTHER, people(), LATER)


def test_gov_12_an_approval_is_used_once_and_then_stays() -> None:
    ask, state = asked_with(cases.MARIA, cases.JONAS)
    used = consume(ask, state, DIGEST, people(), LATER)
    assert used.consumed_at == LATER
    assert consume(ask, used, DIGEST, people(), LATER + timedelta(minutes=1)) == used, "a retry is the same effect"
    assert recheck(ask, used, OTHER, people(maria=[]), LATER) == used


def test_gov_4_nothing_is_carried_out_on_what_is_not_approved() -> None:
    ask, state = asked_with(cases.MARIA)
    for closed in ("pending", "rejected", "expired", "stale", "withdrawn"):
        with pytest.raises(Refused, match=f"is {closed}, not approved"):
            consume(ask, state.model_copy(update={"status": ApprovalStatus(closed)}), DIGEST, people(), LATER)
    ask, state = asked_with(cases.MARIA, cases.JONAS)
    with pytest.raises(Refused, match="role lost"):
        consume(ask, state, DIGEST, people(maria=[]), LATER)


def test_an_approval_by_standing_authorisation_has_no_votes_that_could_be_lost() -> None:
    ask = an_ask(directory=people(), scope=SCOPE)
    state = ApprovalState(status=ApprovalStatus.approved, basis="standing_authorisation", closed_at=LATER)
    assert consume(ask, state, DIGEST, people(), LATER).consumed_at == LATER
