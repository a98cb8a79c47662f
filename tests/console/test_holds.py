"""Legal holds and erasure: placed by one with a second factor, asked about by many, and what the page says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import expect

from countermand.ledger.record import Kind
from countermand.retention.holding import Scope
from countermand.retention.placing import hold_digest, terms
from tests import cases
from tests.console.conftest import Person, Served
from tests.console.test_security_keys import register
from tests.console.test_standing import confirmed
from tests.console.test_versions import Call, call, served

__all__ = ["call", "served"]
LEGAL = "legal_counsel privacy_officer compliance_officer"
WHY = "A court asked us to keep all of it."


@pytest.fixture(autouse=True)
def people(served: Served) -> None:
    document = cases.governance().model_dump(mode="json", by_alias=True)
    for person in document["people"]:
        if person["subject"] == cases.MARIA:
            person["roles"] += LEGAL.split()
        if person["subject"] == cases.JONAS:
            person["roles"] += ["legal_counsel", "compliance_officer"]
        if person["subject"] == cases.LENA:
            person["roles"] += LEGAL.split()
    served.world.deps.people.governance = cases.governance(people=document["people"])


async def place(served: Served, call: Call, who: str = cases.MARIA) -> dict[str, str]:
    said = terms(Scope(subjects=(cases.MARIA,)), "case 7", ())
    key = await confirmed(served, who, hold_digest(said))
    body = {"subjects": [cases.MARIA], "matter": "case 7", "reason": WHY, "step_up": key}
    answer = await call(who, "POST", "/holds", body)
    return {"code": str(answer.status_code), **answer.json()}


async def test_obl_30_one_legal_counsel_places_a_hold_and_its_words_are_in_no_line(
    served: Served,
    call: Call,
) -> None:
    assert (await place(served, call))["status"] == "held"
    (item,) = (await call(cases.LENA, "GET", "/holds")).json()["items"]
    assert (item["covers"], item["matter"], item["reason"]) == (f"subjects: {cases.MARIA}", "case 7", WHY)
    records = await served.world.deps.ledger.records(kinds=[Kind.hold_placed, Kind.decision])
    assert len(records) == 2
    assert all(word not in record.line for record in records for word in (WHY, "case 7"))


async def test_obl_30_a_hold_without_a_second_factor_is_refused(call: Call) -> None:
    answer = await call(cases.MARIA, "POST", "/holds", {"subjects": [cases.MARIA], "reason": WHY})
    assert answer.json()["code"] == "step_up_required"
    answer = await call(cases.MARIA, "POST", "/holds", {"reason": WHY})
    assert answer.json()["next"] == "Name an incident, a class, a subject or a digest."
    answer = await call(cases.MARIA, "POST", "/holds", {"classes": ["other"], "reason": WHY})
    assert answer.json()["code"] == "unknown_class"


async def test_obl_37_an_erasure_is_answered_either_way(served: Served, call: Call) -> None:
    await place(served, call)
    body = {"subject": cases.MARIA, "reason": "She asked us to."}
    refused = (await call(cases.LENA, "POST", "/retention/erasures", body)).json()
    assert (refused["status"], refused["erased"]) == ("refused", 0)
    assert "legal hold" in refused["sentence"]
    done = (await call(cases.LENA, "POST", "/retention/erasures", body | {"subject": "local|nobody"})).json()
    assert (done["status"], done["erased"]) == ("done", 0)
    assert (await call(cases.JONAS, "POST", "/retention/erasures", body)).json()["code"] == "not_your_role"


async def test_a_release_is_asked_of_two_people_and_the_hold_stays_until_they_sign(
    served: Served,
    call: Call,
) -> None:
    hold_id = (await place(served, call))["sentence"].split()[0]
    answer = await call(cases.MARIA, "POST", f"/holds/{hold_id}/release", {"reason": "The case is over."})
    assert answer.json()["status"] == "pending", answer.text
    assert len((await call(cases.LENA, "GET", "/holds")).json()["items"]) == 1
    answer = await call(cases.MARIA, "POST", "/holds/hold-none/release", {"reason": "The case is over."})
    assert answer.json()["code"] == "unknown_hold"


async def test_a_run_can_be_started_by_hand(served: Served, call: Call) -> None:
    assert (await call(cases.MARIA, "POST", "/retention/runs", {})).json()["status"] == "started"
    assert served.world.workflows.retention_runs == [cases.MARIA]
    shown = (await call(cases.LENA, "GET", "/retention")).json()["items"]
    assert {one["class"] for one in shown} >= {"ledger", "decisions_and_plans", "evidence_samples"}


async def test_the_page_says_what_is_held_and_what_is_deleted_when(
    served: Served,
    call: Call,
    sign_in: Callable[..., Awaitable[Person]],
) -> None:
    await place(served, call)
    lena = await sign_in(served, cases.LENA)
    await lena.open("/holds")
    await expect(lena.page.locator("#holds")).to_contain_text(WHY)
    await expect(lena.page.locator("#due")).to_contain_text("decisions and plans")
    await expect(lena.page.locator("#deleted")).to_contain_text("Nothing was deleted yet.")


async def test_obl_30_a_legal_counsel_places_a_hold_on_the_page_with_a_security_key(
    served: Served,
    call: Call,
    sign_in: Callable[..., Awaitable[Person]],
) -> None:
    amira, maria = await sign_in(served, cases.AMIRA), await sign_in(served, cases.MARIA)
    await amira.open("/holds")
    await expect(amira.page.locator("#place")).to_contain_text("Only Maria Keller")
    await register(maria)
    await maria.open("/holds")
    form = maria.page.locator("#place")
    await form.get_by_label("Class").select_option("decisions_and_plans")
    await form.get_by_label("People").fill(f"{cases.MARIA}, {cases.LENA}")
    await form.get_by_role("button", name="Show what it would cover").click()
    await expect(maria.page.locator("dl")).to_contain_text(f"{cases.MARIA}, {cases.LENA}")
    await maria.page.get_by_label("Matter").fill("case 8")
    await maria.page.get_by_label("Reason").fill(WHY)
    await maria.page.get_by_role("button", name="Place the hold").click()
    await expect(maria.page.locator("#holds")).to_contain_text("case 8")
    (item,) = (await call(cases.LENA, "GET", "/holds")).json()["items"]
    assert item["scope"]["subjects"] == [cases.MARIA, cases.LENA]
    assert item["scope"]["classes"] == ["decisions_and_plans"]


async def test_obl_30_the_page_of_a_hold_that_covers_nothing_says_what_to_name(
    served: Served, sign_in: Callable[..., Awaitable[Person]]
) -> None:
    maria = await sign_in(served, cases.MARIA)
    await maria.open("/holds/new?incidents=,")
    await expect(maria.page.locator("main")).to_contain_text("Name an incident, a class, a subject or a digest.")
