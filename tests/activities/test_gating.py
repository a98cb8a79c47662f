"""The gate of a plan, and the default of a request, from what really stands in a Ledger on SQLite (GOV-24, 27, 28)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from temporalio.testing import ActivityEnvironment

from activities.briefing import Brief
from activities.gating import Defaulted, DefaultRequest, Gated, GateRequest, GatingActivities
from activities.planning import PlanningActivities, PlanRequest
from activities.staging import SetRequest, StagingActivities
from adapters.database import Database
from adapters.ledger import SqlLedger
from adapters.migrate import upgrade
from adapters.obligation_files import FileDuties
from countermand.detection.models import Arm
from countermand.governance.gating import Trust
from countermand.governance.shipped import rights_in_force
from countermand.ledger.bodies import (
    AskClosed,
    Body,
    CheckDone,
    CommsSent,
    FreezeCompleted,
    GateDecided,
    GlassBroken,
    IncidentClosed,
    ObligationAnchor,
    ObligationFact,
    ObligationFiled,
    StageIntent,
    StageOutcome,
    VerdictChanged,
    VersionDenied,
)
from countermand.ledger.record import Kind
from countermand.plan.model import Plan
from countermand.playbook.model import Playbook, Severity
from tests import cases, fakes, standing
from tests.rules.obligations.books import declared
from tests.vaults import vault
from tests.verdicts import triggered

INCIDENT = "inc-1"


@dataclass
class Desk:
    """One incident with its verdict on record, and a plan."""

    ledger: SqlLedger
    playbook: Playbook = field(default_factory=standing.serious_playbook)
    keys: fakes.FakeKeys = field(default_factory=fakes.FakeKeys)
    trust: fakes.FakeTrust = field(default_factory=fakes.FakeTrust)
    duties: fakes.FakeDuties = field(default_factory=fakes.FakeDuties)

    def __post_init__(self) -> None:
        self.release = cases.release()
        self.target = fakes.FakeTarget(5_000, self.release.baseline.digest)
        self.people = fakes.FakePeople(standing.governance())
        self.activities = GatingActivities(self.target, self.ledger, self.keys, self.trust, self.duties, fakes.now)

    async def begin(self) -> Plan:
        """Verdict, authorisation and rehearsal in the Ledger; the plan."""
        fired = triggered(self.playbook.detection, {Arm.candidate: 40, Arm.baseline: 4}, scored=200)
        await self.write(VerdictChanged.of("watch/test", fired), "verdict/1")
        await self.issue()
        await standing.rehearse(self.ledger, self.release.playbook_digest)
        return await self.plan()

    async def issue(self, signers: tuple[str, ...] = (cases.MARIA, cases.AMIRA), **changes: Any) -> None:
        now = fakes.now()
        authorisation = standing.an_authorisation(self.release, self.playbook, now, **changes)
        await standing.issue(self.ledger, self.keys, authorisation, await self.people.snapshot(), now, signers)

    async def brief(self) -> Brief:
        directory = await self.people.snapshot()
        return Brief(
            release=self.release,
            playbook=self.playbook,
            directory=directory,
            keys=self.keys.gateway_keys(),
            rights=rights_in_force(directory.governance),
        )

    async def plan(self, incident_id: str = INCIDENT, number: int = 1) -> Plan:
        await cases.register(self.ledger, self.release)
        await self.write(FreezeCompleted(inventory_sha256="sha256:0", items=()), "freeze", incident_id)
        request = PlanRequest(incident_id=incident_id, severity=Severity.sev1, brief=await self.brief(), number=number)
        made = await PlanningActivities(self.target, self.ledger, self.keys, fakes.now).make_plan(request)
        assert made.plan is not None, made.impossible
        return made.plan

    async def gate(self, plan: Plan, number: int = 1) -> Gated:
        request = GateRequest(plan=plan, brief=await self.brief(), number=number)
        return await ActivityEnvironment().run(self.activities.decide_gate, request)

    async def default(self, plan: Plan) -> Defaulted:
        policy = standing.proceeding(self.playbook).approvals[Severity.sev1]
        request = DefaultRequest(ask_id=f"{INCIDENT}-ask-1", plan=plan, brief=await self.brief(), policy=policy)
        return await ActivityEnvironment().run(self.activities.decide_default, request)

    async def set_first(self, plan: Plan, ask_id: str | None = None, **changes: Any) -> StageOutcome:
        staging = StagingActivities(self.target, self.ledger, self.people, self.keys, fakes.now)
        request = SetRequest(
            plan=plan, ask_id=ask_id, revert=1, stage=1, desired=plan.stages[0].desired, key="k", fence=1,
            expected_revision=plan.before_revision, attempt=0,
        ).model_copy(update=changes)  # fmt: skip
        return await ActivityEnvironment().run(staging.set_stage, request)

    async def write(self, body: Body, key: str, incident_id: str = INCIDENT) -> None:
        await self.ledger.append(
            body.entry(f"{incident_id}/{key}", "worker", incident_id=incident_id, release_id=self.release.release_id)
        )

    async def carried_out(self, incident_id: str, *, shown: str | None = "pass", automatic: bool = False) -> None:
        """An earlier incident whose plan was carried out, and what its verification said."""
        plan = await self.plan(incident_id)
        if automatic:
            await self.write(a_gate(plan), "gate", incident_id)
        before = await self.target.read(plan.member)
        intent = StageIntent(
            revert=1, stage=1, desired=plan.stages[-1].desired, before=before, key="k", fence=1, plan_digest=plan.digest
        )
        after = before.model_copy(update={"split": plan.stages[-1].desired})
        outcome = StageOutcome(
            revert=1, stage=1, result="applied", by="our_key", recovered=False, after=after, sentence="done"
        )
        await self.write(intent, "intent", incident_id)
        await self.write(outcome, "outcome", incident_id)
        if shown is not None:
            check = CheckDone(
                revert=1, stage=0, phase="verification", name="hallucinations", word=shown, sentence="looked at"
            )
            await self.write(check, "check", incident_id)


def a_gate(plan: Plan, **changes: Any) -> GateDecided:
    given: dict[str, Any] = {
        "plan_digest": plan.digest, "act": "automatic", "clear": True, "triggers": ("truth",), "people": 2,
        "window_seconds": 1800, "next_working_window": False, "hold_ramp": True, "because": ("it is clear",),
        "authorisation_id": "sa-harm", "facts_sha256": "sha256:0", "rules": "gates/1",
    }  # fmt: skip
    return GateDecided.model_validate(given | changes)


def a_broken_glass() -> GlassBroken:
    return GlassBroken(
        decision_id="d", subject=cases.LENA, name="Lena", emergency="stop", harm="none", reason="the judge is wrong",
        environment="test", plan_digest=None, sentence="nobody is moved", ratify_by=fakes.now(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("ledger") / "template.db"
    upgrade(f"sqlite+aiosqlite:///{path}")
    return path.read_bytes()


@pytest.fixture
async def desk(tmp_path: Path, template: bytes) -> AsyncIterator[Desk]:
    (tmp_path / "ledger.db").write_bytes(template)
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}")
    yield Desk(SqlLedger(database, vault=vault(database)))
    await database.close()


async def test_gov_27_clear_and_covered_is_automatic_and_stands_in_the_ledger_with_its_facts(desk: Desk) -> None:
    plan = await desk.begin()
    found = await desk.gate(plan)
    assert (found.gate.act, found.authorisation_id, found.triggers) == ("automatic", "sa-harm", ("truth",)), found.gate
    (record,) = await desk.ledger.records(kinds=[Kind.gate_decided])
    assert (record.body["act"], record.body["plan_digest"]) == ("automatic", plan.digest)
    facts = await desk.ledger.get_blob(found.facts_sha256)
    assert facts is not None
    assert b'"name":"feedback"' in facts[0]


async def test_a_severity_that_people_declare_and_no_playbook_lists_is_asked_under_the_strictest_policy(
    desk: Desk,
) -> None:
    desk.playbook = cases.playbook()
    assert Severity.sev1 not in desk.playbook.approvals
    found = await desk.gate(await desk.plan())
    assert found.gate.act == "ask"
    assert found.policy.quorum.roles == desk.playbook.approvals[Severity.sev2].quorum.roles


async def test_a_repeated_run_answers_what_was_recorded_first(desk: Desk) -> None:
    plan = await desk.begin()
    first = await desk.gate(plan)
    await standing.revoke(desk.ledger, "sa-harm")
    assert await desk.gate(plan) == first
    assert len(await desk.ledger.records(kinds=[Kind.gate_decided])) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"playbook_digest": "sha256:other"}, "the playbook changed since it was signed"),
        ({"environment": "production"}, "it is for 'production', not for 'test'"),
        ({"expires_at": fakes.now() - timedelta(minutes=1)}, "it expired at"),
        ({"triggers": ("toxicity",)}, "it does not cover the trigger 'truth'"),
        ({"targets": ("sha256:older",)}, "is not among its targets"),
        ({"max_exposure_bp": 4_999}, "of users are on the candidate"),
        ({"signers": (cases.MARIA,)}, "it lacks the signature of executive"),
    ],
)
async def test_gov_28_what_an_authorisation_does_not_cover_goes_to_people_with_the_reason(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], reason: str
) -> None:
    issue = desk.issue

    async def other() -> None:
        await issue(**changes)

    monkeypatch.setattr(desk, "issue", other)
    found = await desk.gate(await desk.begin())
    assert found.gate.act == "ask"
    assert found.authorisation_id is None
    assert reason in " ".join(found.gate.because)


async def test_gov_28_without_an_authorisation_or_a_rehearsal_people_are_asked(desk: Desk) -> None:
    plan = await desk.begin()
    await standing.revoke(desk.ledger, "sa-harm")
    assert "it was revoked at" in (await desk.gate(plan)).gate.because[0]


async def test_gov_56_sources_on_one_host_or_without_a_name_are_doubtful_and_make_the_request_stricter(
    desk: Desk,
) -> None:
    plan = await desk.begin()
    desk.trust.known = {name: Trust(authenticated=True, shares=("host a",)) for name in ("judge", "feedback")}
    found = await desk.gate(plan)
    assert found.gate.because == ("1 of 2 needed independent sources agree",)
    assert found.policy.time_limit == timedelta(minutes=15), "the gate's, shorter than the playbook's 30 minutes"
    assert [rung.do for rung in found.policy.ladder] == ["ask", "remind", "escalate", "default"]
    assert found.policy.default == "hold"
    desk.trust.known = {"judge": Trust(authenticated=False, shares=())}
    again = await desk.gate(plan, number=2)
    assert "source not authenticated or not healthy: judge" in again.gate.because


@pytest.mark.parametrize("broken", ["unhealthy", "gone", "moved"])
async def test_gov_27_a_target_that_is_not_as_it_was_makes_a_trigger_doubtful(desk: Desk, broken: str) -> None:
    plan = await desk.begin()
    match broken:
        case "unhealthy":
            desk.target.healthy = False
        case "gone":
            plan = plan.model_copy(update={"member": plan.member.model_copy(update={"target": "gone"})})
        case "moved":
            desk.target.generation += 1
    said = " ".join((await desk.gate(plan)).gate.because)
    expected = {
        "unhealthy": "the rollback target is not eligible",
        "gone": "whether the rollback target is eligible is not known",
        "moved": "the candidate is no longer served",
    }
    assert expected[broken] in said


async def test_gov_27_a_member_that_holds_a_part_is_judged_by_the_digest_of_that_part(desk: Desk) -> None:
    plan = await desk.begin()
    held = plan.baseline.model
    plan = plan.model_copy(update={"part": "model", "member": plan.member.model_copy(update={"baseline_digest": held})})
    desk.target.baseline_digest = held
    assert "rollback target" not in " ".join((await desk.gate(plan)).gate.because)
    desk.target.baseline_digest = plan.baseline.digest
    assert "the rollback target is not eligible" in (await desk.gate(plan, number=2)).gate.because


async def test_gov_53_and_59_what_was_reverted_lately_stops_automation(desk: Desk) -> None:
    plan = await desk.begin()
    await desk.carried_out("inc-0", shown=None)
    found = await desk.gate(plan)
    assert "the last revert was at" in found.gate.because[0]
    await desk.carried_out("inc-00", shown="fail")
    desk.people.governance = standing.governance(cooldown="1ms")
    assert "2 plans in a row without improvement" in (await desk.gate(plan, number=2)).gate.because


async def test_gov_55_more_automatic_rollbacks_than_a_day_allows_go_to_people(desk: Desk) -> None:
    desk.people.governance = standing.governance(cooldown="1ms", automatic_per_day=1)
    plan = await desk.begin()
    await desk.carried_out("inc-0", automatic=True)
    said = (await desk.gate(plan)).gate.because
    assert "1 automatic rollbacks in 24 hours, 1 is the most" in said
    assert any("it ran 1 times in 24 hours" in clause for clause in said)


async def test_reverts_of_another_environment_do_not_count(desk: Desk) -> None:
    plan = await desk.begin()
    here = desk.release
    desk.release = here.model_copy(update={"environment": "staging", "release_id": "staged"})
    await desk.carried_out("inc-0", shown=None, automatic=True)
    desk.release = here
    assert (await desk.gate(plan)).gate.act == "automatic"


async def test_a_stage_without_its_plan_on_record_is_not_known_and_so_not_automatic(desk: Desk) -> None:
    plan = await desk.begin()
    before = await desk.target.read(plan.member)
    stray = StageIntent(
        revert=1, stage=1, desired=plan.before, before=before, key="k", fence=1, plan_digest="sha256:nobody-knows"
    )
    await desk.write(stray, "intent", "inc-0")
    assert "earlier reverts are not known" in (await desk.gate(plan)).gate.because


async def test_an_automatic_rollback_is_tried_once_in_an_incident(desk: Desk) -> None:
    plan = await desk.begin()
    assert (await desk.gate(plan)).gate.act == "automatic"
    again = await desk.gate(plan, number=2)
    assert again.gate.because == ("an automatic rollback of this incident did not end it",)


async def test_what_somebody_broke_the_glass_for_is_not_overtaken_by_an_automatic_rollback(desk: Desk) -> None:
    plan = await desk.begin()
    await desk.write(a_broken_glass(), "glass")
    found = await desk.gate(plan)
    assert found.gate.because == ("somebody broke the glass in this incident",)


@pytest.mark.parametrize("outcome", ["rejected", "withdrawn", "aborted", "reversed"])
async def test_what_people_ended_is_not_done_automatically_in_the_next_incident_of_the_release(
    desk: Desk, outcome: Literal["rejected", "withdrawn", "aborted", "reversed"]
) -> None:
    await desk.write(IncidentClosed(outcome=outcome, sentence="The judge is wrong."), "closed", "inc-0")
    found = await desk.gate(await desk.begin())
    assert found.gate.because == (f"people ended an earlier incident of this release: {outcome}",)


async def test_an_earlier_incident_that_nobody_ended_does_not_stop_automation(desk: Desk) -> None:
    await desk.write(IncidentClosed(outcome="unresolved", sentence="Nobody came."), "closed", "inc-0")
    assert (await desk.gate(await desk.begin())).gate.act == "automatic"


async def test_gov_32_a_fairness_trigger_is_investigated_and_not_automatic(desk: Desk) -> None:
    document = desk.playbook.model_dump(mode="json", by_alias=True, exclude_unset=True)
    document["detection"]["signals"]["complaints"]["family"] = "fairness"
    desk.playbook = Playbook.model_validate(document)
    found = await desk.gate(await desk.begin())
    assert (found.gate.act, found.gate.because) == ("investigate", ("fairness is concerned",))


# --- effects ------------------------------------------------------------------------------------------------


async def test_i2_the_gate_and_the_signed_authorisation_carry_the_first_stage(desk: Desk) -> None:
    plan = await desk.begin()
    await desk.gate(plan)
    assert (await desk.set_first(plan)).result == "applied"
    assert [share for _, share in desk.target.effects] == [4_500]


async def test_i2_a_gate_that_somebody_wrote_by_hand_effects_nothing(desk: Desk) -> None:
    plan = await desk.plan()
    await desk.write(a_gate(plan), "gate")
    await standing.rehearse(desk.ledger, desk.release.playbook_digest)
    outcome = await desk.set_first(plan)
    assert (outcome.result, desk.target.effects) == ("rejected", [])
    assert "nobody issued the standing authorisation 'sa-harm'" in outcome.sentence


async def test_i2_an_authorisation_that_nobody_signed_effects_nothing(desk: Desk) -> None:
    await desk.issue(signers=())
    await standing.rehearse(desk.ledger, desk.release.playbook_digest)
    plan = await desk.plan()
    await desk.write(a_gate(plan), "gate")
    outcome = await desk.set_first(plan)
    assert (outcome.result, desk.target.effects) == ("rejected", [])
    assert "it lacks the signature of" in outcome.sentence


@pytest.mark.parametrize("changed", ["plan", "share", "revoked", "no gate"])
async def test_i2_another_plan_another_share_or_a_revoked_authorisation_effects_nothing(
    desk: Desk, changed: str
) -> None:
    plan = await desk.begin()
    if changed != "no gate":
        await desk.gate(plan)
    changes: dict[str, Any] = {}
    match changed:
        case "plan":
            plan = plan.model_copy(update={"residual_bp": plan.residual_bp + 1})
        case "share":
            changes = {"desired": plan.before.model_copy(update={"candidate_bp": 9_000, "baseline_bp": 1_000})}
        case "revoked":
            await standing.revoke(desk.ledger, "sa-harm")
    outcome = await desk.set_first(plan, **changes)
    assert (outcome.result, desk.target.effects) == ("rejected", [])


# --- nobody decided -----------------------------------------------------------------------------------------


async def asked_on(desk: Desk, *channels: str) -> None:
    for channel in channels:
        body = CommsSent(
            step="approval_asked", audience="approver", key=f"{INCIDENT}/approval_asked/{INCIDENT}-ask-1/{channel}",
            subject="asked", text_sha256="sha256:0", channel=channel, facts_sha256="sha256:0",
        )  # fmt: skip
        await desk.write(body, f"comms/{channel}")


async def test_gov_24_proceed_needs_two_channels_and_a_receipt(desk: Desk) -> None:
    plan = await desk.begin()
    await asked_on(desk, "slack", "outbox")
    found = await desk.default(plan)
    assert (found.action, found.degraded, found.authorisation_id) == ("proceed", (), "sa-harm")
    refused = await desk.set_first(plan, ask_id=f"{INCIDENT}-ask-1")
    assert refused.result == "rejected", "the request is still open"
    closed = AskClosed(ask_id=f"{INCIDENT}-ask-1", status="approved", because="", have=0, need=2)
    await desk.write(closed, "ask/closed")
    assert (await desk.set_first(plan, ask_id=f"{INCIDENT}-ask-1", attempt=1)).result == "applied"


async def test_gov_53_to_59_what_stops_automation_stops_proceeding_too(desk: Desk) -> None:
    plan = await desk.begin()
    await asked_on(desk, "slack", "outbox")
    await desk.carried_out("inc-0", shown=None)
    found = await desk.default(plan)
    assert (found.action, len(found.degraded)) == ("hold", 1)
    assert "the last revert was at" in found.degraded[0]


async def test_a_plan_does_not_proceed_after_somebody_broke_the_glass(desk: Desk) -> None:
    plan = await desk.begin()
    await asked_on(desk, "slack", "outbox")
    await desk.write(a_broken_glass(), "glass")
    found = await desk.default(plan)
    assert (found.action, found.degraded) == ("hold", ("somebody broke the glass in this incident",))


@pytest.mark.parametrize(
    ("channels", "reasons"),
    [
        ((), ("the request went out on 0 channels, 2 are needed", "no channel confirmed that the request arrived")),
        (("outbox", "directory"), ("no channel confirmed that the request arrived",)),
        (("slack",), ("the request went out on 1 channels, 2 are needed",)),
    ],
)
async def test_gov_24_when_people_were_not_reached_it_holds_and_says_why(
    desk: Desk, channels: tuple[str, ...], reasons: tuple[str, ...]
) -> None:
    plan = await desk.begin()
    await asked_on(desk, *channels)
    found = await desk.default(plan)
    assert (found.action, found.degraded, found.authorisation_id) == ("hold", reasons, None)
    (record,) = await desk.ledger.records(kinds=[Kind.ask_defaulted])
    assert tuple(record.body["degraded"]) == reasons


async def test_gov_45_a_denied_baseline_is_never_automatic(desk: Desk) -> None:
    plan = await desk.begin()
    denied = VersionDenied(
        digest=plan.baseline.digest, environment=plan.environment, decision_id="d", subject=cases.MARIA,
        name="Maria Keller", reason="it leaks prompts", not_before=fakes.now(), not_after=None,
    )  # fmt: skip
    await desk.write(denied, "denied")
    found = await desk.gate(plan)
    assert (found.gate.act, found.authorisation_id) == ("ask", None)
    assert "the rollback target is not eligible" in found.gate.because


async def test_while_evidence_is_on_hold_nothing_is_automatic_and_the_gate_says_which_hold(desk: Desk) -> None:
    plan = await desk.begin()
    desk.duties.profile = declared(eu_ai_act__role="provider")
    said = {"decision_id": "d", "subject": "local|priya", "name": "Priya Nair", "role": "compliance_officer"}
    await desk.write(ObligationFact(**said, path="limbs", value=("a_health",)), "fact")
    await desk.write(
        ObligationAnchor(
            **said, event="aware.ai_serious_incident", at=fakes.now(), on=None, zone="UTC", certainty="known",
            evidence_refs=(),
        ),
        "anchor",
    )  # fmt: skip
    held = await desk.gate(plan)
    assert (held.gate.act, held.authorisation_id) == ("ask", None)
    assert "evidence hold" in held.gate.because[0]
    assert held.gate.people, "people are asked, as many as the table says"
    defaulted = await desk.default(plan)
    assert defaulted.action != "proceed"
    assert any("evidence hold" in why for why in defaulted.degraded)
    filed = ObligationFiled(
        **said, row_id="eu-aia-73-2", content_sha256="sha256:" + "5" * 64, channel="portal", reference="R-1",
        receipt_sha256=None, filed_at=fakes.now(), facts_root=0, late=False, partial=True,
    )  # fmt: skip
    await desk.write(filed, "filed")
    assert (await desk.gate(plan, number=2)).gate.act == "automatic", "the authority knows"


async def test_duties_that_cannot_be_read_count_as_a_hold(desk: Desk, tmp_path: Path) -> None:
    plan = await desk.begin()
    (tmp_path / "profile.yaml").write_text("profile: 7\n")
    desk.activities._duties = FileDuties(None, tmp_path / "profile.yaml")
    gated = await desk.gate(plan)
    assert gated.gate.act == "ask"
    assert "cannot be read" in gated.gate.because[0]
