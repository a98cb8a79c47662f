"""People declare, raise concerns and break the glass: over the API, and in a real browser."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import expect

from countermand.canonical import digest_bytes
from countermand.governance.break_glass import use_digest
from countermand.ledger.bodies import DecisionMade, ReleaseRegistered
from countermand.ledger.record import Kind
from tests import cases
from tests.console.conftest import Person, Served
from tests.console.test_api import SignedIn, client, signed_in
from tests.console.test_security_keys import begin, register
from tests.console.world import BASE, INCIDENT, RELEASE, WORKFLOW, Story, playbook_bytes

__all__ = ["client", "signed_in"]

Serve = Callable[..., Awaitable[Served]]
Browser = Callable[..., Awaitable[Person]]
HARM = "Customers are told to take twice the dose."
REASON = "Three transcripts of this morning, each of them wrong."
DECLARATIONS = f"/api/v1/releases/{RELEASE}/declarations"
CONCERNS = f"/api/v1/releases/{RELEASE}/concerns"
GLASS = f"/api/v1/incidents/{INCIDENT}/break-glass"


def an_emergency(**changes: Any) -> dict[str, Any]:
    return {"mode": "emergency", "harm": HARM, "reason": REASON} | changes


async def confirmed(served: Served, who: str, wanted: str) -> str:
    """What a security key that answered leaves behind."""
    question = await served.world.step_ups.ask(who, wanted)
    assert await served.world.step_ups.answered(question.step_up_id, f"key of {who}")
    return question.step_up_id


async def records(served: Served, kind: Kind) -> list[dict[str, Any]]:
    return [record.body for record in await served.world.story.ledger.records(kinds=[kind])]


async def test_a_person_declares_an_emergency_and_one_incident_is_opened_in_their_name(
    serve: Serve, signed_in: SignedIn
) -> None:
    served = await serve(Story.registered)
    maria = await signed_in(served, cases.MARIA)
    headers = {"Idempotency-Key": "declared-1"}
    first = (await maria.http.post(DECLARATIONS, json=an_emergency(), headers=headers)).raise_for_status().json()
    again = (await maria.http.post(DECLARATIONS, json=an_emergency(), headers=headers)).raise_for_status().json()
    assert (first["status"], again["incident_id"]) == ("opened", first["incident_id"])
    (case,) = served.world.workflows.starting.cases
    assert (case.opened_by, case.severity, case.declared) == (cases.MARIA, "sev1", "declared-1")
    (body,) = await records(served, Kind.decision)
    decision = DecisionMade.model_validate(body).decision
    assert decision.terms == {"mode": "emergency", "severity": "sev1", "harm": HARM}
    assert decision.incident_id == first["incident_id"]


async def test_a_second_declaration_joins_the_open_incident(serve: Serve, signed_in: SignedIn) -> None:
    served = await serve(Story.asked)
    jonas = await signed_in(served, cases.JONAS)
    body = an_emergency(mode="propose", severity="sev2")
    answer = (await jonas.http.post(DECLARATIONS, json=body)).raise_for_status().json()
    assert (answer["status"], answer["incident_id"]) == ("joined", INCIDENT)


@pytest.mark.parametrize(
    ("who", "changes", "status", "code"),
    [
        (cases.AMIRA, {"harm": "bad"}, 422, "reason_too_short"),
        (cases.AMIRA, {"reason": "short"}, 422, "reason_too_short"),
        (cases.AMIRA, {"severity": "sev9"}, 422, "schema"),
        (cases.AMIRA, {"mode": "propose", "break_glass": "stop"}, 422, "schema"),
    ],
)
async def test_a_declaration_that_is_not_whole_opens_nothing(
    serve: Serve, signed_in: SignedIn, who: str, changes: dict[str, str], status: int, code: str
) -> None:
    served = await serve(Story.registered)
    api = await signed_in(served, who)
    refused = await api.problem("POST", DECLARATIONS, json=an_emergency(**changes))
    assert refused[:2] == (status, code)
    assert served.world.workflows.starting.cases == []
    assert await records(served, Kind.decision) == []


async def test_only_the_roles_of_the_rights_table_declare_and_refusals_are_recorded(
    serve: Serve, signed_in: SignedIn
) -> None:
    served = await serve(Story.registered)
    people = served.world.story.people
    document = people.governance.model_dump(mode="json", by_alias=True)
    next(one for one in document["people"] if one["subject"] == cases.AMIRA)["roles"] = ["executive"]
    people.governance = type(people.governance).model_validate(document)
    amira = await signed_in(served, cases.AMIRA)
    for path, body in ((DECLARATIONS, an_emergency()), (CONCERNS, {"severity": "sev3", "reason": REASON})):
        assert (await amira.problem("POST", path, json=body))[:2] == (403, "not_your_role")
    assert [body["code"] for body in await records(served, Kind.decision_refused)] == ["not_your_role"] * 2
    assert await records(served, Kind.concern_raised) == []


async def test_r20_a_concern_stands_in_the_record_once_and_is_shown_with_the_release(
    serve: Serve, signed_in: SignedIn
) -> None:
    served = await serve(Story.registered)
    maria = await signed_in(served, cases.MARIA)
    for _ in range(2):
        sent = {"json": {"severity": "sev3", "reason": REASON}, "headers": {"Idempotency-Key": "concern-1"}}
        answer = (await maria.http.post(CONCERNS, **sent)).raise_for_status().json()
        assert answer["incident_id"] is None
    shown = (await maria.http.get(f"/api/v1/releases/{RELEASE}")).json()
    (concern,) = shown["concerns"]
    assert (concern["name"], concern["reason"], concern["decision_id"]) == ("Maria Keller", REASON, "concern-1")
    assert served.world.workflows.starting.cases == []


async def test_r20_a_concern_may_propose_a_rollback_as_well(serve: Serve, signed_in: SignedIn) -> None:
    served = await serve(Story.registered)
    maria = await signed_in(served, cases.MARIA)
    body = {"severity": "sev2", "reason": REASON, "propose": True}
    answer = (await maria.http.post(CONCERNS, json=body)).raise_for_status().json()
    (case,) = served.world.workflows.starting.cases
    assert (answer["status"], case.incident_id) == ("opened", answer["incident_id"])
    assert len(await records(served, Kind.concern_raised)) == 1


async def test_r20_a_person_counts_once_however_often_they_say_it(serve: Serve, signed_in: SignedIn) -> None:
    served = await serve(Story.registered)
    world = served.world
    signal = (
        b"    trust: {kind: judgement, bad: higher, expect: 0.01, family: user_experience, "
        b"meaning: People say that it is bad, source: people}\n  triggers:\n"
    )
    raw = playbook_bytes().replace(b"  triggers:\n", signal, 1)
    await world.deps.catalogue.put_playbook(raw)
    changes = {"release_id": "judged-v7", "playbook_digest": digest_bytes(raw)}
    release = world.story.release.model_copy(update=changes)
    status = await world.deps.catalogue.put_release(release, BASE)
    (registered,) = await records(served, Kind.release_registered)
    body = ReleaseRegistered.model_validate(registered)
    await world.story.ledger.append(body.entry("judged", "local|deployer", release_id="judged-v7"))
    maria = await signed_in(served, cases.MARIA)
    for key in ("concern-1", "concern-1", "concern-2"):  # a repetition, and the same opinion once more
        sent = {"json": {"severity": "sev3", "reason": REASON}, "headers": {"Idempotency-Key": key}}
        (await maria.http.post("/api/v1/releases/judged-v7/concerns", **sent)).raise_for_status()
    detection = (await world.deps.catalogue.playbook(digest_bytes(raw))).detection
    rows = await world.deps.signals.seal(
        "judged-v7",
        signals=detection.signals,
        start=status.watched_from,
        block=detection.block,
        until=status.watched_from + 30 * detection.block,
    )
    counted = [block.bad for row in rows for block in row.blocks if block.signal == "trust" and block.bad]
    assert counted == [1]


# --- break-glass ---------------------------------------------------------------------------------------------


def a_use(**changes: Any) -> dict[str, Any]:
    return {"emergency": "stop", "harm": HARM, "reason": REASON} | changes


async def test_gov_38_break_glass_needs_the_role_and_a_second_factor_for_this_incident(
    serve: Serve, signed_in: SignedIn
) -> None:
    served = await serve(Story.asked)
    served.world.story.people.governance = cases.with_a_glass_breaker()
    maria, lena = await signed_in(served, cases.MARIA), await signed_in(served, cases.LENA)
    assert (await maria.problem("POST", GLASS, json=a_use()))[1] == "not_your_role"
    assert (await lena.problem("POST", GLASS, json=a_use()))[1] == "step_up_required"
    elsewhere = await confirmed(served, cases.LENA, use_digest("incident/elsewhere"))
    assert (await lena.problem("POST", GLASS, json=a_use(step_up=elsewhere)))[1] == "step_up_required"
    here = await confirmed(served, cases.LENA, use_digest(WORKFLOW))
    answer = (await lena.http.post(GLASS, json=a_use(step_up=here))).raise_for_status().json()
    assert answer["status"] == "accepted"
    (broken,) = await records(served, Kind.glass_broken)
    assert (broken["subject"], broken["emergency"], broken["harm"]) == (cases.LENA, "stop", HARM)


async def test_one_form_declares_and_breaks_the_glass_by_two_decisions(serve: Serve, signed_in: SignedIn) -> None:
    served = await serve(Story.registered)
    served.world.story.people.governance = cases.with_a_glass_breaker()
    lena = await signed_in(served, cases.LENA)
    weak = await lena.problem("POST", DECLARATIONS, json=an_emergency(break_glass="stop"))
    assert weak[1] == "step_up_required"
    assert "the emergency is declared" in weak[2]
    here = await confirmed(served, cases.LENA, use_digest(WORKFLOW))
    body = an_emergency(break_glass="stop", step_up=here)
    answer = (await lena.http.post(DECLARATIONS, json=body)).raise_for_status().json()
    made = [DecisionMade.model_validate(body).decision for body in await records(served, Kind.decision)]
    assert [one.kind.value for one in made] == ["declare", "break_glass", "declare", "break_glass"]
    assert {one.incident_id for one in made} == {answer["incident_id"]}
    assert len(await records(served, Kind.glass_broken)) == 1


# --- pages ---------------------------------------------------------------------------------------------------


async def test_a_rollback_is_proposed_from_the_page_of_the_release(serve: Serve, sign_in: Browser) -> None:
    served = await serve(Story.registered)
    maria = await sign_in(served, cases.MARIA)
    await maria.open(f"/releases/{RELEASE}")
    await maria.page.get_by_text("Propose a rollback", exact=False).first.click()
    form = maria.page.locator("#command-propose")
    await form.get_by_label("Harm").fill(HARM)
    await form.get_by_label("Reason").fill(REASON)
    await form.get_by_role("button", name="Propose a rollback").click()
    await expect(maria.page.locator("#now .why")).to_contain_text("Maria Keller (safety lead, product owner) proposes")
    await expect(maria.page.locator("#now .why")).to_contain_text(HARM)


async def test_a_refused_declaration_keeps_what_was_typed_and_needs_no_javascript(
    serve: Serve, sign_in: Browser
) -> None:
    served = await serve(Story.registered)
    maria = await sign_in(served, cases.MARIA, java_script_enabled=False)
    await maria.open(f"/releases/{RELEASE}")
    await maria.page.locator("#command-emergency summary").click()
    form = maria.page.locator("#command-emergency")
    await form.get_by_label("Harm").fill(" bad       ")
    await form.get_by_label("Reason").fill(REASON)
    await form.get_by_role("button", name="Declare an emergency").click()
    await expect(maria.page.get_by_role("alert").first).to_contain_text("Not done: reason too short.")
    await expect(form.get_by_label("Reason")).to_have_value(REASON)
    assert served.world.workflows.starting.cases == []


async def test_a_hostile_concern_is_shown_as_text(serve: Serve, sign_in: Browser) -> None:
    served = await serve(Story.registered)
    maria = await sign_in(served, cases.MARIA)
    await maria.open(f"/releases/{RELEASE}")
    await maria.page.locator("#command-concern summary").click()
    form = maria.page.locator("#command-concern")
    await form.get_by_label("Reason").fill("<b>Ignore this</b> \u202e and approve everything")
    await form.get_by_role("button", name="Raise a concern").click()
    await expect(maria.page.locator("#concerns")).to_contain_text("<b>Ignore this</b> <U+202E> and approve everything")
    await expect(maria.page.locator("#concerns")).to_contain_text("Maria Keller")


async def test_the_incident_page_says_what_break_glass_does_and_shows_who_used_it(
    serve: Serve, sign_in: Browser
) -> None:
    served = await begin(serve, Story.asked)
    served.world.story.people.governance = cases.with_a_glass_breaker()
    lena, maria = await sign_in(served, cases.LENA), await sign_in(served, cases.MARIA)
    await maria.open(f"/incidents/{INCIDENT}")
    await expect(maria.page.locator("#glass")).to_contain_text("Lena Ortiz can act without asking first")
    await lena.open(f"/incidents/{INCIDENT}")
    await lena.page.locator("#command-break-glass summary").click()
    await expect(lena.page.locator("#command-break-glass")).to_contain_text("needs a security key and you have none")
    await register(lena)
    await lena.open(f"/incidents/{INCIDENT}")
    await lena.page.locator("#command-break-glass summary").click()
    form = lena.page.locator("#command-break-glass")
    await expect(form).to_contain_text("Others must say within one business day whether it was right")
    await form.get_by_label("Stop").check()
    await form.get_by_label("Harm").fill(HARM)
    await form.get_by_label("Reason").fill(REASON)
    await form.get_by_role("button", name="Break the glass now").click()
    await expect(lena.page.locator("#glass")).to_contain_text("Lena Ortiz broke the glass: stop.")
    await expect(maria.page.locator("#glass")).to_contain_text("Lena Ortiz broke the glass: stop.")


async def test_gov_40_a_third_use_in_thirty_days_is_a_finding_on_the_page(
    serve: Serve, sign_in: Browser, signed_in: SignedIn
) -> None:
    served = await serve(Story.asked)
    served.world.story.people.governance = cases.with_a_glass_breaker()
    lena = await signed_in(served, cases.LENA)
    for _ in range(3):
        key = await confirmed(served, cases.LENA, use_digest(WORKFLOW))
        (await lena.http.post(GLASS, json=a_use(step_up=key))).raise_for_status()
    maria = await sign_in(served, cases.MARIA)
    await maria.open(f"/incidents/{INCIDENT}")
    await expect(maria.page.locator("#glass")).to_contain_text("break-glass was used 3 times in 30 days")
