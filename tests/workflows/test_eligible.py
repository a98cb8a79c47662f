"""The way back leads only to an eligible version, and what users were taken from is in quarantine (GOV-45, GOV-47)."""

from __future__ import annotations

from datetime import timedelta

from countermand import ids
from countermand.governance.decision import DecisionKind
from countermand.governance.eligible import Version, judge
from countermand.governance.rights import Action
from countermand.governance.shipped import shipped_rights
from countermand.governance.version_lists import allowance, lifting
from countermand.ledger.bodies import VersionDenied, VersionQuarantined
from countermand.ledger.record import Kind
from countermand.playbook.model import Severity
from tests import cases, fakes
from tests.workflows.conftest import World
from tests.workflows.test_consent import asked, decide
from workflows.allowing import AllowVersion


async def deny(world: World) -> None:
    body = VersionDenied(
        digest=world.release.baseline.digest, environment=world.release.environment, decision_id="d",
        subject=cases.MARIA, name="Maria Keller", reason="it leaks prompts",
        not_before=fakes.now() - timedelta(seconds=1), not_after=None,
    )  # fmt: skip
    await world.ledger.append(body.entry("denied", cases.MARIA))


async def test_gov_47_the_candidate_is_in_quarantine_once_the_first_stage_took_effect(world: World) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        assert world.ledger.bodies(Kind.version_quarantined) == []
        await world.approve_by_two()
        assert (await handle.result()).outcome == "reverted"
    records = await world.ledger.records()
    (quarantined,) = [one for one in records if one.kind is Kind.version_quarantined]
    outcomes = [one.seq for one in records if one.kind is Kind.stage_outcome]
    assert (quarantined.seq, len(outcomes)) == (outcomes[0] + 1, 3)
    assert quarantined.incident_id == world.incident_id
    found = judge(
        Version.of(world.release.candidate), "test", records, world.keys.gateway_keys(), shipped_rights(), fakes.now()
    )
    assert found.word == "quarantined"


async def test_gov_45_a_baseline_denied_between_approval_and_effect_is_stale_and_nothing_changes(world: World) -> None:
    async with world.worker():
        await world.open_incident()
        await world.reaches("asking")
        await world.decide(DecisionKind.approve, cases.MARIA)
        await deny(world)
        await world.decide(DecisionKind.approve, cases.JONAS)
        view = await world.reaches("held")
        assert "says why" in view.sentence, "the words themselves stay in the vault"
        assert "No plan is possible: test-bot v6 is not eligible" in view.sentence
    (stopped,) = world.ledger.bodies(Kind.stage_state)
    assert (stopped["state"], "says why" in str(stopped["sentence"])) == ("stopped", True)
    assert (world.target.effects, world.target.split.candidate_bp) == ([], 5_000)
    for kind in (Kind.stage_intent, Kind.version_quarantined):
        assert world.ledger.bodies(kind) == []
    assert len(world.ledger.bodies(Kind.plan)) == 1


async def test_gov_45_what_two_people_sign_takes_a_version_off_the_deny_list(world: World) -> None:
    document = world.people.governance.model_dump(mode="json", by_alias=True)
    document["people"][1]["roles"].append("legal_counsel")
    world.people.governance = cases.governance(people=document["people"])
    baseline = world.release.baseline
    given = await asked(
        world,
        consent_id=f"allow-{world.release.release_id}",
        right=shipped_rights().row(Action.allow_version, Severity.sev1),
        document=allowance(baseline.digest, "test", "the harness is patched"),
    )
    async with world.worker():
        await deny(world)
        handle = await world.env.client.start_workflow(
            AllowVersion.run, given, id=ids.allowing_workflow(given.consent_id), task_queue=world.queue
        )
        await decide(world, given, DecisionKind.approve, cases.MARIA)
        assert world.ledger.bodies(Kind.version_allowed) == []
        await decide(world, given, DecisionKind.approve, cases.JONAS)
        assert (await handle.result()).status == "given"
    records = await world.ledger.records()
    found = judge(Version.of(baseline), "test", records, world.keys.gateway_keys(), shipped_rights(), fakes.now())
    assert (found.word, found.checks[0].word) == ("eligible", "pass")


async def test_gov_48_what_the_people_of_a_re_release_sign_lifts_the_quarantine(world: World) -> None:
    candidate = world.release.candidate
    quarantined = VersionQuarantined(
        digest=candidate.digest, name=candidate.name, environment="test", members={"model": candidate.model},
        fairness=False,
    )  # fmt: skip
    await world.ledger.append(quarantined.entry("quarantined", "worker", incident_id="inc-1"))
    given = await asked(
        world,
        consent_id=f"allow-{world.release.release_id}",
        right=shipped_rights().row(Action.re_release, Severity.sev1),
        document=lifting(candidate.digest, "test", "inc-1", "the judge was wrong"),
    )
    async with world.worker():
        handle = await world.env.client.start_workflow(
            AllowVersion.run, given, id=ids.allowing_workflow(given.consent_id), task_queue=world.queue
        )
        await decide(world, given, DecisionKind.approve, cases.MARIA)
        await decide(world, given, DecisionKind.approve, cases.AMIRA)
        assert (await handle.result()).status == "given"
    assert world.ledger.bodies(Kind.quarantine_lifted)[0]["by_incident"] == "inc-1"
    records = await world.ledger.records()
    found = judge(Version.of(candidate), "test", records, world.keys.gateway_keys(), shipped_rights(), fakes.now())
    assert found.word != "quarantined"
