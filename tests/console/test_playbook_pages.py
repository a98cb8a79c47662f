"""Playbooks in a browser: what is in force, who signed, what waits, and how a number came about (T9, R18)."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

import httpx
import pytest
from sqlalchemy import text

from activities.adopting import AdoptingActivities, AdoptRequest
from adapters.catalogue import SqlCatalogue
from countermand.canonical import digest_bytes
from countermand.governance.directory import Governance
from tests import cases
from tests.console.conftest import Person, Served
from tests.console.world import playbook_bytes
from tests.fakes import FakeAdoptionKey

Serve = Callable[..., Awaitable[Served]]
SignIn = Callable[..., Awaitable[Person]]

WHY = "The limits were agreed with product and safety."
NAME = "support-assistant"


def version(number: int, *, watch: str = "") -> bytes:
    """The playbook of the console's story with another version, and another length of the watch."""
    lines = playbook_bytes().decode().splitlines()
    lines = [f"version: {number}" if line.startswith("version:") else line for line in lines]
    lines = [f"  watch: {watch}" if watch and line.startswith("  watch:") else line for line in lines]
    return "\n".join(lines).encode()


class Desk:
    """People at a console where adoption is required: Lena maintains playbooks, Jonas owns the product, Maria looks
    after safety."""

    def __init__(self, served: Served) -> None:
        self.served, self.world = served, served.world
        said = cases.governance().model_dump(mode="json", by_alias=True) | {"playbooks": {"adoption": "required"}}
        said["people"][0]["roles"] = ["safety_lead"]
        said["people"][1]["roles"] = ["release_owner", "product_owner", "incident_commander"]
        said["people"][3]["roles"] = ["playbook_maintainer"]
        self.world.story.people.governance = Governance.model_validate(said)

    async def call(self, who: str, method: str, path: str, body: object = None, **raw: bytes) -> httpx.Response:
        token = (await self.world.deps.accounts.issue_person_token(who)).token
        async with httpx.AsyncClient(base_url=self.served.url, trust_env=False, timeout=60) as http:
            headers = {"Authorization": f"Bearer {token}"}
            return await http.request(method, f"/api/v1{path}", json=body, headers=headers, **raw)

    async def ask(self, text_: bytes) -> str:
        """Amira sends it and asks; returns the consent id."""
        sent = await self.call(cases.AMIRA, "POST", "/playbooks", content=text_)
        assert sent.status_code == 200, sent.text
        digest = sent.json()["digest"]
        answer = await self.call(cases.AMIRA, "POST", f"/playbooks/{digest}/adoption", {"reason": WHY})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["consent_id"])

    async def sign(self, who: str, consent_id: str, *, step_up: bool = False) -> httpx.Response:
        shown = (await self.call(who, "GET", f"/consents/{consent_id}")).raise_for_status().json()
        wanted = shown["card"]["approval_digest"]
        body = {"kind": "approve", "approval_digest": wanted, "view_sha256": shown["view_sha256"], "reason": WHY}
        if step_up:
            question = await self.world.step_ups.ask(who, wanted)
            assert await self.world.step_ups.answered(question.step_up_id, f"key of {who}")
            body["step_up"] = question.step_up_id
        return await self.call(who, "POST", f"/consents/{consent_id}", body)

    async def adopt(self, text_: bytes, *who: str, step_up: bool = False) -> str:
        """What the workflow does after they signed; returns its sentence."""
        consent_id = await self.ask(text_)
        for one in who:
            answer = await self.sign(one, consent_id, step_up=step_up)
            assert answer.status_code == 200, answer.text
        story = self.world.story
        key = FakeAdoptionKey()
        activities = AdoptingActivities(story.ledger, story.catalogue, story.people, self.world.deps.keys, key)
        return await activities.adopt_playbook(AdoptRequest(consent_id=consent_id))


async def look(person: Person, name: str) -> None:
    """Keeps what a page looks like where COUNTERMAND_PICTURES names a folder."""
    if folder := os.environ.get("COUNTERMAND_PICTURES"):
        await person.page.screenshot(path=f"{folder}/{name}.png", full_page=True)


async def test_a_page_says_what_is_in_force_who_signed_what_waits_and_how_a_number_came_about(
    serve: Serve, sign_in: SignIn
) -> None:
    desk = Desk(await serve())
    first, laxer = version(1, watch="20h"), version(2, watch="2h")
    assert "in force" in await desk.adopt(first, cases.LENA, cases.JONAS)
    assert "in force" in await desk.adopt(laxer, cases.LENA, cases.JONAS, cases.MARIA, step_up=True)
    await desk.ask(version(3, watch="3h"))
    person = await sign_in(desk.served, cases.MARIA)
    await person.open("/playbooks")
    await look(person, "playbooks")
    said = await person.page.locator("#rows").inner_text()
    assert "version 2" in said
    assert "Signed by Lena Ortiz, Jonas Weber, Maria Keller" in said
    assert "Version 3 waits for signatures" in said
    assert "Never rehearsed" in said
    await person.page.locator("#rows h2 a").click()
    await look(person, "playbook")
    said = await person.page.locator("main").inner_text()
    for words in ("loosened", "detection, watch", "Lena Ortiz", "ad-test", "gw-test", "Backtest: none recorded", WHY):
        assert words in said, words
    assert "WHAT IS WATCHED" in said
    await person.page.locator("main").get_by_role("link", name="Version 1", exact=True).click()
    assert "is in force instead" in await person.page.locator("main").inner_text()
    consents = await desk.world.deps.ledger.records()
    asked = next(record for record in reversed(consents) if record.kind.value == "consent.opened")
    await person.open(f"/consents/{asked.body['consent_id']}")
    await look(person, "adoption_asked")
    card = await person.page.locator("#card").inner_text()
    assert "detection, watch, from 2h to 3h" in card


async def test_pages_of_playbooks_fit_a_narrow_telephone(serve: Serve, sign_in: SignIn) -> None:
    served = await serve()
    person = await sign_in(served, cases.MARIA, viewport={"width": 320, "height": 700})
    for path in ("/playbooks", f"/playbooks/{digest_bytes(playbook_bytes())}"):
        await person.open(path)
        assert await person.page.locator("html").evaluate("page => page.scrollWidth") <= 320, path


async def test_whoever_asks_cannot_sign_and_a_laxer_number_needs_a_security_key(serve: Serve) -> None:
    desk = Desk(await serve())
    people = desk.world.story.people.governance.model_dump(mode="json", by_alias=True)
    people["people"][2]["roles"] = ["product_owner", "executive"]
    desk.world.story.people.governance = Governance.model_validate(people)
    consent_id = await desk.ask(version(1))
    assert (await desk.sign(cases.AMIRA, consent_id)).json()["code"] == "four_eyes"
    assert "in force" in await desk.adopt(version(2, watch="20h"), cases.LENA, cases.JONAS)
    consent_id = await desk.ask(version(3, watch="2h"))
    assert (await desk.sign(cases.MARIA, consent_id)).json()["code"] == "step_up_required"


async def test_a_release_names_the_version_in_force_and_no_other(serve: Serve) -> None:
    desk = Desk(await serve())
    first, second = version(1), version(2)
    await desk.adopt(first, cases.LENA, cases.JONAS)
    await desk.adopt(second, cases.LENA, cases.JONAS)
    known = (await desk.world.deps.catalogue.releases())[0].release
    release = known.model_dump(mode="json", exclude={"registered_by"}) | {"release_id": "another-release"}
    old = await desk.call(cases.JONAS, "POST", "/releases", release | {"playbook_digest": digest_bytes(first)})
    assert (old.status_code, old.json()["code"]) == (409, "playbook_not_newest")
    assert digest_bytes(second) in old.json()["next"]
    adoptions, governance = desk.world.deps.adoptions, desk.world.story.people.governance
    book = await desk.world.deps.catalogue.playbook(digest_bytes(second))
    assert await adoptions.refuse_release(book, digest_bytes(second), governance) == ""


async def test_a_text_that_was_changed_in_the_database_is_not_shown_nor_used(serve: Serve, sign_in: SignIn) -> None:
    desk = Desk(await serve())
    digest = digest_bytes(playbook_bytes())
    async with desk.world.deps.database.writing() as session:
        changed = {"content": version(1, watch="9d"), "digest": digest}
        connection = await session.connection()
        found = await connection.execute(
            text("select name, sql from sqlite_master where tbl_name = 'playbook_version'")
        )
        for name, sql in found.all():
            if "append-only: UPDATE" in (sql or ""):
                await connection.execute(text(f"drop trigger {name}"))
        await connection.execute(text("update playbook_version set content = :content where digest = :digest"), changed)
    person = await sign_in(desk.served, cases.MARIA)
    await person.open(f"/playbooks/{digest}")
    said = await person.page.locator("main").inner_text()
    assert "Somebody changed" in said
    answer = await desk.call(cases.JONAS, "GET", f"/playbook-texts/{digest}")
    assert (answer.status_code, answer.json()["code"]) == (409, "playbook_changed")
    with pytest.raises(ValueError, match="another digest"):
        await SqlCatalogue(desk.world.deps.database).playbook(digest)
