"""What is asked of people is fixed and recorded before anybody sees it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.briefing import Brief
from activities.planning import AskRequest, PlanningActivities, PlanRequest
from countermand.governance.ask import Ask
from countermand.governance.decision import SignatureClass
from countermand.governance.directory import Directory
from countermand.governance.shipped import rights_in_force
from countermand.ledger.bodies import AskOpened, ConcernRaised
from countermand.ledger.record import Kind
from countermand.playbook.model import Playbook
from countermand.playbook.terms import Severity
from tests import cases
from tests.fakes import FakeKeys, FakeLedger, FakeTarget, now
from tests.rules.learning.proposals import adopted

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
DIGEST = "sha256:" + "1" * 64


async def asked(ledger: FakeLedger, at: datetime = NOW, **policy: object) -> Ask:
    document = cases.playbook_document()
    document["approvals"]["sev2"] |= policy
    release = cases.release()
    people = Directory(governance=cases.governance(), digest=DIGEST, source="test", as_of=NOW)
    brief = Brief(
        release=release,
        playbook=Playbook.model_validate(document),
        directory=people,
        keys=FakeKeys().gateway_keys(),
        rights=rights_in_force(people.governance),
    )
    await cases.register(ledger, release)
    target = FakeTarget(5_000, release.baseline.digest)
    planning = PlanningActivities(lambda _name: target, ledger, FakeKeys(), lambda: NOW)
    env = ActivityEnvironment()
    request = PlanRequest(incident_id="inc-1", severity=Severity.sev2, brief=brief, number=1)
    made = await env.run(planning.make_plan, request)
    assert made.plan is not None
    return await env.run(
        planning.open_ask,
        AskRequest(
            ask_id="inc-1-ask-1", workflow_id="incident/x/approval/1", plan=made.plan, evidence_digest=DIGEST,
            requester="automation", policy=brief.playbook.approvals[Severity.sev2], brief=brief, opened_at=at,
            supersedes=None,
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("written", "expected"),
    [({}, SignatureClass.standard), ({"signature": "step_up"}, SignatureClass.step_up)],
)
async def test_gov_62_the_class_that_the_playbook_names_is_asked_for_and_recorded(
    written: dict[str, str], expected: SignatureClass
) -> None:
    ledger = FakeLedger()
    ask = await asked(ledger, **written)
    (record,) = await ledger.records(kinds=[Kind.ask_opened])
    opened = AskOpened.model_validate(record.body)
    assert ask.signature_class is expected
    assert (opened.signature_class, opened.approval_digest) == (expected, ask.approval_digest)


@pytest.mark.parametrize(("people", "excluded"), [(2, False), (1, True)])
async def test_gov_18_who_raised_a_concern_does_not_decide_alone(people: int, excluded: bool) -> None:
    ledger = FakeLedger()
    concern = ConcernRaised(
        decision_id="d-1", subject=cases.MARIA, name="Maria Keller", roles=("safety_lead",), severity="sev2",
        reason="The answers are wrong.",
    )  # fmt: skip
    await ledger.append(concern.entry("concern/d-1", cases.MARIA, release_id=cases.release().release_id))
    quorum = {"roles": [{"role": "safety_lead", "min": 1}], "distinct_people": people}
    ask = await asked(ledger, quorum=quorum)
    assert (cases.MARIA in ask.excluded) is excluded


async def test_lrn_10_approvers_read_that_nobody_looked_at_the_thresholds_for_too_long() -> None:
    ledger = FakeLedger()
    await ledger.append(adopted().entry("playbook/adopted/adopt-1", "worker"))
    await asked(ledger, now() + timedelta(days=181))
    (body,) = ledger.bodies(Kind.ask_opened)
    assert "still run" in AskOpened.model_validate(body).threshold_flags[0]
    fresh = FakeLedger()
    await fresh.append(adopted().entry("playbook/adopted/adopt-1", "worker"))
    await asked(fresh, now() + timedelta(days=179))
    assert AskOpened.model_validate(fresh.bodies(Kind.ask_opened)[0]).threshold_flags == ()
