"""Security keys in a real browser with a virtual authenticator, from registering one to a decision signed with it."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from playwright.async_api import CDPSession, expect

from adapters.accounts import FRESH
from adapters.step_ups import LIFE
from console.auth import COOKIE, csrf_of
from countermand.governance.decision import Decision, SignatureClass
from countermand.ledger.bodies import DecisionMade, DecisionRefused
from countermand.ledger.record import Kind
from tests import cases
from tests.console.conftest import Person, Served
from tests.console.world import BASE, INCIDENT, PASSWORD, Story

ASK = f"/asks/{INCIDENT}-ask-1"
REASON = "Answers about prices are wrong; customers act on them."
APPROVE = "Approve the rollback"

Serve = Callable[..., Awaitable[Served]]
SignIn = Callable[..., Awaitable[Person]]


@dataclass
class Token:
    """The virtual authenticator of one browser."""

    session: CDPSession
    authenticator: str

    @classmethod
    async def plug_into(cls, person: Person) -> Token:
        session = await person.context.new_cdp_session(person.page)
        await session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "usb",
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        return cls(session, made["authenticatorId"])

    async def _send(self, what: str, **values: Any) -> Any:
        return await self.session.send(f"WebAuthn.{what}", {"authenticatorId": self.authenticator, **values})

    async def verify(self, verifies: bool) -> None:
        await self._send("setUserVerified", isUserVerified=verifies)

    async def turn_back(self) -> None:
        """A copy of the key, made before it was used: its counter is behind."""
        for credential in (await self._send("getCredentials"))["credentials"]:
            await self._send("removeCredential", credentialId=credential["credentialId"])
            await self._send("addCredential", credential=credential | {"signCount": 0})


async def begin(serve: Serve, moment: Callable[[Story], Awaitable[None]] = Story.asked_for_keys) -> Served:
    """Keys work at a name, never at an address (WebAuthn)."""
    served = await serve(moment)
    return replace(served, url=served.url.replace("127.0.0.1", "localhost"))


async def register(person: Person, name: str = "Blue key on my ring") -> Token:
    token = await Token.plug_into(person)
    await person.open("/account/keys")
    await person.page.get_by_label("Name of the key").fill(name)
    await person.page.get_by_role("button", name="Register this key").click()
    await expect(person.page.locator(".keys")).to_contain_text(name)
    return token


async def approve(person: Person) -> None:
    await person.page.get_by_label("Reason").fill(REASON)
    await person.page.get_by_role("button", name=APPROVE).click()


async def decisions(served: Served) -> list[Decision]:
    records = await served.world.deps.ledger.records(kinds=[Kind.decision])
    return [DecisionMade.model_validate(record.body).decision for record in records]


async def refusals(served: Served) -> list[DecisionRefused]:
    records = await served.world.deps.ledger.records(kinds=[Kind.decision_refused])
    return [DecisionRefused.model_validate(record.body) for record in records]


async def test_a_person_without_a_key_is_told_what_to_do_registers_one_and_approves_with_it(
    serve: Serve, sign_in: SignIn
) -> None:
    served = await begin(serve)
    maria = await sign_in(served, cases.MARIA)
    await Token.plug_into(maria)
    await maria.open(ASK)
    await expect(maria.page.get_by_role("button", name=APPROVE)).to_have_count(0)
    await expect(maria.page.get_by_role("button", name="Reject")).to_be_enabled()
    await maria.page.get_by_label("Reason").fill(REASON)
    await maria.page.get_by_role("link", name="Register one").click()
    await maria.page.get_by_label("Name of the key").fill("Blue key on my ring")
    await maria.page.get_by_role("button", name="Register this key").click()
    await expect(maria.page.locator(".keys")).to_contain_text("Blue key on my ring")
    await maria.page.get_by_role("link", name="Go back to what you were deciding").click()
    await expect(maria.page).to_have_url(served.url + ASK)
    await expect(maria.page.get_by_label("Reason")).to_have_value(REASON)
    await expect(maria.page.locator("#decide")).to_contain_text("your security key (Blue key on my ring)")
    await maria.page.get_by_role("button", name=APPROVE).click()
    await expect(maria.page.locator("#decide")).to_contain_text("1 of 2 people approved")
    (decision,) = await decisions(served)
    assert (decision.signature_class, decision.acr) == (SignatureClass.step_up, "webauthn")
    assert decision.approval_digest == served.world.story.ask.approval_digest  # type: ignore[union-attr]
    await maria.open("/account/keys")
    await expect(maria.page.locator(".keys")).to_contain_text("Last used")


async def test_rejecting_needs_no_key_and_no_script(serve: Serve, sign_in: SignIn) -> None:
    served = await begin(serve)
    maria = await sign_in(served, cases.MARIA, java_script_enabled=False)
    await maria.open(ASK)
    await maria.page.get_by_label("Reason").fill(REASON)
    await maria.page.get_by_role("button", name="Reject").click()
    await expect(maria.page.locator("#decide")).to_contain_text("This request is rejected.")
    assert [decision.signature_class for decision in await decisions(served)] == [SignatureClass.standard]


async def test_a_request_of_the_standard_class_asks_for_no_key(serve: Serve, sign_in: SignIn) -> None:
    served = await begin(serve, Story.asked)
    maria = await sign_in(served, cases.MARIA)
    await register(maria)
    await maria.open(ASK)
    await approve(maria)
    await expect(maria.page.locator("#decide")).to_contain_text("1 of 2 people approved")
    (decision,) = await decisions(served)
    assert (decision.signature_class, decision.acr) == (SignatureClass.standard, "local")


async def test_a_holder_who_is_not_verified_approves_nothing_and_can_try_again(serve: Serve, sign_in: SignIn) -> None:
    served = await begin(serve)
    maria = await sign_in(served, cases.MARIA)
    token = await register(maria)
    await token.verify(False)
    await maria.open(ASK)
    await approve(maria)
    await expect(maria.page.locator("[data-key-status]")).to_contain_text("Nothing was done: the security key")
    assert await decisions(served) == []
    await token.verify(True)
    await maria.page.get_by_role("button", name=APPROVE).click()
    await expect(maria.page.locator("#decide")).to_contain_text("1 of 2 people approved")


async def test_a_copied_key_whose_counter_goes_back_approves_nothing(serve: Serve, sign_in: SignIn) -> None:
    served = await begin(serve)
    maria = await sign_in(served, cases.MARIA)
    token = await register(maria)
    await token.turn_back()
    await maria.open(ASK)
    async with maria.page.expect_response("**/step-up/*") as answered:
        await approve(maria)
    answer = await (await answered.value).json()
    assert answer["code"] == "step_up_required"
    assert "sign count" in answer["detail"]
    await expect(maria.page.locator("[data-key-status]")).to_contain_text("sign count")
    assert await decisions(served) == []


async def test_at_an_address_where_keys_do_not_work_the_page_says_where_they_do(serve: Serve, sign_in: SignIn) -> None:
    served = await begin(serve)
    await register(await sign_in(served, cases.MARIA))
    elsewhere = replace(served, url=served.url.replace("localhost", "127.0.0.1"))
    maria = await sign_in(elsewhere, cases.MARIA)
    await maria.open(ASK)
    await expect(maria.page.get_by_role("button", name=APPROVE)).to_be_disabled()
    await expect(maria.page.get_by_role("link", name=served.url)).to_have_attribute("href", served.url + ASK)
    await maria.open("/account/keys")
    await expect(maria.page.get_by_role("button", name="Register this key")).to_be_disabled()


async def test_without_script_the_server_refuses_an_approval_in_words(serve: Serve, sign_in: SignIn) -> None:
    served = await begin(serve)
    await register(await sign_in(served, cases.MARIA))
    maria = await sign_in(served, cases.MARIA, java_script_enabled=False)
    await maria.open(ASK)
    await approve(maria)
    await expect(maria.page.get_by_role("alert").first).to_contain_text("Not done: step up required.")
    assert [refusal.code for refusal in await refusals(served)] == ["step_up_required"]


async def test_a_key_is_revoked_and_approves_nothing_any_more(serve: Serve, sign_in: SignIn) -> None:
    served = await begin(serve)
    maria = await sign_in(served, cases.MARIA)
    await register(maria)
    await maria.page.get_by_text("Revoke", exact=True).click()
    await maria.page.get_by_role("button", name="Revoke Blue key on my ring").click()
    await expect(maria.page.get_by_text("You have no security key")).to_be_visible()
    await expect(maria.page.locator("main")).to_contain_text("Blue key on my ring, revoked")
    await maria.open(ASK)
    await expect(maria.page.locator("#decide")).to_contain_text("Approving needs a security key and you have none.")


async def test_a_new_key_needs_a_fresh_sign_in(serve: Serve, sign_in: SignIn) -> None:
    served = await begin(serve)
    clock = served.world.deps.accounts._clock
    maria = await sign_in(served, cases.MARIA)
    await Token.plug_into(maria)
    served.world.deps.accounts._clock = lambda: clock() + FRESH
    await maria.open(f"/account/keys?next={ASK}")
    await expect(maria.page.get_by_role("button", name="Register this key")).to_have_count(0)
    async with httpx.AsyncClient(base_url=served.url, cookies=await cookies(maria), timeout=60) as http:
        form = {"csrf": csrf_of(http.cookies[COOKIE])}
        answer = await http.post("/account/keys/options", data=form)
        assert (answer.status_code, answer.json()["code"]) == (403, "key_refused")
        answer = await http.post("/account/keys", data=form | {"name": "mine", "answer": "{}", "step_up_id": "x"})
        assert "your sign-in is older than five minutes" in answer.text.lower()
    await maria.page.get_by_role("button", name="Sign in again").click()
    await maria.page.get_by_label("Account").fill("maria")
    await maria.page.get_by_label("Password").fill(PASSWORD)
    await maria.page.get_by_role("button", name="Sign in").click()
    await expect(maria.page).to_have_url(f"{served.url}/account/keys?next={ASK}")
    await maria.page.get_by_label("Name of the key").fill("My phone")
    await maria.page.get_by_role("button", name="Register this key").click()
    await expect(maria.page.locator(".keys")).to_contain_text("My phone")


async def cookies(person: Person) -> dict[str, str]:
    return {cookie["name"]: cookie["value"] for cookie in await person.context.cookies()}


@pytest.mark.parametrize("abuse", ["replayed", "other digest", "other person", "expired", "unknown"])
async def test_a_confirmation_counts_for_nothing_else(serve: Serve, sign_in: SignIn, abuse: str) -> None:
    """The browser is taken out: a form with the id of a confirmation that was once good."""
    served = await begin(serve)
    people = {subject: await sign_in(served, subject) for subject in (cases.MARIA, cases.JONAS)}
    for person in people.values():
        await register(person)
    maria = people[cases.MARIA]
    await maria.open(ASK)
    field = maria.page.locator("#decide input[name=view_sha256]")
    form = {"kind": "approve", "reason": REASON, "view_sha256": await field.get_attribute("value") or ""}
    ask = served.world.story.ask
    assert ask is not None
    form["approval_digest"] = ask.approval_digest
    digest = "sha256:" + "0" * 64 if abuse == "other digest" else ask.approval_digest
    step_up = await confirmed(people[cases.JONAS if abuse == "other person" else cases.MARIA], digest)
    if abuse == "replayed":
        assert await served.world.deps.gate._step_ups.used(step_up, cases.MARIA, digest)
    if abuse == "unknown":
        step_up = "0" * 32
    if abuse == "expired":
        now = BASE + timedelta(seconds=30) + LIFE
        served.world.deps.gate._step_ups._clock = lambda: now  # type: ignore[attr-defined]
    async with httpx.AsyncClient(base_url=served.url, cookies=await cookies(maria), timeout=60) as http:
        form |= {"csrf": csrf_of(http.cookies[COOKIE]), "step_up": step_up}
        answer = await http.post(f"{ASK}/decision", data=form)
    assert answer.status_code == 403
    assert "Not done: step up required." in answer.text
    assert [refusal.code for refusal in await refusals(served)] == ["step_up_required"]
    assert await decisions(served) == []


async def confirmed(person: Person, digest: str) -> str:
    """The id of a confirmation of this digest, taken from the form before it is sent."""
    await person.open(ASK)
    form = person.page.locator("#decide form")
    await person.page.locator("[data-step-up]").evaluate("(button, to) => { button.dataset.stepUp = to; }", digest)
    stop = "form => form.addEventListener('submit', event => form.elements.step_up.value && event.preventDefault())"
    await form.evaluate(stop)
    await approve(person)
    field = person.page.locator("input[name=step_up]")
    await expect(field).to_have_value(re.compile("[0-9a-f]{32}"))
    return await field.input_value()


async def test_the_script_sends_nothing_without_the_form_token(serve: Serve, sign_in: SignIn) -> None:
    served = await begin(serve)
    maria = await sign_in(served, cases.MARIA)
    await register(maria)
    async with httpx.AsyncClient(base_url=served.url, cookies=await cookies(maria), timeout=60) as http:
        for path in ("/step-up", "/step-up/x", "/account/keys", "/account/keys/options", "/account/keys/x/revoke"):
            assert (await http.post(path, data={"digest": "x"})).status_code == 403
    async with httpx.AsyncClient(base_url=served.url, timeout=60) as http:
        assert (await http.post("/step-up", data={"digest": "x"})).status_code == 303
        assert (await http.get("/account/keys")).headers["location"] == "/sign-in?next=/account/keys"


async def test_what_the_key_is_asked_says_who_where_and_how(serve: Serve, sign_in: SignIn) -> None:
    served = await begin(serve)
    maria = await sign_in(served, cases.MARIA)
    async with httpx.AsyncClient(base_url=served.url, cookies=await cookies(maria), timeout=60) as http:
        answer = await http.post("/account/keys/options", data={"csrf": csrf_of(http.cookies[COOKIE])})
    options = json.loads(answer.text)["options"]
    assert options["rp"]["id"] == "localhost"
    assert options["user"]["displayName"] == "Maria Keller"
    assert options["authenticatorSelection"]["userVerification"] == "required"


async def test_an_approval_without_an_answer_is_sent_again_with_a_new_confirmation_and_counts_once(
    serve: Serve, sign_in: SignIn
) -> None:
    served = await begin(serve)
    maria = await sign_in(served, cases.MARIA)
    await register(maria)
    await maria.open(ASK)
    served.world.workflows.dark = True
    await approve(maria)
    await expect(maria.page.get_by_role("alert").first).to_contain_text("Not done: outcome unknown.")
    served.world.workflows.dark = False
    await maria.page.get_by_role("button", name=APPROVE).click()
    await expect(maria.page.locator("#decide")).to_contain_text("1 of 2 people approved")
    assert [decision.signature_class for decision in await decisions(served)] == [SignatureClass.step_up]
