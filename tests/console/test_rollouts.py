"""Rollouts over the console: who may begin one, what its page and the API say, and who decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from playwright.async_api import expect

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
from tests.console.conftest import Person, Served
from tests.console.world import PASSWORD, RELEASE, Story
from tests.console.world import release as console_release
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


async def planned_in(served: Served) -> RolloutPlan:
    """The console's own release has a ramp that waits for a person."""
    release = console_release()
    state = TargetState(
        split=Split.candidate(0),
        revision="1",
        idempotency_key=None,
        fence=0,
        read_at=fakes.now(),
        raw_sha256="sha256:0",
    )
    plan = build(
        "ramp",
        rollout_id="rollout-7",
        release=release,
        playbook=playbook(),
        state=state,
        before=ServedState(split=state.split, candidate_digest=None, baseline_digest=None),
        capabilities=LeasedTarget.capabilities,
        tightened=False,
    )
    body = RolloutPlanned(
        rollout_id=plan.rollout_id,
        plan_digest=plan.digest,
        plan=plan.model_dump(mode="json"),
        asks=("a ramp keeps it there",),
        until=fakes.now() + timedelta(hours=1),
    )
    await served.world.deps.ledger.append(body.entry("rollout-7/planned", "worker", release_id=release.release_id))
    return plan


@pytest.fixture
async def served(serve: Callable[..., Awaitable[Served]]) -> Served:
    return await serve(Story.registered)


async def call(served: Served, who: str, method: str, path: str, body: Any = None) -> httpx.Response:
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=20) as http:
        session = await http.post("/api/v1/login", json={"subject": who, "password": PASSWORD})
        headers = {"Authorization": f"Bearer {session.raise_for_status().json()['token']}"}
        return await http.request(method, f"/api/v1/releases/{RELEASE}{path}", json=body, headers=headers)


async def test_whoever_may_start_or_stop_one_begins_it_and_nobody_else(served: Served) -> None:
    answer = await call(served, cases.LENA, "POST", "/rollout", {"kind": "ramp"})
    assert (answer.status_code, answer.json()["status"]) == (202, "waiting")
    assert [one.kind for one in served.world.workflows.rollouts] == ["ramp"]
    served.world.deps.people.governance = cases.governance(
        people=[
            person.model_dump(mode="json") | ({"roles": ["executive"]} if person.subject == cases.LENA else {})
            for person in cases.governance().people
        ]
    )
    refused = await call(served, cases.LENA, "POST", "/rollout", {"kind": "ramp"})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_your_role")
    none = await call(served, cases.JONAS, "GET", "/rollout")
    assert (none.status_code, none.json()["code"]) == (404, "unknown_rollout")
    unknown = await call(served, cases.JONAS, "GET", "x/rollout")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_release")
    assert f"'{RELEASE}x'" in unknown.json()["detail"]


async def test_a_person_signs_exactly_the_plan_that_is_shown(served: Served) -> None:
    plan = await planned_in(served)
    shown = (await call(served, cases.LENA, "GET", "/rollout")).json()
    assert (shown["plan_digest"], shown["status"]) == (plan.digest, "waiting")
    said = {"kind": "start_rollout", "plan_digest": shown["plan_digest"], "reason": "read the plan, agreed"}
    assert (await call(served, cases.LENA, "POST", "/rollout/decisions", said)).status_code == 200
    (sent,) = served.world.workflows.commands
    assert (sent.addressed_to, sent.approval_digest, sent.actor.roles) == (
        plan.workflow_id,
        plan.digest,
        ("release_owner",),
    )
    assert (await call(served, cases.LENA, "GET", "/rollout")).json()["decided"][0]["name"] == "Lena Ortiz"


async def test_the_page_of_a_release_shows_its_rollout(
    served: Served, sign_in: Callable[..., Awaitable[Person]]
) -> None:
    plan = await planned_in(served)
    person = await sign_in(served, cases.LENA)
    await person.open(f"/releases/{RELEASE}")
    section = person.page.locator("#rollout")
    await expect(section).to_contain_text("A person has to start it: a ramp keeps it there.")
    await expect(section).to_contain_text("Step 2: 50 % of users")
    await expect(section).to_contain_text(plan.digest)


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
