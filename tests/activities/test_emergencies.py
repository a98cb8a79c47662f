"""Break-glass that nobody used effects nothing: what `set_stage` believes about it stands in the Ledger, signed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.briefing import Brief, BriefingActivities, BriefRequest
from activities.emergencies import EmergencyActivities, GlassRequest, GlassTaken
from activities.staging import SetRequest, StagingActivities
from countermand import ids
from countermand.governance.break_glass import use_digest
from countermand.governance.decision import Actor, Decision, DecisionKind, SignatureClass
from countermand.ledger.bodies import DecisionMade, GlassBroken, StageOutcome
from countermand.ledger.record import Kind
from countermand.plan.model import Plan
from countermand.plan.target import Split
from countermand.playbook.model import Severity
from tests import cases, fakes

INCIDENT, WORKFLOW = "inc-1", "incident/test/test-bot/test-bot-v7"
HARM = "Customers are told to take twice the dose."


class Place:
    """The activities over fakes; Lena may break the glass."""

    def __init__(self) -> None:
        self.ledger, self.keys = fakes.FakeLedger(), fakes.FakeKeys()
        self.people = fakes.FakePeople(cases.with_a_glass_breaker())
        self.release = cases.release()
        self.target = fakes.FakeTarget(5_000, self.release.baseline.digest)
        self.playbook = cases.playbook()
        shared = (self.target, self.ledger, self.people, self.keys, fakes.now)
        self.staging, self.emergencies = StagingActivities(*shared), EmergencyActivities(*shared)

    async def brief(self) -> Brief:
        catalogue = fakes.FakeCatalogue(self.playbook, self.release)
        return await BriefingActivities(catalogue, self.people, self.keys, fakes.adoptions(catalogue)).brief(
            BriefRequest(release_id=self.release.release_id)
        )

    async def decided(self, who: str = cases.LENA, emergency: str = "disable", **changes: Any) -> Decision:
        """A use that stands in the Ledger as the console would have signed it."""
        await cases.register(self.ledger, self.release)
        directory = await self.people.snapshot()
        forged = changes.pop("forged", False)
        fields: dict[str, Any] = {
            "decision_id": "d-1", "kind": DecisionKind.break_glass, "addressed_to": WORKFLOW, "incident_id": INCIDENT,
            "ask_id": None, "approval_digest": use_digest(WORKFLOW), "reason": "Every minute more people act on it.",
            "actor": Actor(
                subject=who, printed_name=directory.name_of(who), principal="person", roles=directory.roles_of(who),
                role_source="fake", role_as_of=fakes.now(),
            ),
            "channel": "web", "acr": "webauthn", "view_sha256": None, "decided_at": fakes.now(),
            "gateway_key_id": self.keys.key_id, "signature_class": SignatureClass.step_up,
            "terms": {"emergency": emergency, "harm": HARM},
        }  # fmt: skip
        decision = self.keys.sign(Decision.model_validate(fields | changes))
        if forged:
            decision = decision.model_copy(update={"reason": "Something else altogether."})
        entry = DecisionMade(decision=decision).entry(f"decision/{decision.decision_id}", who, incident_id=INCIDENT)
        await self.ledger.append(entry)
        return decision

    async def take(self, decision_id: str = "d-1") -> GlassTaken:
        request = GlassRequest(
            decision_id=decision_id,
            incident_id=INCIDENT,
            severity=Severity.sev1,
            brief=await self.brief(),
            number=1,
        )
        return await ActivityEnvironment().run(self.emergencies.break_glass, request)

    async def effect(self, plan: Plan, desired: Split | None = None, glass: str | None = "d-1") -> StageOutcome:
        stage = ids.REVERSE_STAGE if desired == plan.before else 1
        request = SetRequest(
            plan=plan,
            ask_id=None,
            revert=1,
            stage=stage,
            desired=desired or Split.candidate(0),
            key=f"key/{len(self.ledger.lines)}",
            fence=ids.fence(plan.before_fence, stage),
            expected_revision=None,
            attempt=0,
            glass=glass,
        )
        return await ActivityEnvironment().run(self.staging.set_stage, request)


@pytest.fixture
def place() -> Place:
    return Place()


async def planned(place: Place) -> Plan:
    await place.decided()
    plan = (await place.take()).plan
    assert plan is not None
    return plan


async def test_a_use_that_stands_signed_in_the_ledger_moves_everybody_back(place: Place) -> None:
    plan = await planned(place)
    assert [(stage.desired, stage.soak) for stage in plan.stages] == [(Split.candidate(0), timedelta())]
    assert (await place.effect(plan)).result == "applied"
    assert place.target.split == Split.candidate(0)


async def test_taking_it_again_is_the_same_use_and_the_same_plan(place: Place) -> None:
    first = await planned(place)
    place.target.generation += 1
    assert (await place.take()).plan == first
    assert len(place.ledger.bodies(Kind.glass_broken)) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"forged": True}, "not signed"),
        ({"who": cases.MARIA}, "break_glass"),
        ({"incident_id": "inc-2"}, "something else"),
        ({"kind": DecisionKind.hold}, "something else"),
        ({"emergency": "lift_quarantine"}, "no emergency"),
        ({"signature_class": SignatureClass.standard}, "step_up"),
    ],
)
async def test_a_use_that_is_not_right_is_not_believed_and_leaves_nothing(
    place: Place, changes: dict[str, Any], says: str
) -> None:
    await place.decided(**changes)
    with pytest.raises(ApplicationError, match=says) as refused:
        await place.take()
    assert refused.value.non_retryable
    assert place.ledger.bodies(Kind.glass_broken) == []


async def test_nothing_carries_a_plan_for_which_nobody_broke_the_glass(place: Place) -> None:
    plan = await planned(place)
    other = plan.model_copy(update={"before": Split.candidate(10_000)})
    stop = await place.decided(decision_id="d-stop", emergency="stop")
    for refused in (
        await place.effect(other),
        await place.effect(plan, glass="d-unknown"),
        await place.effect(plan, glass=stop.decision_id),
        await place.effect(plan, glass=None),
        await place.effect(plan, Split.candidate(10_000)),
        await place.effect(plan, plan.before),
    ):
        assert refused.result == "rejected", refused.sentence
    assert place.target.effects == []


async def test_a_record_of_a_use_is_no_proof_without_the_signed_decision(place: Place) -> None:
    """Whoever could write `glass.broken` still has no signature of a person."""
    plan = await planned(place)
    broken = GlassBroken.model_validate(place.ledger.bodies(Kind.glass_broken)[0])
    forged = broken.model_copy(update={"decision_id": "d-2"})
    await place.decided(decision_id="d-2", forged=True)
    await place.ledger.append(forged.entry("forged", "worker", incident_id=INCIDENT))
    assert (await place.effect(plan, glass="d-2")).result == "rejected"


async def test_a_role_that_is_taken_away_ends_the_power_of_a_use(place: Place) -> None:
    plan = await planned(place)
    place.people.governance = cases.governance()
    outcome = await place.effect(plan)
    assert outcome.result == "rejected"
    assert "break_glass" in outcome.sentence


async def test_undoing_it_needs_a_signed_reverse_as_well(place: Place) -> None:
    plan = await planned(place)
    await place.effect(plan)
    await place.decided(who=cases.JONAS, decision_id="d-back", kind=DecisionKind.reverse)
    assert (await place.effect(plan, plan.before)).result == "applied"
    assert place.target.split == plan.before


async def test_stop_moves_nobody_and_a_candidate_that_serves_nobody_needs_no_plan(place: Place) -> None:
    await place.decided(emergency="stop")
    assert (await place.take()).plan is None
    place.target.split = Split.candidate(0)
    await place.decided(decision_id="d-2")
    taken = await place.take("d-2")
    assert taken.plan is None
    assert "already serves 0 %" in taken.broken.sentence
