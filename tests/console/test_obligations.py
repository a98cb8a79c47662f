"""Reporting clocks in a browser without scripts of their own: grouped, folded, recorded, decided."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

import httpx
import pytest
from playwright.async_api import expect

from countermand.ledger.record import Kind
from tests import cases
from tests.console.conftest import Person, Served
from tests.console.world import INCIDENT, PASSWORD, Story
from tests.rules.obligations.books import only

Serve = Callable[..., Awaitable[Served]]
SignIn = Callable[..., Awaitable[Person]]

WHY = "The logs of tonight show records of customers."


async def with_an_officer(story: Story) -> None:
    """Lena looks after the clocks of a running incident."""
    people = cases.governance().model_dump(mode="json", by_alias=True)["people"]
    for person in people:
        if person["subject"] == cases.LENA:
            person["roles"] = [*person["roles"], "compliance_officer", "privacy_officer"]
    story.people.governance = cases.governance(people=people)
    await story.asked()


async def picture(person: Person, name: str) -> None:
    """For people who look at the pages: kept only when a folder is given."""
    if folder := os.environ.get("COUNTERMAND_PICTURES"):
        await person.page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest.fixture
async def served(serve: Serve) -> Served:
    served = await serve(with_an_officer)
    served.world.workflows.duties.profile = only(eu_ai_act__role="provider", gdpr__controller=True)
    return served


async def test_a_breach_is_stated_anchored_reported_and_decided_without_scripts(
    served: Served, sign_in: SignIn
) -> None:
    lena = await sign_in(served, cases.LENA, java_script_enabled=False)
    page = lena.page
    await lena.open(f"/incidents/{INCIDENT}")
    block = page.locator("#clocks")
    await expect(block).to_contain_text("To be decided: eu ai act, gdpr")
    await expect(block).to_contain_text("Not legal advice")
    await lena.open(f"/obligations/{INCIDENT}")
    assert await page.locator("article.card:visible").count() == 0, "rows that wait are folded"
    for summary, fields in (
        ("State a fact", {"select[name=path]": "personal_data_breach", "input[name=value]": "yes"}),
        (
            "When something happened",
            {"select[name=event]": "aware.personal_data_breach", "input[name=at]": "2026-03-10T09:17"},
        ),
    ):
        await page.locator("summary", has_text=summary).click()
        form = page.locator("details", has=page.locator("summary", has_text=summary)).locator("form")
        for where, value in fields.items():
            field = form.locator(where)
            await (field.select_option(value) if where.startswith("select") else field.fill(value))
        await form.locator("textarea").fill(WHY)
        await form.locator("button").click()
    clock = page.locator("#row-gdpr-33-1")
    await expect(clock).to_contain_text("72 hours")
    await picture(lena, "clocks")
    await clock.locator("summary", has_text="Record that it was reported").click()
    form = clock.locator("details[open] form")
    await form.locator("input[name=content]").set_input_files(
        files=[{"name": "report.txt", "mimeType": "text/plain", "buffer": b"what was sent"}]
    )
    await form.locator("input[name=filed_at]").fill("2026-03-10T12:00Z")
    await form.locator("input[name=channel]").fill("portal")
    await form.locator("input[name=reference]").fill("R-1")
    await form.locator("textarea").fill(WHY)
    await form.locator("button").click()
    await expect(page.locator("#row-gdpr-33-1")).to_contain_text("reference R-1")
    gdpr = page.locator("section", has=page.locator("#regime-gdpr"))
    await gdpr.locator("summary", has_text="Decide whether").click()
    await gdpr.locator("input[value=yes]").check()
    await gdpr.locator("form", has=page.locator("input[name=regime]")).locator("textarea").fill(WHY)
    await gdpr.locator("button", has_text="Decide").click()
    await expect(page.locator("#now")).not_to_contain_text("gdpr")
    kinds = await served.world.deps.ledger.records(incident_id=INCIDENT, kinds=[Kind.obligation_filed])
    assert [record.body["late"] for record in kinds] == [False]
    blob = await served.world.deps.ledger.get_blob(kinds[0].body["content_sha256"])
    assert blob is not None
    assert blob[0] == b"what was sent"


async def test_a_draft_says_that_it_is_one_and_what_it_rests_on(served: Served, sign_in: SignIn) -> None:
    lena = await sign_in(served, cases.LENA)
    await lena.open(f"/obligations/{INCIDENT}/draft/gdpr-33-1")
    text = lena.page.locator("pre")
    await expect(text).to_contain_text("DRAFT, NOT LEGAL ADVICE")
    await expect(text).to_contain_text("contact of the data protection officer")
    await picture(lena, "draft")


async def test_who_holds_no_role_of_the_clock_is_refused_and_told_whom_to_ask(served: Served, sign_in: SignIn) -> None:
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=60) as http:
        for subject, status in ((cases.MARIA, 403), (cases.LENA, 200)):
            account = {"subject": subject, "password": PASSWORD}
            token = (await http.post("/api/v1/login", json=account)).json()["token"]
            answer = await http.post(
                f"/api/v1/incidents/{INCIDENT}/obligations/acts",
                json={"act": "fact", "reason": WHY, "terms": {"path": "customer_affected", "value": "yes"}},
                headers={"Authorization": f"Bearer {token}"},
            )
            assert answer.status_code == status, answer.text
        listed = await http.get("/api/v1/obligations", headers={"Authorization": f"Bearer {token}"})
    assert "Not legal advice" in listed.json()["not_advice"]


async def test_with_nothing_declared_every_page_says_so_in_one_line(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(with_an_officer)
    lena = await sign_in(served, cases.LENA)
    await lena.open(f"/obligations/{INCIDENT}")
    await expect(lena.page.locator("#now")).to_contain_text("Nobody declared which reporting duties")
    assert await lena.page.locator("article.card").count() == 0
    await picture(lena, "undeclared")
    await lena.open("/obligations")
    await picture(lena, "overview")
    await expect(lena.page.locator("main")).to_contain_text("Not legal advice")
    await lena.open(f"/incidents/{INCIDENT}")
    await expect(lena.page.locator("#clocks")).to_contain_text("no clock runs")


async def test_a_signature_of_a_review_has_to_name_what_it_leaves_open(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.reverted)
    served.world.workflows.duties.profile = only(gdpr__controller=True)
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=60) as http:
        account = {"subject": cases.MARIA, "password": PASSWORD}
        token = (await http.post("/api/v1/login", json=account)).json()["token"]
        codes = []
        for named in ("", "dora", "gdpr"):
            answer = await http.post(
                f"/api/v1/reviews/{INCIDENT}/signatures",
                json={"reason": "read and agreed", "undecided_regimes": named},
                headers={"Authorization": f"Bearer {token}"},
            )
            codes.append(answer.status_code)
    assert codes == [409, 409, 200]
    amira = await sign_in(served, cases.AMIRA)
    await amira.open(f"/reviews/{INCIDENT}")
    await expect(amira.page.locator("#sign")).to_contain_text("reported under gdpr")
    await picture(amira, "review")
