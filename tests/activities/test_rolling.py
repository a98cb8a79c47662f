"""Effects of a rollout are proved from the Ledger: nothing that a request says is believed."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.rolling import EndRollout, PlannedRollout, PlanRollout, RollingActivities, SetShare
from activities.rolling_proof import RolloutProof
from countermand import ids
from countermand.detection.models import Arm
from countermand.governance.decision import DecisionKind
from countermand.governance.eligible import Version
from countermand.ledger.bodies import (
    ActionOpened,
    ActionVerified,
    DecisionMade,
    GroupRun,
    IncidentOpened,
    InclusiveRun,
    RolloutEnded,
    RolloutOutcome,
    RolloutPlanned,
    RolloutPromoted,
    StageIntent,
    VerdictChanged,
    VersionDenied,
    VersionQuarantined,
)
from countermand.ledger.record import Kind
from countermand.plan.target import Split, TargetState
from countermand.playbook.model import Playbook
from countermand.rollout.plan import RolloutPlan
from tests import cases, fakes
from tests.rollouts import SANDBOX, LeasedTarget, PlainTarget, decision, document, playbook
from tests.verdicts import triggered


class Road:
    """One release, its ledger and its target; `plan` and `set` are what a workflow would ask for."""

    def __init__(self, **rollout: Any) -> None:
        self.release = cases.release()
        self.playbook = playbook(**rollout)
        self.ledger, self.keys = fakes.FakeLedger(), fakes.FakeKeys()
        self.people = fakes.FakePeople(cases.governance())
        self.target: LeasedTarget = LeasedTarget(0, self.release.candidate.digest, self.release.baseline.digest)
        self.env = ActivityEnvironment()

    @property
    def acts(self) -> RollingActivities:
        catalogue = fakes.FakeCatalogue(self.playbook, self.release)
        return RollingActivities(self.target, self.ledger, catalogue, self.people, self.keys, fakes.now)

    async def planned(self, kind: str, rollout_id: str = "rollout-1") -> PlannedRollout:
        await cases.register(self.ledger, self.release)
        request = PlanRollout(rollout_id=rollout_id, release_id=self.release.release_id, kind=kind, start_within="1h")
        return await self.env.run(self.acts.plan_rollout, request)

    async def plan(self, kind: str, rollout_id: str = "rollout-1") -> RolloutPlan:
        planned = await self.planned(kind, rollout_id)
        assert planned.plan is not None, planned.impossible
        return planned.plan

    async def set(self, plan: RolloutPlan, step: int = 1) -> RolloutOutcome:
        return await self.env.run(self.acts.set_share, SetShare(plan=plan, step=step, revision=None))

    async def shown(self, plan: RolloutPlan, step: int, *signals: str) -> None:
        """This step was shown to be healthy."""
        body = RolloutPromoted(
            rollout_id=plan.rollout_id, step=step, plan_digest=plan.digest, signals=signals, certificate={},
            sentence="Shown.",
        )  # fmt: skip
        key = ids.rollout_record(plan.rollout_id, f"promoted/{step}")
        await self.ledger.append(body.entry(key, "worker", release_id=plan.release_id))

    async def end(self, plan: RolloutPlan, **changes: Any) -> RolloutEnded:
        said = {
            "outcome": "done",
            "sentence": "Shown.",
            "wanted": plan.before,
            "signals": ("hallucinations",),
        } | changes
        return await self.env.run(self.acts.end_rollout, EndRollout(plan=plan, **said))

    async def says(self, kind: DecisionKind, plan: RolloutPlan, who: str, **changes: Any) -> None:
        said = decision(kind, plan, who, await self.people.snapshot(), self.keys, **changes)
        body = DecisionMade(decision=said)
        await self.ledger.append(body.entry(f"decision/{uuid.uuid4()}", who, release_id=self.release.release_id))

    async def incident(self) -> None:
        """An incident of this release is open."""
        release = self.release
        opened = IncidentOpened(
            workflow_id="incident/1", environment=release.environment, service=release.service,
            candidate_name=release.candidate.name, baseline_name=release.baseline.name, severity="sev2",
            trigger="truth", sentence="hallucinations are up", evidence_digest="sha256:e", opened_by="automation",
            ends_by=fakes.now(),
        )  # fmt: skip
        await self.ledger.append(
            opened.entry("inc-1/opened", "worker", incident_id="inc-1", release_id=release.release_id)
        )

    async def fired_before(self) -> None:
        """A watch of an earlier release of this candidate has fired."""
        fired = triggered(self.playbook.detection, {Arm.candidate: 400, Arm.baseline: 4}, scored=2_000)
        verdict = VerdictChanged.of("watch/x", fired)
        await self.ledger.append(verdict.entry("earlier/verdict", "worker", release_id="earlier"))


async def test_a_sandbox_within_the_playbook_needs_no_person() -> None:
    road = Road()
    planned = await road.planned("sandbox")
    assert planned.asks == ()
    assert planned.plan is not None
    assert (await road.set(planned.plan)).result == "applied"
    assert road.target.split == Split.candidate(100)
    assert list(road.target.held) == ["rollout-1"]


async def test_a_plan_that_the_ledger_does_not_hold_effects_nothing() -> None:
    road = Road()
    plan = await road.plan("sandbox")
    bigger = plan.model_copy(update={"steps": (plan.steps[0].model_copy(update={"desired": Split.candidate(9_000)}),)})
    outcome = await road.set(bigger)
    assert (outcome.result, road.target.effects) == ("rejected", [])
    assert "no rollout 'rollout-1' with this plan" in outcome.sentence


async def test_a_plan_that_was_written_by_another_hand_stays_within_the_playbook() -> None:
    road = Road()
    plan = await road.plan("sandbox")
    bigger = plan.model_copy(
        update={
            "rollout_id": "forged",
            "steps": (plan.steps[0].model_copy(update={"desired": Split.candidate(9_000)}),),
        }
    )
    forged = RolloutPlanned(
        rollout_id="forged",
        plan_digest=bigger.digest,
        plan=bigger.model_dump(mode="json"),
        asks=(),
        until=fakes.now(),
    )
    await road.ledger.append(forged.entry(ids.rollout_record("forged", "planned"), "worker"))
    outcome = await road.set(bigger)
    assert (outcome.result, road.target.effects) == ("rejected", [])
    assert "above the playbook's cap" in outcome.sentence


async def test_a_playbook_that_wants_a_person_gets_one() -> None:
    road = Road(sandbox=SANDBOX | {"without_asking": False})
    planned = await road.planned("sandbox")
    assert planned.asks == ("the playbook does not allow it without a person",)
    assert planned.plan is not None
    assert (await road.set(planned.plan)).result == "rejected"


async def test_a_target_without_leases_needs_a_person() -> None:
    road = Road()
    road.target = PlainTarget(0, road.release.candidate.digest, road.release.baseline.digest)
    assert "cannot go back by itself" in (await road.planned("sandbox")).asks[0]


async def test_a_cleanup_that_was_not_verified_makes_the_next_sandbox_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.rolling._GRACE", timedelta())  # a target that stays wrong is waited for in vain
    road = Road()
    first = await road.plan("sandbox")
    await road.set(first)
    road.target.split = Split.candidate(0)
    assert (await road.planned("sandbox", "rollout-2")).asks == ("sandbox rollout-1 still runs",)
    road.target.split = Split.candidate(200)
    assert (await road.end(first, outcome="stopped")).restored is False
    road.target.split = Split.candidate(0)
    assert (await road.planned("sandbox", "rollout-3")).asks == ("sandbox rollout-1 did not verify its cleanup",)


async def test_a_ramp_is_carried_by_one_signature_for_exactly_its_plan() -> None:
    road = Road()
    plan = await road.plan("ramp")
    assert "nobody signed" in (await road.set(plan)).sentence
    assert road.target.effects == []


@pytest.mark.parametrize(
    ("who", "changes", "why"),
    [
        (cases.AMIRA, {}, "needs release_owner or product_owner"),
        (cases.LENA, {"approval_digest": "sha256:" + "0" * 64}, "nobody signed"),
        (cases.LENA, {"addressed_to": "rollout/other"}, "this decision is for"),
        (cases.LENA, {"reason": "ok"}, "shorter than"),
    ],
)
async def test_a_signature_that_does_not_fit_carries_nothing(who: str, changes: dict[str, Any], why: str) -> None:
    road = Road()
    plan = await road.plan("ramp")
    await road.says(DecisionKind.start_rollout, plan, who, **changes)
    outcome = await road.set(plan)
    assert (outcome.result, road.target.effects) == ("rejected", [])
    assert why in outcome.sentence


async def test_who_registered_the_release_cannot_start_it() -> None:
    road = Road()
    road.release = road.release.model_copy(update={"registered_by": cases.LENA})
    plan = await road.plan("ramp")
    await road.says(DecisionKind.start_rollout, plan, cases.LENA)
    assert "you registered this release" in (await road.set(plan)).sentence


async def test_a_stop_takes_the_start_back() -> None:
    road = Road()
    plan = await road.plan("ramp")
    await road.says(DecisionKind.start_rollout, plan, cases.LENA)
    await road.says(DecisionKind.stop_rollout, plan, cases.JONAS)
    assert "Jonas Weber stopped it" in (await road.set(plan)).sentence


async def test_no_step_follows_one_that_was_not_shown_to_be_healthy() -> None:
    road = Road()
    plan = await road.plan("ramp")
    await road.says(DecisionKind.start_rollout, plan, cases.LENA)
    assert (await road.set(plan)).result == "applied"
    outcome = await road.set(plan, 2)
    assert (outcome.result, outcome.sentence) == ("rejected", "step 1 was not shown to be healthy.")
    assert [share for _, share in road.target.effects] == [500]


async def test_an_open_incident_is_the_only_writer_of_a_ramp_and_a_sandbox_still_goes_back() -> None:
    for kind, result in (("ramp", "handed_over"), ("sandbox", "applied")):
        road = Road()
        plan = await road.plan(kind)
        if kind == "ramp":
            await road.says(DecisionKind.start_rollout, plan, cases.LENA)
        assert (await road.set(plan)).result == "applied"
        await road.incident()
        assert (await road.set(plan, 0)).result == result


async def test_a_denied_candidate_gets_no_further() -> None:
    road = Road()
    plan = await road.plan("sandbox")
    denied = VersionDenied(
        digest=road.release.candidate.digest, environment=road.release.environment, decision_id="d",
        subject=cases.MARIA, name="Maria Keller", reason="it leaks", not_before=fakes.now(), not_after=None,
    )  # fmt: skip
    await road.ledger.append(denied.entry("denied", cases.MARIA))
    assert "says why" in (await road.set(plan)).sentence
    assert "may not be given to users" in (await road.planned("sandbox", "rollout-2")).impossible
    assert road.target.effects == []


async def test_a_candidate_that_was_in_quarantine_needs_a_sandbox_that_showed_what_fired() -> None:
    road = Road()
    await road.fired_before()
    body = VersionQuarantined(
        digest=road.release.candidate.digest,
        name="x",
        environment=road.release.environment,
        members={},
        fairness=False,
    )
    record = body.entry("earlier/here", "worker", incident_id="inc-1", release_id="earlier")
    proof = RolloutProof(
        road.ledger, fakes.FakeCatalogue(road.playbook, road.release), road.people, road.keys, fakes.now
    )
    candidate, environment = road.release.candidate.digest, road.release.environment
    assert (
        await proof.re_release(Version.of(road.release.candidate), environment, road.playbook.detection)
    ).incidents == ()
    await road.ledger.append(record)
    found = await proof.re_release(Version.of(road.release.candidate), environment, road.playbook.detection)
    assert found.lacking == "it was in quarantine, and no sandbox has shown it to be healthy since"
    for signals, lacking in (((), "hallucinations"), (("hallucinations",), "")):
        ended = RolloutEnded(
            rollout_id=f"r-{len(signals)}", kind="sandbox", environment=road.release.environment, member="test-bot",
            candidate_digest=candidate, outcome="done", sentence="shown", restored=True,
            signals=signals,
        )  # fmt: skip
        await road.ledger.append(ended.entry(f"ended/{len(signals)}", "worker"))
        found = await proof.re_release(Version.of(road.release.candidate), environment, road.playbook.detection)
        assert (lacking in found.lacking) if lacking else (found.lacking == "")
    assert found.incidents == ("inc-1",)


async def test_lrn_30_a_candidate_waits_for_the_actions_of_its_review_that_come_before_it_is_released_again() -> None:
    road = Road()
    environment, candidate = road.release.environment, road.release.candidate
    quarantined = VersionQuarantined(
        digest=candidate.digest, name="x", environment=environment, members={}, fairness=False
    )
    ended = RolloutEnded(
        rollout_id="r-1", kind="sandbox", environment=environment, member="test-bot", candidate_digest=candidate.digest,
        outcome="done", sentence="shown", restored=True, signals=("hallucinations",),
    )  # fmt: skip
    who = {"decision_id": "d", "subject": cases.MARIA, "name": "Maria Keller"}
    opened = ActionOpened(
        **who, action_id="act-1", type="prevent", what="compare the judge", owner=cases.JONAS, owner_name="Jonas Weber",
        due=fakes.now(), verification="attach it", link="", before_re_release=True,
    )  # fmt: skip
    verified = ActionVerified(**who, action_id="act-1", result="it was compared", result_sha256=None)
    proof = RolloutProof(
        road.ledger, fakes.FakeCatalogue(road.playbook, road.release), road.people, road.keys, fakes.now
    )
    for key, body, lacking in (
        ("q", quarantined, "no sandbox has shown it to be healthy since"),
        ("e", ended, ""),
        ("o", opened, "it was in quarantine, and actions that come before a new release are not verified: act-1"),
        ("v", verified, ""),
    ):
        await road.ledger.append(body.entry(key, "worker", incident_id="inc-1", release_id="earlier"))
        found = await proof.re_release(Version.of(candidate), environment, road.playbook.detection)
        assert (lacking in found.lacking) if lacking else (found.lacking == ""), key


@pytest.mark.parametrize(
    ("fairness", "shown", "lacking"),
    [
        (True, ("hallucinations",), "no sandbox since has shown that refusals is healthy"),
        (True, ("hallucinations", "refusals"), ""),
        (False, ("hallucinations",), ""),
    ],
)
async def test_after_harm_about_fairness_a_sandbox_has_to_show_every_signal_of_fairness(
    fairness: bool, shown: tuple[str, ...], lacking: str
) -> None:
    road = Road()
    said = document()
    said["detection"]["signals"]["refusals"] = said["detection"]["signals"]["hallucinations"] | {"family": "fairness"}
    said["detection"]["health"]["required"] = ["hallucinations", "refusals"]
    detection = Playbook.model_validate(said).detection
    await road.fired_before()
    candidate, environment = road.release.candidate.digest, road.release.environment
    body = VersionQuarantined(digest=candidate, name="x", environment=environment, members={}, fairness=fairness)
    ended = RolloutEnded(
        rollout_id="r", kind="sandbox", environment=environment, member="test-bot", candidate_digest=candidate,
        outcome="done", sentence="shown", restored=True, signals=shown,
    )  # fmt: skip
    await road.ledger.append(
        body.entry("earlier/here", "worker", incident_id="inc-1", release_id="earlier"), ended.entry("ended", "worker")
    )
    catalogue = fakes.FakeCatalogue(road.playbook, road.release)
    proof = RolloutProof(road.ledger, catalogue, road.people, road.keys, fakes.now)
    found = await proof.re_release(Version.of(road.release.candidate), environment, detection)
    assert (lacking in found.lacking) if lacking else (found.lacking == "")


async def test_lrn_30_a_ramp_waits_for_the_inclusive_sets_on_exactly_this_version_and_a_sandbox_does_not() -> None:
    road = Road()
    limit = {"groups": ["de"], "min_scored": 100, "at_most": "5%"}
    one = {"name": "dialects", "covers": "dialects", "includes": ["regional wording"], "limit": limit}
    road.playbook = Playbook.model_validate(document() | {"fairness": {"test_sets": [one]}})
    earlier = road.release.model_copy(
        update={"release_id": "earlier", "candidate": cases.bundle("test-bot v5", prompt="sha256:prompt-5")}
    )
    await cases.register(road.ledger, earlier)
    ramp = await road.plan("ramp", "before")
    await road.says(DecisionKind.start_rollout, ramp, cases.MARIA)
    body = VersionQuarantined(
        digest=earlier.candidate.digest, name="x", environment=earlier.environment, members={}, fairness=True
    )
    await road.ledger.append(body.entry("q", "worker", incident_id="inc-1", release_id="earlier"))

    def ran(digest: str) -> InclusiveRun:
        return InclusiveRun(
            run_id=digest, service=road.release.service, bundle_digest=digest, test_set="dialects",
            groups=(GroupRun(group="de", scored=200, passed=199),), evidence="report 12", by="ci", name="ci",
            principal="source",
        )  # fmt: skip

    await road.ledger.append(ran(road.release.baseline.digest).entry("other", "ci", release_id="earlier"))
    assert "dialects (missing" in (await road.planned("ramp", "ramp")).impossible
    assert "dialects (missing" in (await road.set(ramp)).sentence  # it was planned before the rollback
    assert (await road.planned("sandbox", "sandbox")).plan is not None
    await road.ledger.append(ran(road.release.candidate.digest).entry("own", "ci", release_id="earlier"))
    assert (await road.planned("ramp", "again")).plan is not None


async def test_a_signal_that_no_sandbox_can_show_is_named() -> None:
    road = Road()
    await road.fired_before()
    candidate, environment = road.release.candidate.digest, road.release.environment
    body = VersionQuarantined(digest=candidate, name="x", environment=environment, members={}, fairness=False)
    await road.ledger.append(body.entry("here", "worker", incident_id="inc-1", release_id="earlier"))
    health = road.playbook.detection.health
    assert health is not None
    other = road.playbook.detection.model_copy(update={"health": health.model_copy(update={"required": ("other",)})})
    catalogue = fakes.FakeCatalogue(road.playbook, road.release)
    proof = RolloutProof(road.ledger, catalogue, road.people, road.keys, fakes.now)
    lacking = (await proof.re_release(Version.of(road.release.candidate), environment, other)).lacking
    assert "hallucinations: not in `required` of `detection.health`" in lacking


async def test_the_return_after_a_way_back_restores_the_recorded_state_digest_by_digest() -> None:
    road = Road()
    await cases.register(road.ledger, road.release)
    for stage, (share, before) in enumerate(((4_500, 5_000), (2_500, 4_500), (0, 2_500)), start=1):
        state = TargetState(
            split=Split.candidate(before), revision=str(stage), idempotency_key=None, fence=stage, read_at=fakes.now(),
            raw_sha256="sha256:0",
        )  # fmt: skip
        intent = StageIntent(
            revert=1, stage=stage, desired=Split.candidate(share), before=state, key=f"k{stage}", fence=stage,
            plan_digest="sha256:p",
        )  # fmt: skip
        await road.ledger.append(
            intent.entry(f"k{stage}/intent", "worker", incident_id="inc-1", release_id=road.release.release_id)
        )
    plan = await road.plan("reintroduce")
    assert [step.desired.candidate_bp for step in plan.steps] == [2_500, 4_500, 5_000]
    road.target.split = Split.candidate(5_000)
    await road.shown(plan, 3, "hallucinations")
    ended = await road.end(plan, wanted=plan.ends_with)
    assert ended.restored is True
    assert ended.seen_digest == plan.ends_with.digest


async def test_a_ramp_that_is_done_says_which_share_users_keep_and_nothing_else_does() -> None:
    road = Road()
    ramp, sandbox = await road.plan("ramp"), await road.plan("sandbox", "rollout-2")
    await road.shown(ramp, 2, "hallucinations")
    await road.shown(sandbox, 1, "hallucinations")
    kept = await road.end(ramp, wanted=None)
    assert (kept.outcome, kept.candidate_bp) == ("done", 5_000)
    assert kept.candidate_parts["prompt"] == road.release.candidate.prompt
    assert (await road.end(sandbox)).candidate_bp is None
    partly = ramp.model_copy(update={"rollout_id": "rollout-3", "unmoved": ("registry/chat-prompt",)})
    planned = RolloutPlanned(
        rollout_id="rollout-3", plan_digest=partly.digest, plan=partly.model_dump(mode="json"), asks=(),
        until=fakes.now(),
    )  # fmt: skip
    await road.ledger.append(planned.entry(ids.rollout_record("rollout-3", "planned"), "worker"))
    await road.shown(partly, 2, "hallucinations")
    assert (await road.end(partly, wanted=None)).candidate_bp is None


async def test_a_restore_is_verified_by_digest_and_gives_the_lease_back() -> None:
    road = Road()
    plan = await road.plan("sandbox")
    await road.set(plan)
    assert (await road.set(plan, 0)).result == "applied"
    await road.shown(plan, 1, "hallucinations")
    ended = await road.end(plan)
    assert (ended.restored, ended.seen_digest) == (True, plan.before.digest)
    assert road.target.held == {}
    assert road.ledger.kinds()[Kind.rollout_ended.value] == 1
    assert (await road.planned("sandbox", "rollout-2")).asks == ()


async def test_steps_count_from_one_and_end_with_the_last() -> None:
    """A step counted from the end would be one that nobody showed to be healthy."""
    road = Road()
    plan = await road.plan("ramp")
    await road.says(DecisionKind.start_rollout, plan, cases.LENA)
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        SetShare(plan=plan, step=-1, revision=None)
    outcome = await road.set(plan, len(plan.steps) + 1)
    assert (outcome.result, road.target.effects) == ("rejected", [])
    assert "has no step" in outcome.sentence


@pytest.mark.parametrize("over", [True, False], ids=["over", "still open"])
async def test_the_way_back_of_a_ramp_gives_no_users_to_a_candidate_that_was_taken_back_since(over: bool) -> None:
    """An incident that a person declared took it to 0 % and is closed; the ramp had begun at 2 %."""
    road = Road()
    road.target.split = Split.candidate(200)
    plan = await road.plan("ramp")
    await road.says(DecisionKind.start_rollout, plan, cases.LENA)
    assert (await road.set(plan)).result == "applied"
    if over:
        await road.end(plan, outcome="handed_over", wanted=None)
    road.target.split = Split.candidate(0)
    assert (await road.set(plan, 0)).result == "rejected"
    assert road.target.split == Split.candidate(0)


async def test_the_start_of_a_rollout_that_is_over_carries_nothing_any_more() -> None:
    road = Road()
    plan = await road.plan("ramp")
    await road.says(DecisionKind.start_rollout, plan, cases.LENA)
    await road.end(plan, outcome="doubtful", wanted=None)
    outcome = await road.set(plan)
    assert (outcome.result, road.target.effects) == ("rejected", [])
    assert "over" in outcome.sentence


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"signals": ("hallucinations",)}, "not shown to be healthy in hallucinations"),
        ({"signals": ("hallucinations", "fairness")}, "not shown"),
        ({"outcome": "stopped", "wanted": None, "forged": True}, "no rollout"),
    ],
)
async def test_an_end_that_nothing_shows_is_not_recorded(changes: dict[str, Any], why: str) -> None:
    road = Road()
    plan = await road.plan("sandbox")
    if "fairness" in changes.get("signals", ()):
        await road.shown(plan, 1, "hallucinations")
    if changes.pop("forged", False):
        plan = plan.model_copy(update={"environment": "production"})
    with pytest.raises(ApplicationError, match=why) as refused:
        await road.end(plan, **changes)
    assert refused.value.non_retryable
    assert road.ledger.bodies(Kind.rollout_ended) == []


async def test_a_way_back_is_verified_against_the_state_of_the_plan_and_no_other() -> None:
    road = Road()
    plan = await road.plan("sandbox")
    await road.set(plan)
    still_there = plan.before.model_copy(update={"split": road.target.split})
    with pytest.raises(ApplicationError, match="not a state that the plan ends with"):
        await road.end(plan, outcome="stopped", wanted=still_there)


async def test_lrn_30_a_new_name_for_the_same_bad_part_needs_a_sandbox_too() -> None:
    road = Road()
    await road.fired_before()
    environment = road.release.environment
    body = VersionQuarantined(
        digest="sha256:earlier", name="x", environment=environment, members={"index": road.release.candidate.index},
        fairness=False,
    )  # fmt: skip
    await road.ledger.append(body.entry("here", "worker", incident_id="inc-1", release_id="earlier"))
    catalogue = fakes.FakeCatalogue(road.playbook, road.release)
    proof = RolloutProof(road.ledger, catalogue, road.people, road.keys, fakes.now)
    found = await proof.re_release(Version.of(road.release.candidate), environment, road.playbook.detection)
    assert found.incidents == ("inc-1",)
    assert "no sandbox has shown it" in found.lacking
