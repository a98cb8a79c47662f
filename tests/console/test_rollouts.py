"""Rollouts over the console: who may begin one, what its page and the API say, and who decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from playwright.async_api import expect

from activities.ports import ReleaseStatus
from console.rollout_forms import RolloutForm, forms, share_plot
from console.rollout_matter import RolloutMatter
from countermand import ids
from countermand.governance.decision import Refused
from countermand.ledger.bodies import RolloutEnded, RolloutHeld, RolloutOutcome, RolloutPlanned
from countermand.ledger.record import parse_line
from countermand.messages.rollout import facts
from countermand.plan.target import Split, TargetState
from countermand.playbook.model import Step
from countermand.rollout.plan import RolloutPlan, ServedState, build
from countermand.rollout.view import RolloutView, rollouts
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
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=60) as http:
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


async def test_a_person_starts_and_stops_a_rollout_on_the_page_of_its_release(
    served: Served, sign_in: Callable[..., Awaitable[Person]]
) -> None:
    plan = await planned_in(served)
    person = await sign_in(served, cases.LENA)
    await person.open(f"/releases/{RELEASE}")
    rolling = person.page.locator("#rolling")
    for kind, words in (
        ("start_rollout", "it is over and nothing was changed"),
        ("stop_rollout", "it goes on as long as it is shown to be healthy"),
    ):
        form = rolling.locator(f"#command-{kind}")
        await form.locator("summary").click()
        await expect(form).to_contain_text(words)
        await form.locator("textarea").fill("read the plan, agreed")
        await form.locator("button").click()
        await expect(person.page.locator("#rollout")).to_contain_text("“read the plan, agreed”")
    assert [(one.kind.value, one.approval_digest) for one in served.world.workflows.commands] == [
        ("start_rollout", plan.digest),
        ("stop_rollout", plan.digest),
    ]


async def test_whoever_may_not_start_a_rollout_reads_who_can(
    served: Served, sign_in: Callable[..., Awaitable[Person]]
) -> None:
    await planned_in(served)
    person = await sign_in(served, cases.AMIRA)
    await person.open(f"/releases/{RELEASE}")
    rolling = person.page.locator("#rolling")
    await expect(rolling.locator(".command.off").first).to_contain_text("Lena Ortiz")
    await expect(rolling.locator("#command-start_rollout")).to_have_count(0)


async def offered(view: RolloutView | None, who: str, **release: str) -> list[RolloutForm]:
    status = ReleaseStatus(
        release=cases.release().model_copy(update=release), registered_at=fakes.now(), closed_at=None, closed_why=None
    )
    return forms(view, status, playbook(), await fakes.FakePeople(cases.governance()).snapshot(), who)


async def test_what_can_be_begun_is_said_with_its_shares_and_what_happens_otherwise() -> None:
    sandbox, ramp = await offered(None, cases.LENA)
    assert (sandbox.kind, ramp.kind) == ("begin_sandbox", "begin_ramp")
    assert "1 % of users for 2 minutes" in sandbox.does[0]
    assert "5 % and 50 % of users" in ramp.does[0]
    assert {sandbox.otherwise, ramp.otherwise} == {"If nobody does this, nothing changes."}
    assert {form.off for form in (sandbox, ramp)} == {""}


async def test_whoever_registered_a_release_reads_that_somebody_else_has_to_start_it() -> None:
    ledger, _ = await told("a ramp keeps it there")
    (view,) = rollouts([parse_line(line) for line in ledger.lines])
    start, stop = await offered(view, cases.LENA, registered_by=cases.LENA)
    assert start.off.startswith("You registered this release")
    assert "Lena" not in start.off
    assert stop.off == ""


async def test_a_held_step_says_what_watching_on_and_doing_nothing_mean() -> None:
    ledger, plan = await told()
    now = fakes.now()
    held = RolloutHeld(rollout_id=plan.rollout_id, step=1, sentence="Too few.", until=now + timedelta(hours=1))
    await ledger.append(held.entry("h", "worker", release_id=plan.release_id))
    (view,) = rollouts([parse_line(line) for line in ledger.lines])
    start, stop = await offered(view, cases.LENA)
    assert (start.title, start.does) == ("Watch on", ("Watch step 1 on at 1 % of users.",))
    assert "the candidate goes back to 0 % of users" in start.otherwise
    assert "happens by itself" in stop.otherwise


async def test_the_share_over_time_is_drawn_in_steps_and_said_in_words() -> None:
    ledger, plan = await told()
    (view,) = rollouts([parse_line(line) for line in ledger.lines])
    assert share_plot(view, fakes.now()) is None
    begun = view.planned_at
    view.shares = [(begun + timedelta(seconds=10), 100), (begun + timedelta(seconds=30), 0)]
    plot = share_plot(view, begun + timedelta(seconds=40))
    assert plot is not None
    assert plot.points == "0.0,100.0 150.0,100.0 150.0,0.0 450.0,0.0 450.0,100.0 600.0,100.0"
    assert "1 % from" in plot.words
    assert plan.goes_back


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
