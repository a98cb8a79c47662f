"""GOV-4, GOV-5: before the first effect the sources of roles are read again, and a silent one is not a lost role."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.looking import look
from activities.staging import Recheck, RecheckRequest, StagingActivities
from adapters.directory_file import FileDirectory
from adapters.directory_sources import SourcedDirectory
from adapters.group_source import GroupMembers, SourceUnavailable
from countermand.governance.approval import ApprovalState, apply
from countermand.governance.ask import ApprovalStatus
from countermand.governance.decision import DecisionKind, Refusal, Refused
from countermand.governance.mandates import actor
from countermand.plan.build import build_plan
from tests import cases, fakes
from tests.rules.governance.asking import SCOPE, a_decision, an_ask


class Group:
    """The safety leads at their source. Implements GroupSource."""

    def __init__(self) -> None:
        self.who = [cases.MARIA]
        self.silent = False

    async def members(self, group: str) -> GroupMembers:
        if self.silent:
            raise SourceUnavailable("Slack does not answer")
        return GroupMembers(members=dict.fromkeys(self.who, fakes.now()), as_of=fakes.now())


@dataclass
class Approved:
    """A plan that Maria, a safety lead by her group, and Jonas approved."""

    group: Group
    people: SourcedDirectory
    staging: StagingActivities
    request: RecheckRequest

    async def recheck(self) -> Recheck:
        return await ActivityEnvironment().run(self.staging.recheck, self.request)


@pytest.fixture
async def approved(tmp_path: Path) -> Approved:
    document = cases.governance().model_dump(mode="json", by_alias=True)
    document["sources"] = {"safety_lead": {"slack_user_group": "S0123"}}
    for person in document["people"]:
        person["roles"] = [role for role in person["roles"] if role != "safety_lead"]
    (tmp_path / "governance.yaml").write_text(json.dumps(document))
    group = Group()
    people = SourcedDirectory(FileDirectory(tmp_path / "governance.yaml"), {"slack_user_group": group})
    directory = await people.snapshot()

    release, playbook = cases.release(), cases.playbook()
    target = fakes.FakeTarget(5_000, release.baseline.digest)
    found = await look(target, release, playbook)
    plan = build_plan(
        incident_id="inc-1",
        release=release,
        playbook=playbook,
        governance_digest=directory.digest,
        severity="sev2",
        found=found,
    )
    ask, votes = an_ask(plan_digest=plan.digest, directory=directory, scope=SCOPE), ApprovalState()
    for number, who in enumerate((cases.MARIA, cases.JONAS)):
        acting = actor(directory, who, ask.voting_roles, SCOPE, ask.opened_at)
        votes = apply(ask, votes, a_decision(ask, DecisionKind.approve, acting, number), ask.opened_at)
    assert votes.status is ApprovalStatus.approved
    ledger = fakes.FakeLedger()
    await cases.register(ledger, release)
    staging = StagingActivities(target, ledger, people, fakes.FakeKeys(), fakes.now)
    request = RecheckRequest(plan=plan, ask=ask, approval=votes, revisions={0: found[0].state.revision}, first=True)
    return Approved(group, people, staging, request)


async def test_an_approval_goes_on_while_its_approvers_are_in_their_groups(approved: Approved) -> None:
    assert (await approved.recheck()).word == "go"


async def test_an_approver_who_was_taken_out_of_the_group_makes_the_approval_stale_before_any_effect(
    approved: Approved,
) -> None:
    approved.group.who.clear()
    answer = await approved.recheck()
    assert answer.word == "stale"
    assert "role lost: Maria Keller" in answer.sentence


async def test_a_silent_source_is_asked_again_and_does_not_make_an_approval_stale(approved: Approved) -> None:
    approved.group.silent = True
    with pytest.raises(ApplicationError, match="Slack does not answer") as error:
        await approved.recheck()
    assert (error.value.type, error.value.non_retryable) == ("DirectoryUnavailable", False)
    approved.group.silent = False
    assert (await approved.recheck()).word == "go"


async def test_the_next_decision_of_who_was_taken_out_has_no_role_and_of_a_silent_source_is_refused(
    approved: Approved,
) -> None:
    ask = approved.request.ask
    approved.group.who.clear()
    maria = actor(await approved.people.snapshot(), cases.MARIA, ask.voting_roles, SCOPE, ask.opened_at)
    fresh = ask.model_copy(update={"ask_id": "inc-1-ask-2"})
    with pytest.raises(Refused) as refused:
        apply(fresh, ApprovalState(), a_decision(fresh, DecisionKind.approve, maria), ask.opened_at)
    assert refused.value.code is Refusal.not_your_role
    approved.group.silent = True
    with pytest.raises(Refused) as refused:
        actor(await approved.people.snapshot(), cases.MARIA, ask.voting_roles, SCOPE, ask.opened_at)
    assert refused.value.code is Refusal.directory_unavailable
