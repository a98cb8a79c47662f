"""Rollouts over the console: who may begin one, what its page and the API say, and who decides."""

from __future__ import annotations

from datetime import timedelta

import pytest

from console.rollout_matter import RolloutMatter
from countermand import ids
from countermand.governance.decision import Refused
from countermand.ledger.bodies import RolloutEnded, RolloutOutcome, RolloutPlanned
from countermand.ledger.record import parse_line
from countermand.messages.rollout import facts
from countermand.plan.target import Split, TargetState
from countermand.playbook.model import Step
from countermand.rollout.plan import RolloutPlan, ServedState, build
from countermand.rollout.view import rollouts
from tests import cases, fakes
from tests.rollouts import LeasedTarget, playbook


def a_plan(kind: str = "sandbox") -> RolloutPlan:
    release = cases.release()
    state = TargetState(
        split=Split.candidate(0),
        revision="1",
        idempotency_key=None,
        fence=0,
        read_at=fakes.now(),
        raw_sha256="sha256:0",
    )
    before = ServedState(
        split=state.split, candidate_digest=release.candidate.digest, baseline_digest=release.baseline.digest
    )
    return build(
        kind,  # type: ignore[arg-type]  # parametrised
        rollout_id="rollout-1",
        release=release,
        playbook=playbook(),
        state=state,
        before=before,
        capabilities=LeasedTarget.capabilities,
        tightened=False,
    )


async def told(*asks: str) -> tuple[fakes.FakeLedger, RolloutPlan]:
    ledger, plan = fakes.FakeLedger(), a_plan()
    body = RolloutPlanned(
        rollout_id=plan.rollout_id,
        plan_digest=plan.digest,
        plan=plan.model_dump(mode="json"),
        asks=asks,
        until=fakes.now() + timedelta(hours=1),
    )
    await ledger.append(
        body.entry(ids.rollout_record(plan.rollout_id, "planned"), "worker", release_id=plan.release_id)
    )
    return ledger, plan


async def test_a_rollout_that_waits_says_what_for_and_how_it_is_started() -> None:
    ledger, plan = await told("the playbook does not allow it without a person")
    (view,) = rollouts([parse_line(line) for line in ledger.lines])
    said = view.json()
    assert (said["status"], said["wants_start"], said["plan_digest"]) == ("waiting", True, plan.digest)
    assert "without a person" in said["sentence"]
    assert (await RolloutMatter.of(ledger, plan.release_id)).addressee == plan.workflow_id


async def test_what_was_not_restored_is_said_loudly() -> None:
    ledger, plan = await told()
    outcome = RolloutOutcome(rollout_id=plan.rollout_id, step=1, result="applied", after=None, sentence="set.")
    ended = RolloutEnded(
        rollout_id=plan.rollout_id,
        kind="sandbox",
        environment=plan.environment,
        member=plan.member.name,
        candidate_digest=plan.candidate.digest,
        outcome="doubtful",
        sentence="Nothing was seen.",
        restored=False,
    )
    await ledger.append(
        outcome.entry("o", "worker", release_id=plan.release_id), ended.entry("e", "worker", release_id=plan.release_id)
    )
    (view,) = rollouts([parse_line(line) for line in ledger.lines])
    said = facts(view, step=Step.rollout_ended, console_url="http://console")
    assert said["unknowns"] == ["whether the state from before is back: look now"]
    assert "NOT verified" in said["rollout"]["restored"]
    with pytest.raises(Refused, match="no rollout"):
        await RolloutMatter.of(ledger, plan.release_id)
