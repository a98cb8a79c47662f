"""Standing authorisations and consents at the console: asked for, signed by two people, revoked by one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from playwright.async_api import expect

from countermand.canonical import digest, digest_bytes
from countermand.ledger.record import Kind
from countermand.messages.incident import incident
from tests import cases
from tests.console.conftest import Person, Served
from tests.console.consenting import a_ratification
from tests.console.test_security_keys import register
from tests.console.world import INCIDENT, PASSWORD, Story, World, playbook_bytes
from tests.fakes import FakeKeys

Serve = Callable[..., Awaitable[Served]]
SignIn = Callable[..., Awaitable[Person]]
Call = Callable[..., Awaitable[httpx.Response]]

WHY = "Wrong answers about dosage cannot wait for a meeting."


def draft(**changes: Any) -> dict[str, Any]:
    return {
        "schema": "countermand.standing/v1",
        "playbook_digest": digest_bytes(playbook_bytes()),
        "environment": "production",
        "severities": ["sev1", "sev2"],
        "triggers": ["answers_made_up"],
        "targets": [digest("v6")],
        "max_exposure": "50%",
        "valid_for": "30d",
    } | changes


@pytest.fixture
async def served(serve: Serve) -> Served:
    return await serve()


@pytest.fixture
async def call(served: Served) -> AsyncIterator[Call]:
    """`call(subject, method, path, body)`: the answer to a request of that person."""
    tokens: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=60))

        async def request(subject: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
            if subject not in tokens:
                account = {"subject": subject, "password": PASSWORD}
                answer = await http.post("/api/v1/login", json=account)
                tokens[subject] = answer.raise_for_status().json()["token"]
            headers |= {"Authorization": f"Bearer {tokens[subject]}"}
            return await http.request(method, f"/api/v1{path}", json=body, headers=headers)

        yield request


async def asked(served: Served, call: Call) -> tuple[str, str]:
    """(authorisation id, consent id) of one that Lena asked for."""
    trigger = (await served.world.deps.catalogue.playbook(digest_bytes(playbook_bytes()))).detection.triggers[0]
    answer = await call(cases.LENA, "POST", "/standing", draft(triggers=[trigger.id], severities=[trigger.severity]))
    assert answer.status_code == 200, answer.text
    return answer.json()["authorisation_id"], answer.json()["consent_id"]


async def confirmed(served: Served, who: str, wanted: str) -> str:
    """What a security key that answered leaves behind."""
    question = await served.world.step_ups.ask(who, wanted)
    assert await served.world.step_ups.answered(question.step_up_id, f"key of {who}")
    return question.step_up_id


async def decide(served: Served, call: Call, who: str, consent_id: str, kind: str = "approve") -> httpx.Response:
    """Read it, confirm with the second factor, decide."""
    shown = (await call(who, "GET", f"/consents/{consent_id}")).raise_for_status().json()
    wanted = shown["card"]["approval_digest"]
    body = {
        "kind": kind,
        "approval_digest": wanted,
        "view_sha256": shown["view_sha256"],
        "reason": WHY,
        "step_up": await confirmed(served, who, wanted),
    }
    return await call(who, "POST", f"/consents/{consent_id}", body)


async def issued(served: Served, call: Call) -> str:
    name, consent_id = await asked(served, call)
    for who in (cases.MARIA, cases.AMIRA):
        assert (await decide(served, call, who, consent_id)).status_code == 200
    return name


async def test_gov_28_two_people_sign_it_with_their_second_factor_and_it_is_in_force(
    served: Served, call: Call
) -> None:
    name, consent_id = await asked(served, call)
    (waiting,) = (await call(cases.MARIA, "GET", "/standing")).json()["items"]
    assert (waiting["state"], waiting["consent_id"]) == ("pending", consent_id)
    assert (await decide(served, call, cases.MARIA, consent_id)).json()["have"] == 1
    assert (await decide(served, call, cases.AMIRA, consent_id)).json()["status"] == "given"
    (one,) = (await call(cases.LENA, "GET", "/standing")).json()["items"]
    assert (one["authorisation_id"], one["state"], one["why"]) == (name, "in_force", "")
    assert one["signers"] == ["Maria Keller", "Amira Haddad"]


@pytest.mark.parametrize(
    ("who", "changes", "code"),
    [
        (cases.LENA, {}, "four_eyes"),
        (cases.JONAS, {}, "not_your_role"),
        (cases.MARIA, {"step_up": None}, "step_up_required"),
        (cases.MARIA, {"step_up": "su-of-somebody-else"}, "step_up_required"),
        (cases.MARIA, {"view_sha256": digest("another page")}, "view_not_shown"),
        (cases.MARIA, {"approval_digest": digest("another document")}, "view_not_shown"),
        (cases.MARIA, {"reason": "ok"}, "reason_too_short"),
    ],
)
async def test_what_does_not_count_is_refused_in_words_and_recorded(
    served: Served, call: Call, who: str, changes: dict[str, Any], code: str
) -> None:
    _, consent_id = await asked(served, call)
    shown = (await call(who, "GET", f"/consents/{consent_id}")).json()
    wanted = shown["card"]["approval_digest"]
    step_up = await confirmed(served, who, wanted)
    body = {
        "kind": "approve", "approval_digest": wanted, "view_sha256": shown["view_sha256"], "reason": WHY,
        "step_up": step_up,
    }  # fmt: skip
    answer = await call(who, "POST", f"/consents/{consent_id}", body | changes)
    assert answer.json()["code"] == code
    refused = await served.world.deps.ledger.records(kinds=[Kind.decision_refused])
    assert [(record.body["ask_id"], record.body["code"]) for record in refused] == [(consent_id, code)]
    assert await served.world.deps.ledger.records(kinds=[Kind.consent_vote]) == []


async def test_a_confirmation_is_used_once_and_a_repeated_decision_counts_once(served: Served, call: Call) -> None:
    _, consent_id = await asked(served, call)
    shown = (await call(cases.MARIA, "GET", f"/consents/{consent_id}")).json()
    wanted = shown["card"]["approval_digest"]
    step_up = await confirmed(served, cases.MARIA, wanted)
    body = {
        "kind": "approve", "approval_digest": wanted, "view_sha256": shown["view_sha256"], "reason": WHY,
        "step_up": step_up,
    }  # fmt: skip
    path, key = f"/consents/{consent_id}", {"Idempotency-Key": "d-1"}
    assert (await call(cases.MARIA, "POST", path, body, **key)).status_code == 200
    await call(cases.MARIA, "POST", path, body, **key)
    assert len(await served.world.deps.ledger.records(kinds=[Kind.consent_vote])) == 1
    other = await call(cases.MARIA, "POST", path, body)
    assert other.json()["code"] == "step_up_required"


async def test_revoking_needs_one_person_with_a_role_and_works_at_once(served: Served, call: Call) -> None:
    name = await issued(served, call)
    path = f"/standing/{name}/revoke"
    assert (await call(cases.JONAS, "POST", path, {"reason": WHY})).json()["code"] == "not_your_role"
    assert (await call(cases.AMIRA, "POST", path, {"reason": "stop"})).json()["code"] == "reason_too_short"
    served.world.workflows.dark = True
    key = {"Idempotency-Key": "d-1"}
    first, again = [await call(cases.AMIRA, "POST", path, {"reason": WHY}, **key) for _ in range(2)]
    assert first.json() == again.json()
    assert first.json()["status"] == "revoked"
    (one,) = (await call(cases.LENA, "GET", "/standing")).json()["items"]
    assert one["state"] == "revoked"
    assert "it was revoked at" in one["why"]
    assert (await call(cases.MARIA, "POST", path, {"reason": WHY})).json()["code"] == "already_decided"
    (record,) = await served.world.deps.ledger.records(kinds=[Kind.standing_revoked])
    assert (record.body["name"], record.body["reason"]) == ("Amira Haddad", WHY)


async def test_what_was_never_issued_cannot_be_revoked(served: Served, call: Call) -> None:
    name, _ = await asked(served, call)
    assert (await call(cases.MARIA, "POST", f"/standing/{name}/revoke", {"reason": WHY})).status_code == 409
    assert (await call(cases.MARIA, "POST", "/standing/sa-0/revoke", {"reason": WHY})).status_code == 404


async def test_every_problem_of_a_draft_is_named_and_nobody_is_asked(served: Served, call: Call) -> None:
    wrong = draft(max_exposure="150%", severities=["sev9"], targets=["latest"], color="red")
    answer = await call(cases.LENA, "POST", "/standing", wrong)
    assert (answer.status_code, answer.json()["code"]) == (422, "standing_invalid")
    assert {one["where"].partition("[")[0] for one in answer.json()["problems"]} == {
        "max_exposure", "severities", "targets", "color",
    }  # fmt: skip
    answer = await call(cases.LENA, "POST", "/standing", draft(triggers=["no_such"], valid_for="91d"))
    assert {one["where"] for one in answer.json()["problems"]} == {"triggers[0]", "valid_for"}
    answer = await call(cases.LENA, "POST", "/standing", draft(playbook_digest=digest("unknown")))
    assert answer.json()["code"] == "unknown_playbook"
    assert await served.world.deps.ledger.records(kinds=[Kind.consent_opened]) == []


async def test_who_would_be_needed_to_sign_cannot_be_the_one_who_asks(served: Served, call: Call) -> None:
    answer = await call(cases.AMIRA, "POST", "/standing", draft(triggers=["x"]))
    assert answer.json()["code"] == "standing_invalid"
    trigger = (await served.world.deps.catalogue.playbook(digest_bytes(playbook_bytes()))).detection.triggers[0]
    good = draft(triggers=[trigger.id], severities=[trigger.severity])
    answer = await call(cases.AMIRA, "POST", "/standing", good)
    assert (answer.json()["code"], "executive" in answer.json()["detail"]) == ("quorum_unattainable", True)


async def test_a_person_signs_on_the_page_with_their_security_key_and_another_revokes_there(
    served: Served, call: Call, sign_in: SignIn
) -> None:
    name, consent_id = await asked(served, call)
    served = replace(served, url=served.url.replace("127.0.0.1", "localhost"))  # keys work at a name only
    maria, amira = await sign_in(served, cases.MARIA), await sign_in(served, cases.AMIRA)
    await maria.open("/")
    await expect(maria.page.locator("#waiting")).to_contain_text("be rolled back without asking")
    await maria.page.get_by_role("link", name="Read and sign").click()
    await expect(maria.page.locator("#card")).to_contain_text("while at most 50 % of users get the candidate")
    await expect(maria.page.get_by_role("button", name="Sign", exact=True)).to_have_count(0)
    await expect(maria.page.get_by_role("button", name="Reject")).to_be_enabled()
    await register(maria)
    await maria.open(f"/consents/{consent_id}")
    await maria.page.get_by_label("Reason").fill(WHY)
    await maria.page.get_by_role("button", name="Sign", exact=True).click()
    await expect(maria.page.locator("#decide")).to_contain_text("You signed at")
    await expect(maria.page.locator("#votes")).to_contain_text("1 of 2 people signed. Missing: executive.")
    await decide(served, call, cases.AMIRA, consent_id)
    await amira.open("/standing")
    await expect(amira.page.locator("#issued .chip").first).to_have_text("in force")
    await expect(amira.page.locator("#issued")).to_contain_text("Maria Keller")
    await amira.page.get_by_text("Revoke it").click()
    await amira.page.get_by_label("Why?").fill(WHY)
    await amira.page.get_by_role("button", name="Revoke").click()
    await expect(amira.page.locator(f"#{name} .chip").first).to_have_text("revoked")
    await expect(amira.page.locator("#issued")).to_contain_text("It does not hold now: it was revoked at")


async def test_gov_39_an_overdue_ratification_stands_on_everybodys_front_page_until_it_is_decided(
    served: Served, call: Call, sign_in: SignIn
) -> None:
    world = served.world
    given = await a_ratification(world.story.people, FakeKeys(), time_limit=timedelta(microseconds=1))
    await world.workflows.consents.start(given)
    lena = await sign_in(served, cases.LENA)
    await lena.open("/")
    await expect(lena.page.locator("#waiting .notice.bad")).to_contain_text("Was it right that Amira Haddad stopped")
    maria = await sign_in(served, cases.MARIA)
    await maria.open("/consents/ratify-1")
    await expect(maria.page.locator("#now")).to_contain_text("overdue")
    await expect(maria.page.locator("#decide")).to_contain_text("Signing needs a security key and you have none.")
    await expect(maria.page.get_by_role("button", name="Do not ratify")).to_have_count(0)
    amira = await sign_in(served, cases.AMIRA)
    await amira.open("/consents/ratify-1")
    await expect(amira.page.locator("#decide")).to_contain_text("You asked for this or did what it is about")
    for who in (cases.MARIA, cases.JONAS):
        assert (await decide(served, call, who, "ratify-1")).status_code == 200
    await expect(maria.page.locator("#decide")).to_contain_text("This request is given.")
    await lena.open("/")
    await expect(lena.page.locator("#waiting .notice.bad")).to_have_count(0)


async def test_a_consent_of_an_incident_stands_in_its_timeline(tell: Callable[..., Awaitable[World]]) -> None:
    told = await tell(Story.opened)
    given = await a_ratification(told.story.people, FakeKeys(), incident_id=INCIDENT)
    await told.workflows.consents.start(given)
    view = incident(await told.deps.ledger.records(incident_id=INCIDENT))
    assert view is not None
    assert view.timeline[-1].detail == given.subject
    assert view.status == "freezing", "it changes nothing else"


async def test_the_page_fits_a_narrow_telephone(served: Served, call: Call, sign_in: SignIn) -> None:
    await issued(served, call)
    _, consent_id = await asked(served, call)
    maria = await sign_in(served, cases.MARIA, viewport={"width": 320, "height": 700})
    for path in ("/standing", f"/consents/{consent_id}"):
        await maria.open(path)
        assert await maria.page.locator("html").evaluate("page => page.scrollWidth") <= 320, path
