"""Denied or quarantined is found where it counts: planning, the recheck, the effect, the gate and broken glass; from
what really stands in a Ledger on SQLite (GOV-45, GOV-47)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from temporalio.testing import ActivityEnvironment

from activities.briefing import Brief
from activities.eligible import EligibleVersions
from activities.emergencies import EligibleRequest, EmergencyActivities, GlassRequest, GlassTaken
from activities.planning import PlanningActivities, PlanRequest, PlanResult
from activities.staging import Recheck, RecheckRequest, SetRequest, StagingActivities
from adapters.database import Database
from adapters.ledger import SqlLedger
from adapters.migrate import upgrade
from countermand import ids
from countermand.governance.break_glass import use_digest
from countermand.governance.decision import Actor, Decision, DecisionKind, SignatureClass
from countermand.governance.eligible import Version
from countermand.governance.rights import Action
from countermand.governance.shipped import rights_in_force, shipped_rights
from countermand.governance.version_lists import allowance
from countermand.ledger.bodies import DecisionMade, StageOutcome, VersionAllowed, VersionDenied
from countermand.ledger.record import Kind
from countermand.plan.model import Plan
from countermand.plan.target import Split
from countermand.playbook.model import Severity
from tests import cases, fakes, standing
from tests.vaults import vault

INCIDENT = "inc-1"


@dataclass
class Bench:
    """The activities over one Ledger; Lena breaks the glass, so that a plan needs nobody else."""

    ledger: SqlLedger
    keys: fakes.FakeKeys = field(default_factory=fakes.FakeKeys)

    def __post_init__(self) -> None:
        self.release = cases.release()
        self.target = fakes.FakeTarget(5_000, self.release.baseline.digest)
        self.people = fakes.FakePeople(cases.with_a_glass_breaker())
        shared = (self.target, self.ledger, self.people, self.keys, fakes.now)
        self.staging, self.emergencies = StagingActivities(*shared), EmergencyActivities(*shared)
        self.planning = PlanningActivities(self.target, self.ledger, self.keys, fakes.now)

    async def brief(self) -> Brief:
        return Brief(
            release=self.release,
            playbook=cases.playbook(),
            directory=await self.people.snapshot(),
            keys=self.keys.gateway_keys(),
            rights=rights_in_force(self.people.governance),
        )

    async def planned(self) -> PlanResult:
        request = PlanRequest(incident_id=INCIDENT, severity=Severity.sev2, brief=await self.brief(), number=1)
        return await ActivityEnvironment().run(self.planning.make_plan, request)

    async def glass(self) -> GlassTaken:
        directory = await self.people.snapshot()
        decision = self.keys.sign(
            Decision(
                decision_id="d-1", kind=DecisionKind.break_glass, addressed_to="incident/x", incident_id=INCIDENT,
                ask_id=None, approval_digest=use_digest("incident/x"), channel="web",
                reason="Every minute more people act on it.",
                acr="webauthn", view_sha256=None, decided_at=fakes.now(), gateway_key_id=self.keys.key_id,
                signature_class=SignatureClass.step_up, terms={"emergency": "disable", "harm": "Wrong doses."},
                actor=Actor(
                    subject=cases.LENA, printed_name="Lena Ortiz", principal="person", role_source="fake",
                    roles=directory.roles_of(cases.LENA), role_as_of=fakes.now(),
                ),
            )
        )  # fmt: skip
        await self.ledger.append(
            DecisionMade(decision=decision).entry("decision/d-1", cases.LENA, incident_id=INCIDENT)
        )
        request = GlassRequest(
            decision_id="d-1", incident_id=INCIDENT, severity=Severity.sev1, brief=await self.brief(), number=1
        )
        return await ActivityEnvironment().run(self.emergencies.break_glass, request)

    async def recheck(self, plan: Plan, *, first: bool) -> Recheck:
        request = RecheckRequest(plan=plan, ask=None, approval=None, revisions={0: None}, first=first, glass="d-1")
        return await ActivityEnvironment().run(self.staging.recheck, request)

    async def effect(self, plan: Plan, desired: Split | None = None, key: str = "k") -> StageOutcome:
        stage = ids.REVERSE_STAGE if desired == plan.before else 1
        request = SetRequest(
            plan=plan, ask_id=None, revert=1, stage=stage, desired=desired or plan.stages[0].desired, key=key,
            fence=ids.fence(plan.before_fence, stage), expected_revision=None, attempt=0, glass="d-1",
        )  # fmt: skip
        return await ActivityEnvironment().run(self.staging.set_stage, request)

    async def deny(self, name: str = "denied") -> None:
        body = VersionDenied(
            digest=self.release.baseline.digest, environment="test", decision_id=name, subject=cases.MARIA,
            name="Maria Keller", reason="it leaks prompts", not_before=fakes.now() - timedelta(seconds=1),
            not_after=None,
        )  # fmt: skip
        await self.ledger.append(body.entry(name, cases.MARIA))

    async def allow(self, *signers: str) -> None:
        digest = self.release.baseline.digest
        right = shipped_rights().row(Action.allow_version, Severity.sev1)
        people = await self.people.snapshot()
        name = await standing.give(
            self.ledger, self.keys, people, right, allowance(digest, "test", "repaired"), "c-1", fakes.now(), signers
        )
        body = VersionAllowed(digest=digest, environment="test", consent_id=name)
        await self.ledger.append(body.entry("allowed", "worker"))


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"
    upgrade(url)
    db = Database(url)
    made = Bench(SqlLedger(db, vault=vault(db)))
    await cases.register(made.ledger, made.release)
    yield made
    await db.close()


async def broken(bench: Bench) -> Plan:
    plan = (await bench.glass()).plan
    assert plan is not None
    return plan


async def test_no_plan_leads_to_a_denied_baseline_and_the_reason_is_said(bench: Bench) -> None:
    assert (await bench.planned()).plan is not None
    await bench.deny()
    made = await bench.planned()
    assert made.plan is None
    assert made.impossible.startswith("test-bot v6 is not eligible: Maria Keller denied it in 'test'")
    assert "says why" in made.impossible
    assert len(await bench.ledger.records(kinds=[Kind.plan])) == 1


@pytest.mark.parametrize(("signers", "planned"), [((cases.MARIA, cases.JONAS), True), ((cases.MARIA,), False)])
async def test_an_allowance_in_the_ledger_counts_when_enough_people_signed_it(
    bench: Bench, signers: tuple[str, ...], planned: bool
) -> None:
    document = bench.people.governance.model_dump(mode="json", by_alias=True)
    document["people"][1]["roles"].append("legal_counsel")
    bench.people.governance = type(bench.people.governance).model_validate(document)
    await bench.deny()
    await bench.allow(*signers)
    assert ((await bench.planned()).plan is not None) is planned


@pytest.mark.parametrize("first", [True, False])
async def test_a_baseline_denied_after_the_plan_was_made_is_stale_before_every_stage(bench: Bench, first: bool) -> None:
    plan = await broken(bench)
    assert (await bench.recheck(plan, first=first)).word == "go"
    await bench.deny()
    answer = await bench.recheck(plan, first=first)
    assert answer.word == "stale"
    assert "says why" in answer.sentence


async def test_a_denial_between_the_recheck_and_the_effect_still_changes_nothing(bench: Bench) -> None:
    plan = await broken(bench)
    await bench.deny()
    outcome = await bench.effect(plan)
    assert (outcome.result, bench.target.effects) == ("rejected", [])
    assert "says why" in outcome.sentence
    assert await bench.ledger.records(kinds=[Kind.version_quarantined]) == []


async def test_gov_47_the_effect_of_the_first_stage_and_the_quarantine_are_recorded_together_and_once(
    bench: Bench,
) -> None:
    plan = await broken(bench)
    assert (await bench.effect(plan)).result == "applied"
    (record,) = await bench.ledger.records(kinds=[Kind.version_quarantined])
    (outcome,) = await bench.ledger.records(kinds=[Kind.stage_outcome])
    assert (record.seq, record.incident_id) == (outcome.seq + 1, INCIDENT)
    assert record.body["digest"] == plan.candidate.digest
    assert record.body["members"] == {"index": "sha256:index-2", "decoding": "sha256:decoding-2"}
    assert (await bench.effect(plan, key="k2")).result == "already"
    assert len(await bench.ledger.records(kinds=[Kind.version_quarantined])) == 1
    versions = EligibleVersions(bench.ledger, bench.keys, fakes.now)
    found = await versions.judge(Version.of(plan.candidate), "test", bench.people.governance)
    assert found.word == "quarantined"


async def test_people_may_undo_what_was_done_even_when_the_baseline_was_denied_meanwhile(bench: Bench) -> None:
    plan = await broken(bench)
    await bench.effect(plan)
    await bench.deny()
    directory = await bench.people.snapshot()
    back = a_reverse(bench, directory.roles_of(cases.JONAS))
    await bench.ledger.append(DecisionMade(decision=back).entry("decision/back", cases.JONAS, incident_id=INCIDENT))
    assert (await bench.effect(plan, plan.before, key="back")).result == "applied"
    assert bench.target.split == plan.before


def a_reverse(bench: Bench, roles: tuple[str, ...]) -> Decision:
    return bench.keys.sign(
        Decision(
            decision_id="back", kind=DecisionKind.reverse, addressed_to="revert/x", incident_id=INCIDENT, ask_id=None,
            approval_digest=None, reason="the baseline leaks prompts", channel="web", acr="local", view_sha256=None,
            decided_at=fakes.now(), gateway_key_id=bench.keys.key_id,
            actor=Actor(
                subject=cases.JONAS, printed_name="Jonas Weber", principal="person", roles=roles, role_source="fake",
                role_as_of=fakes.now(),
            ),
        )
    )  # fmt: skip


async def test_gov_38_broken_glass_does_not_pass_the_deny_list_and_moves_nobody(bench: Bench) -> None:
    await bench.deny()
    taken = await bench.glass()
    assert taken.plan is None
    assert taken.broken.sentence.startswith("nobody is moved: test-bot v6 is not eligible")
    ready = await ActivityEnvironment().run(bench.emergencies.eligible, EligibleRequest(brief=await bench.brief()))
    assert ready.word is False


async def test_what_can_serve_and_is_on_no_list_is_ready_for_broken_glass(bench: Bench) -> None:
    request = EligibleRequest(brief=await bench.brief())
    assert (await ActivityEnvironment().run(bench.emergencies.eligible, request)).word is True
    bench.target.healthy = False
    assert (await ActivityEnvironment().run(bench.emergencies.eligible, request)).word is False


async def test_gov_45_no_plan_and_a_stale_one_both_name_the_newest_version_that_people_may_choose(bench: Bench) -> None:
    plan = await broken(bench)
    other = bench.release.model_copy(
        update={"release_id": "r-0", "baseline": cases.bundle("test-bot v5", index="sha256:index-5")}
    )
    await cases.register(bench.ledger, other)
    await bench.deny()
    named = "The newest eligible version of test-bot in 'test' is test-bot v5"
    assert named in (await bench.planned()).impossible
    assert named in (await bench.recheck(plan, first=True)).sentence
    assert bench.target.effects == []


async def test_a_version_last_known_to_serve_too_long_ago_makes_no_plan(bench: Bench) -> None:
    document = bench.people.governance.model_dump(mode="json", by_alias=True) | {"limits": {"max_age": "1s"}}
    bench.people.governance = type(bench.people.governance).model_validate(document)
    await asyncio.sleep(1.1)
    found = await bench.planned()
    assert (found.plan, "it was last known to serve at" in found.impossible) == (None, True)


async def test_tgt_14_a_ledger_that_cannot_be_read_makes_nothing_eligible(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreadable(**_: object) -> NoReturn:
        raise OSError("the disk is gone")

    monkeypatch.setattr(bench.ledger, "records", unreadable)
    versions = EligibleVersions(bench.ledger, bench.keys, fakes.now)
    with pytest.raises(OSError, match="the disk is gone"):
        await versions.judge(Version.of(bench.release.baseline), "test", bench.people.governance)
    with pytest.raises(OSError, match="the disk is gone"):
        await bench.planned()
