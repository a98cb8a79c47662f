"""Registries are told about quarantine where they keep tags; nothing waits for them (GOV-47)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Literal

import pytest
from temporalio.testing import ActivityEnvironment

from activities import marking
from activities.marking import MarkingActivities, MarkRequest
from activities.ports import TargetUnavailable
from countermand.ledger.bodies import PlanMade
from countermand.ledger.record import Kind
from countermand.plan.build import Found, build_plan
from countermand.plan.model import Plan
from countermand.plan.target import Member, Preflight
from countermand.playbook.model import Severity
from tests import cases, fakes


class Registry(fakes.FakeTarget):
    """A target that keeps tags; `fault` is what its next call does."""

    def __init__(self) -> None:
        super().__init__(5_000, cases.release().baseline.digest)
        self.tags: dict[str, str] = {}
        self.fault = ""

    async def mark(self, member: Member, digest: str, status: Literal["quarantined", "allowed"]) -> None:
        if self.fault == "unavailable":
            raise TargetUnavailable("connection refused")
        if self.fault == "slow":
            await asyncio.sleep(3600)
        self.tags[digest] = status


async def made(registry: fakes.FakeTarget) -> Plan:
    release, playbook = cases.release(), cases.playbook()
    member = Member(target="fake", name="test-bot", candidate_digest="a", baseline_digest="b")
    return build_plan(
        incident_id="inc-1", release=release, playbook=playbook, governance_digest="sha256:g", severity=Severity.sev2,
        found=[
            Found(
                state=await registry.read(member),
                preflight=Preflight(ready=True, problems=(), destination_digest=None, write_permitted=True),
                capabilities=registry.capabilities,
            )
        ],
    )  # fmt: skip


async def test_a_version_is_tagged_once_and_the_record_says_so() -> None:
    registry, ledger = Registry(), fakes.FakeLedger()
    plan, activities = await made(registry), MarkingActivities(registry, ledger)
    await activities.mark(plan, "quarantined")
    await activities.mark(plan, "quarantined")
    assert registry.tags == {plan.candidate.digest: "quarantined"}
    (marked,) = ledger.bodies(Kind.version_marked)
    assert (marked["ok"], marked["status"], marked["target"]) == (True, "quarantined", "fake")


@pytest.mark.parametrize(("fault", "said"), [("unavailable", "connection refused"), ("slow", "did not answer in time")])
async def test_a_registry_that_fails_is_recorded_and_stops_nothing(
    fault: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marking, "_WITHIN", timedelta(milliseconds=50))
    registry, ledger = Registry(), fakes.FakeLedger()
    registry.fault = fault
    await MarkingActivities(registry, ledger).mark(await made(registry), "quarantined")
    (marked,) = ledger.bodies(Kind.version_marked)
    assert (marked["ok"], said in str(marked["sentence"])) == (False, True)


async def test_a_target_without_tags_leaves_no_record() -> None:
    target, ledger = fakes.FakeTarget(5_000, "sha256:b"), fakes.FakeLedger()
    await MarkingActivities(target, ledger).mark(await made(target), "quarantined")
    assert ledger.lines == []


async def test_when_people_lift_the_quarantine_the_tag_follows_from_the_plan_on_record() -> None:
    registry, ledger = Registry(), fakes.FakeLedger()
    plan = await made(registry)
    body = PlanMade(plan_digest=plan.digest, plan=plan.model_dump(mode="json"))
    await ledger.append(body.entry("plan", "worker", incident_id="inc-1"))
    request = MarkRequest(incident_id="inc-1", status="allowed")
    await ActivityEnvironment().run(MarkingActivities(registry, ledger).mark_version, request)
    assert registry.tags == {plan.candidate.digest: "allowed"}
