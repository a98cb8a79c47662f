"""Somebody who may start workflows by hand has real approvals and real plans, and still effects nothing (I2)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError
from temporalio.testing import ActivityEnvironment

from activities.staging import SetRequest, StagingActivities
from countermand import ids
from countermand.governance.ask import RULES
from countermand.governance.decision import DecisionKind
from countermand.ledger.bodies import AskClosed, AskOpened, Body, DecisionMade, FreezeCompleted, StageOutcome
from countermand.plan.model import Plan
from countermand.plan.target import Split
from tests import cases, fakes
from tests.plans import a_plan
from tests.rules.governance.asking import DIGEST, KEYS, a_decision, an_actor, an_ask

INCIDENT = "inc-1"


class Hand:
    """A plan that two people approved, and its target, which keeps no fences."""

    def __init__(self) -> None:
        self.release = cases.release()
        self.ledger, self.people = fakes.FakeLedger(), fakes.FakePeople(cases.governance())
        self.target = fakes.FakeTarget(5_000, self.release.baseline.digest)
        self.staging = StagingActivities(self.target, self.ledger, self.people, KEYS, fakes.now)
        self.tries = 0

    async def write(self, body: Body, incident_id: str = INCIDENT) -> None:
        key = f"{incident_id}/{len(self.ledger.lines)}"
        await self.ledger.append(body.entry(key, "worker", incident_id=incident_id, release_id=self.release.release_id))

    async def approved(self, incident_id: str = INCIDENT, number: int = 1) -> Plan:
        await cases.register(self.ledger, self.release)
        state = await self.target.read(a_plan().member)
        plan = a_plan(incident_id).model_copy(
            update={"before": state.split, "before_revision": state.revision, "before_fence": state.fence}
        )
        now = fakes.now()
        ask = an_ask(
            ask_id=ids.ask_id(incident_id, number), incident_id=incident_id, plan_digest=plan.digest, opened_at=now,
            expires_at=now + timedelta(hours=1),
        )  # fmt: skip
        await self.write(FreezeCompleted(inventory_sha256="sha256:0", items=()), incident_id)
        await self.write(
            AskOpened(
                ask_id=ask.ask_id, workflow_id=ask.workflow_id, plan_digest=ask.plan_digest,
                evidence_digest=ask.evidence_digest, approval_digest=ask.approval_digest, requester=ask.requester,
                excluded=(), need_roles=("safety_lead", "release_owner"), need_people=2, asked=(),
                opened_at=ask.opened_at, expires_at=ask.expires_at, default="hold", ladder=(),
                governance_digest=DIGEST, rules=RULES, supersedes=None, signature_class=ask.signature_class,
            ),
            incident_id,
        )  # fmt: skip
        for who in (cases.MARIA, cases.JONAS):
            decision = a_decision(ask, DecisionKind.approve, who, f"{ask.ask_id}-{who}")
            await self.write(DecisionMade(decision=decision), incident_id)
        await self.write(AskClosed(ask_id=ask.ask_id, status="approved", because="", have=2, need=2), incident_id)
        return plan

    async def set(self, plan: Plan, stage: int, desired: Split | None = None, **changes: object) -> StageOutcome:
        """What a workflow would ask for, under a key of one's own."""
        self.tries += 1
        wanted = plan.before if stage == ids.REVERSE_STAGE else plan.stages[stage - 1].desired
        request = SetRequest(
            plan=plan, ask_id=ids.ask_id(plan.incident_id, 1), revert=1, stage=stage, desired=desired or wanted,
            key=f"by-hand/{self.tries}", fence=ids.fence(plan.before_fence, stage), expected_revision=None, attempt=0,
        ).model_copy(update=changes)  # fmt: skip
        return await ActivityEnvironment().run(self.staging.set_stage, request)

    async def reverse(self, who: str = cases.JONAS, incident_id: str = INCIDENT, **changes: object) -> None:
        """A signed `reverse` as the console records it, before the workflow judges it."""
        ask = an_ask(incident_id=incident_id)
        number = f"reverse-{len(self.ledger.lines)}"
        decision = a_decision(ask, DecisionKind.reverse, an_actor(who, **changes), number, ask_id=None)
        await self.write(DecisionMade(decision=decision), incident_id)


@pytest.fixture
def hand() -> Hand:
    return Hand()


async def test_a_stage_that_is_done_cannot_be_repeated_to_give_the_candidate_its_users_back(hand: Hand) -> None:
    plan = await hand.approved()
    for stage in (1, 2, 3):
        assert (await hand.set(plan, stage)).result == "applied"
    again = await hand.set(plan, 1)
    assert (again.result, hand.target.split) == ("rejected", Split.candidate(0))
    assert "raise" in again.sentence


async def test_a_share_is_only_set_by_the_stage_that_the_plan_has_it_in_and_with_its_fence(hand: Hand) -> None:
    plan = await hand.approved()
    for refused in (
        await hand.set(plan, 3, plan.stages[0].desired),
        await hand.set(plan, 1, plan.before),
        await hand.set(plan, 1, fence=10**6),
        await hand.set(plan, 1, member=1),
        await hand.set(plan, ids.REVERSE_STAGE, Split.candidate(10_000)),
    ):
        assert refused.result == "rejected", refused.sentence
    assert hand.target.effects == []


async def test_a_member_is_a_place_in_the_plan_and_never_counted_from_its_end(hand: Hand) -> None:
    request = SetRequest(
        plan=await hand.approved(), ask_id=None, revert=1, stage=1, desired=Split.candidate(0), key="k", fence=1,
        expected_revision=None, attempt=0,
    )  # fmt: skip
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        SetRequest.model_validate(request.model_dump() | {"member": -1})


async def test_a_person_with_the_role_may_have_the_plan_undone(hand: Hand) -> None:
    plan = await hand.approved()
    await hand.set(plan, 1)
    await hand.reverse()
    assert (await hand.set(plan, ids.REVERSE_STAGE)).result == "applied"
    assert hand.target.split == plan.before


@pytest.mark.parametrize(
    "changes", [{"roles": ()}, {"roles": ("operator",)}, {"principal": "automation"}], ids=["none", "other", "machine"]
)
async def test_a_reverse_that_its_workflow_refuses_undoes_nothing(hand: Hand, changes: dict[str, object]) -> None:
    """The console records what somebody submits before anybody judges whether they may."""
    plan = await hand.approved()
    await hand.set(plan, 3)
    await hand.reverse(**changes)
    assert (await hand.set(plan, ids.REVERSE_STAGE)).result == "rejected"
    assert hand.target.split == Split.candidate(0)


@pytest.mark.parametrize("second", [INCIDENT, "inc-2"], ids=["same incident", "later incident"])
async def test_a_reverse_of_an_earlier_plan_undoes_no_later_one(hand: Hand, second: str) -> None:
    first = await hand.approved()
    await hand.set(first, 1)
    await hand.reverse()
    await hand.set(first, ids.REVERSE_STAGE)
    plan = await hand.approved(second, number=2)
    asked = ids.ask_id(second, 2)
    assert (await hand.set(plan, 3, ask_id=asked)).result == "applied"
    for refused in (await hand.set(first, ids.REVERSE_STAGE), await hand.set(plan, ids.REVERSE_STAGE, ask_id=asked)):
        assert refused.result == "rejected", refused.sentence
    assert hand.target.split == Split.candidate(0)
