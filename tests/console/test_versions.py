"""May this digest ship: what deployers are told by API and command line; denying, and allowing again (TGT-14)."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import httpx
import pytest
from playwright.async_api import expect

from console.guards import guards
from countermand.canonical import digest
from countermand.governance.denying import denial_digest
from countermand.ledger.bodies import (
    DestinationChecked,
    GuardState,
    RequarantineBreach,
    StageOutcome,
    VersionQuarantined,
)
from countermand.ledger.record import Kind
from tests import cases
from tests.console.conftest import Person, Served
from tests.console.test_security_keys import begin, register
from tests.console.test_standing import confirmed, decide
from tests.console.world import BASE, PASSWORD, Story, release

Serve = Callable[..., Awaitable[Served]]
SignIn = Callable[..., Awaitable[Person]]
Call = Callable[..., Awaitable[httpx.Response]]

BASELINE, CANDIDATE = release().baseline.digest, release().candidate.digest
WHY = "A prompt injection was published for its harness."


@pytest.fixture
async def served(serve: Serve) -> Served:
    running = await begin(serve, Story.registered)
    document = cases.governance().model_dump(mode="json", by_alias=True)
    document["people"][3]["roles"].append("legal_counsel")
    running.world.deps.people.governance = cases.governance(people=document["people"])
    return running


@pytest.fixture
async def call(served: Served) -> AsyncIterator[Call]:
    """`call(subject, method, path, body)`: the answer to a request of that person."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=60))

        async def request(subject: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
            headers |= {"Authorization": f"Bearer {await token(served, subject)}"}
            return await http.request(method, f"/api/v1{path}", json=body, headers=headers)

        yield request


async def token(served: Served, subject: str) -> str:
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=60) as http:
        answer = await http.post("/api/v1/login", json={"subject": subject, "password": PASSWORD})
    return str(answer.raise_for_status().json()["token"])


async def asked(call: Call, version: str = BASELINE, environment: str = "production") -> dict[str, Any]:
    answer = await call(cases.LENA, "GET", f"/releases/{version}/eligibility?environment={environment}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def deny(served: Served, call: Call, who: str = cases.MARIA, **changes: Any) -> httpx.Response:
    """Confirm with the second factor, deny the baseline."""
    key = await confirmed(served, who, denial_digest(BASELINE, "production"))
    body = {"environment": "production", "reason": WHY, "step_up": key} | changes
    return await call(who, "POST", f"/releases/{BASELINE}/denials", body)


async def quarantined(served: Served) -> None:
    body = VersionQuarantined(
        digest=CANDIDATE, name="support-assistant v7", environment="production",
        members={"index": release().candidate.index}, fairness=False,
    )  # fmt: skip
    await served.world.deps.ledger.append(body.entry("quarantined", "worker", incident_id="inc-1"))


async def test_gov_47_a_deployer_is_told_whether_a_digest_may_ship_and_on_what_that_rests(
    served: Served, call: Call
) -> None:
    found = await asked(call)
    assert (found["schema"], found["eligible"], found["word"]) == ("countermand.eligibility/v1", True, "eligible")
    assert {one["name"]: one["word"] for one in found["checks"]} == {
        "deny_list": "pass",
        "quarantine": "pass",
        "served": "pass",
    }
    await quarantined(served)
    found = await asked(call, CANDIDATE)
    assert (found["eligible"], found["word"]) == (False, "quarantined")
    assert "inc-1" in found["because"]
    assert (await asked(call, release().candidate.index))["word"] == "quarantined"
    assert (await asked(call, digest("never seen")))["word"] == "unknown"
    assert (await asked(call, BASELINE, "staging"))["word"] == "unknown"


@pytest.mark.parametrize(
    "path", ["/releases/v7/eligibility?environment=production", f"/releases/{BASELINE}/eligibility"]
)
async def test_what_is_no_digest_or_names_no_environment_is_not_answered(call: Call, path: str) -> None:
    assert (await call(cases.LENA, "GET", path)).status_code == 422


async def test_gov_44_one_person_denies_a_version_with_a_second_factor_at_once(served: Served, call: Call) -> None:
    answer = await deny(served, call)
    assert (answer.status_code, answer.json()["status"]) == (200, "denied")
    found = await asked(call)
    assert (found["word"], found["eligible"]) == ("denied", False)
    assert "Maria Keller denied it in 'production'" in found["because"]
    assert "says why" in found["because"]


@pytest.mark.parametrize(
    ("who", "changes", "code"),
    [
        (cases.JONAS, {}, "not_your_role"),
        (cases.MARIA, {"step_up": None}, "step_up_required"),
        (cases.MARIA, {"environment": "staging"}, "step_up_required"),
        (cases.MARIA, {"reason": "no"}, "reason_too_short"),
        (cases.MARIA, {"not_before": "2027-01-02T00:00:00Z", "not_after": "2027-01-01T00:00:00Z"}, "schema"),
    ],
)
async def test_who_may_not_deny_it_changes_nothing(
    served: Served, call: Call, who: str, changes: dict[str, Any], code: str
) -> None:
    answer = await deny(served, call, who, **changes)
    assert answer.json()["code"] == code
    assert await served.world.deps.ledger.records(kinds=[Kind.version_denied]) == []
    assert (await asked(call))["eligible"]


async def test_the_same_denial_sent_twice_counts_once(served: Served, call: Call) -> None:
    key = await confirmed(served, cases.MARIA, denial_digest(BASELINE, "production"))
    body = {"environment": "production", "reason": WHY, "step_up": key}
    for _ in range(2):
        answer = await call(cases.MARIA, "POST", f"/releases/{BASELINE}/denials", body, **{"Idempotency-Key": "d-1"})
        assert answer.status_code == 200, answer.text
    assert len(await served.world.deps.ledger.records(kinds=[Kind.version_denied])) == 1


async def test_gov_45_two_people_who_did_not_ask_allow_it_again(served: Served, call: Call) -> None:
    path, body = f"/releases/{BASELINE}/allowances", {"environment": "production", "reason": "The harness is patched."}
    assert (await call(cases.JONAS, "POST", path, body)).json()["code"] == "wrong_state"
    await deny(served, call)
    assert (await call(cases.LENA, "POST", path, body)).json()["code"] == "quorum_unattainable"
    started = (await call(cases.JONAS, "POST", path, body)).raise_for_status().json()
    assert (await decide(served, call, cases.MARIA, started["consent_id"])).json()["have"] == 1
    assert (await asked(call))["word"] == "denied"
    assert (await decide(served, call, cases.LENA, started["consent_id"])).json()["status"] == "given"
    assert (await asked(call))["eligible"]
    await deny(served, call)
    assert (await asked(call))["word"] == "denied", "what people allowed ends no later denial"


async def test_gov_48_out_of_quarantine_people_of_a_re_release_are_asked(served: Served, call: Call) -> None:
    path, body = f"/releases/{CANDIDATE}/allowances", {"environment": "production", "reason": "The judge was wrong."}
    assert (await call(cases.JONAS, "POST", path, body)).json()["code"] == "wrong_state"
    quarantined = VersionQuarantined(
        digest=CANDIDATE, name="v7", environment="production", members={}, fairness=False
    )  # fmt: skip
    await served.world.deps.ledger.append(quarantined.entry("quarantined", "worker", incident_id="inc-1"))
    answer = await call(cases.JONAS, "POST", path, body)
    assert answer.status_code == 200, answer.text
    started = answer.json()
    shown = (await call(cases.MARIA, "GET", f"/consents/{started['consent_id']}")).raise_for_status().text
    assert "re_release" in shown
    assert "inc-1" in shown


@pytest.mark.parametrize(("denied", "code"), [(False, 0), (True, 4)])
async def test_the_command_line_ends_with_0_for_eligible_and_4_for_not(
    served: Served, call: Call, denied: bool, code: int
) -> None:
    if denied:
        await deny(served, call)
    settings = {"COUNTERMAND_URL": served.url, "COUNTERMAND_TOKEN": await token(served, cases.LENA)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "countermand.cli", "release", "eligible", BASELINE, "--environment", "production",
        env=os.environ | settings, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said = (await process.communicate())[0].decode()
    assert process.returncode == code, said
    assert ("denied" in said, "support-assistant-v7" in said) == (denied, True)


async def test_the_page_of_a_release_says_where_users_may_be_sent(served: Served, call: Call, sign_in: SignIn) -> None:
    await quarantined(served)
    person = await sign_in(served, cases.LENA)
    await person.open("/releases/support-assistant-v7")
    section = person.page.locator("#versions")
    await expect(section).to_contain_text("support-assistant v6")
    await expect(section).to_contain_text("is not on the deny list")
    await expect(section).to_contain_text("incident inc-1 put it into quarantine")
    await deny(served, call)
    await person.page.reload()
    await expect(section).to_contain_text("says why")


async def test_every_record_of_a_version_has_a_line_in_the_ledger(served: Served, call: Call, sign_in: SignIn) -> None:
    await quarantined(served)
    await deny(served, call)
    person = await sign_in(served, cases.LENA)
    await person.open("/ledger")
    await expect(person.page.locator("main")).to_contain_text("denied in production by Maria Keller")
    await expect(person.page.locator("main")).to_contain_text("support-assistant v7 is in quarantine in production")


async def test_a_safety_lead_denies_the_baseline_on_the_page_with_a_security_key(
    served: Served, call: Call, sign_in: SignIn
) -> None:
    jonas, maria = await sign_in(served, cases.JONAS), await sign_in(served, cases.MARIA)
    await jonas.open("/releases/support-assistant-v7")
    await expect(jonas.page.locator("#deny")).to_have_count(0)
    await maria.open("/releases/support-assistant-v7")
    await expect(maria.page.locator("#deny")).to_contain_text("needs a security key and you have none")
    await register(maria)
    await maria.open("/releases/support-assistant-v7")
    await maria.page.locator("#command-deny-baseline summary").click()
    form = maria.page.locator("#command-deny-baseline")
    await form.get_by_label("Reason").fill(WHY)
    await form.get_by_role("button", name="Deny support-assistant v6").click()
    await expect(maria.page.locator("#versions")).to_contain_text("Maria Keller denied it in 'production'")
    assert (await asked(call))["word"] == "denied"
    assert (await asked(call, CANDIDATE))["word"] == "unknown"


def registration(**changes: Any) -> dict[str, Any]:
    known = release().model_dump(mode="json", exclude={"registered_by"})
    return known | {"release_id": "support-assistant-v7-again"} | changes


async def refused(served: Served) -> list[dict[str, Any]]:
    return [one.body for one in await served.world.deps.ledger.records(kinds=[Kind.release_refused])]


async def test_gov_47_a_release_with_a_candidate_in_quarantine_is_not_registered_and_that_is_recorded(
    served: Served, call: Call
) -> None:
    await quarantined(served)
    for _ in range(2):
        answer = await call(cases.JONAS, "POST", "/releases", registration())
        assert (answer.status_code, answer.json()["code"]) == (409, "candidate_quarantined")
    assert "inc-1" in answer.json()["detail"]
    assert "countermand release allow" in answer.json()["next"]
    (body,) = await refused(served)
    assert (body["candidate_digest"], body["asked_by"]) == (CANDIDATE, cases.JONAS)
    assert await served.world.deps.catalogue.release("support-assistant-v7-again") is None


async def test_gov_47_another_bundle_with_a_part_of_it_is_refused_too(served: Served, call: Call) -> None:
    await quarantined(served)
    other = release().candidate.model_copy(update={"name": "support-assistant v8", "prompt": digest("prompt 8")})
    body = registration(candidate=other.model_dump(mode="json"))
    answer = await call(cases.JONAS, "POST", "/releases", body)
    assert (answer.json()["code"], "its index" in answer.json()["detail"]) == ("candidate_quarantined", True)


async def test_gov_44_a_denied_candidate_is_refused_with_the_reason(served: Served, call: Call) -> None:
    await deny(served, call)
    body = registration(candidate=release().baseline.model_dump(mode="json"))
    answer = await call(cases.JONAS, "POST", "/releases", body)
    assert (answer.json()["code"], "says why" in answer.json()["detail"]) == ("candidate_denied", True)


async def test_r117_which_version_was_live_when_is_answered_with_who_moved_it(served: Served, call: Call) -> None:
    release_id = release().release_id
    state = served.world.story.target_state().model_copy(update={"read_at": BASE - timedelta(hours=2)})
    body = StageOutcome(
        revert=1, stage=1, result="applied", by="our_key", recovered=False, after=state, sentence="said."
    )  # fmt: skip
    entry = body.entry("outcome", "worker", incident_id="inc-1", release_id=release_id)
    await served.world.deps.ledger.append(entry)
    path = "/services/support-assistant/live?environment=production"
    found = (await call(cases.LENA, "GET", path)).raise_for_status().json()
    assert (found["schema"], found["live"]["candidate_bp"]) == ("countermand.live/v1", 5_000)
    assert found["items"][0]["by"] == "Countermand, stage 1 of incident inc-1"
    earlier = (await call(cases.LENA, "GET", f"{path}&at=2026-11-19T00:00:00Z")).raise_for_status().json()
    assert earlier["live"] is None


async def test_the_page_says_what_may_be_gone_back_to_instead_and_whether_the_way_back_is_open(
    served: Served, call: Call, sign_in: SignIn
) -> None:
    looked = DestinationChecked(target="demo", member="split", ready=False, sentence="the baseline is not healthy.")
    entry = looked.entry("looked", "worker", release_id=release().release_id)
    await served.world.deps.ledger.append(entry)
    await deny(served, call)
    person = await sign_in(served, cases.LENA)
    await person.open("/releases/support-assistant-v7")
    section = person.page.locator("#versions")
    await expect(section).to_contain_text("No other version of support-assistant is known to be eligible")
    await expect(section).to_contain_text("the baseline is not healthy.")
    shown = (await call(cases.LENA, "GET", "/releases/support-assistant-v7")).json()
    assert shown["way_back"]["word"] == "not_ready"


async def test_the_page_and_the_readiness_check_say_that_a_version_in_quarantine_is_back(
    served: Served, sign_in: SignIn
) -> None:
    deps = served.world.deps
    assert (await guards(deps))["ok"] is True
    body = RequarantineBreach(
        digest=CANDIDATE, name="support-assistant v7", environment="production", target="demo", member="split",
        candidate_bp=500, left_bp=0, by="unknown", read_at=BASE, raw_sha256=digest("raw"),
        sentence="support-assistant v7 is back in front of 5 % of users.",
    )  # fmt: skip
    ids_ = {"incident_id": "inc-1", "release_id": release().release_id}
    blind = GuardState(state="blind", sentence="the target cannot be read.", until=BASE + timedelta(days=7))
    await deps.ledger.append(blind.entry("blind", "worker", **ids_))
    found = await guards(deps)
    assert (found["ok"], "cannot be read" in str(found["sentence"])) == (False, True)
    await deps.ledger.append(body.entry("breach", "worker", **ids_))
    person = await sign_in(served, cases.LENA)
    await person.open("/releases/support-assistant-v7")
    await expect(person.page.locator("#guard")).to_contain_text("is back in front of 5 % of users")
    await expect(person.page.locator("#moves")).to_contain_text("changed outside Countermand")


async def test_the_command_line_lists_which_version_was_live_when(served: Served) -> None:
    state = served.world.story.target_state().model_copy(update={"read_at": BASE - timedelta(hours=2)})
    body = StageOutcome(
        revert=1, stage=1, result="applied", by="our_key", recovered=False, after=state, sentence="said."
    )  # fmt: skip
    entry = body.entry("outcome", "worker", incident_id="inc-1", release_id=release().release_id)
    await served.world.deps.ledger.append(entry)
    settings = {"COUNTERMAND_URL": served.url, "COUNTERMAND_TOKEN": await token(served, cases.LENA), "COLUMNS": "200"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "countermand.cli", "release", "live", "support-assistant", "--environment", "production",
        "--at", "2026-11-20T03:00:00Z", env=os.environ | settings, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    assert "50 %" in said
    assert "stage 1 of incident inc-1" in said


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/releases/nonsense/eligibility?environment=production", "'nonsense' is not accepted; a digest is, `sha256:`"),
        (f"/releases/{BASELINE}/eligibility?environment=no%20where", "'no where' is not accepted; a name is:"),
        ("/services/bot/live?environment=production&at=yesterday", "for example 2026-12-01T00:00:00Z"),
    ],
)
async def test_a_value_of_the_wrong_form_is_quoted_with_what_is_accepted(call: Call, path: str, said: str) -> None:
    answer = await call(cases.MARIA, "GET", path)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert "String should match" not in answer.json()["detail"]


async def test_a_service_that_nobody_registered_is_not_found_and_those_that_are_there_are_named(call: Call) -> None:
    answer = await call(cases.MARIA, "GET", "/services/bot/live?environment=production")
    assert answer.status_code == 404
    assert "registered are: support-assistant in production" in answer.json()["detail"]
