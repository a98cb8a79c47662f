"""Changes of thresholds at the console: proposed, waived, withdrawn, read; and thresholds nobody looked at (LRN-10)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import expect

from activities.adopting import AdoptingActivities, AdoptRequest
from console import thresholds
from countermand import ids
from countermand.canonical import digest_bytes
from countermand.learning.editing import with_value
from tests import cases
from tests.console.conftest import Person, Served
from tests.console.test_playbook_pages import Desk, look, version
from tests.console.world import INCIDENT, Story
from tests.fakes import FakeAdoptionKey, FakeKeys
from workflows.consent import ConsentInput

Serve = Callable[..., Awaitable[Served]]
SignIn = Callable[..., Awaitable[Person]]

RATIO = "detection.triggers[0].at_least.of[0].tolerate.ratio"
POINTER = "/detection/triggers/0/at_least/of/0/tolerate/ratio"
SAID = {
    "hypothesis": "A ratio of 1.2 asked people twice in May about nothing.",
    "expected_effect": "Half as many questions to people on quiet days.",
    "rollback_condition": "An incident is found more than five minutes later.",
}


class Thresholds(Desk):
    """The same people; version 1 is in force."""

    async def begin(self) -> None:
        assert "in force" in await self.adopt(version(1), cases.LENA, cases.JONAS)

    async def send(self, number: int = 2, ratio: str = "1.5") -> str:
        sent = await self.call(cases.AMIRA, "POST", "/playbooks", content=with_value(version(number), RATIO, ratio))
        assert sent.status_code == 200, sent.text
        return str(sent.json()["digest"])

    async def propose(self, who: str = cases.AMIRA, **changes: Any) -> Any:
        body = SAID | {"proposed_digest": await self.send(), "origins": {POINTER: "measured"}} | changes
        return await self.call(who, "POST", "/thresholds", body)

    async def proposed(self, **said: Any) -> str:
        self.world.workflows.thresholds.said = said
        answer = await self.propose()
        assert answer.status_code == 200, answer.text
        return str(answer.json()["proposal_id"])

    async def act(self, who: str, proposal_id: str, **body: Any) -> Any:
        return await self.call(who, "POST", f"/thresholds/{proposal_id}", {"reason": "We talked it through."} | body)

    async def put_up(self, proposal_id: str) -> str:
        """The shadow is over and people are asked; returns the id of the consent."""
        workflows = self.world.workflows
        asked = await workflows.thresholds.to_sign(proposal_id)
        assert asked.refused == ""
        consent_id = ids.threshold_consent(proposal_id)
        given = ConsentInput.model_validate(
            {
                **asked.model_dump(exclude={"refused"}),
                "consent_id": consent_id,
                "excluded": (),
                "incident_id": None,
                "release_id": None,
                "environment": "",
                "time_limit": timedelta(days=7),
                "overdue": "lapse",
            }
        )
        await workflows.consents.start(given)
        return consent_id

    async def settle(self, consent_id: str) -> str:
        story = self.world.story
        activities = AdoptingActivities(story.ledger, story.catalogue, story.people, FakeKeys(), FakeAdoptionKey())
        return await activities.adopt_playbook(AdoptRequest(consent_id=consent_id))


@pytest.fixture
async def desk(serve: Serve) -> Thresholds:
    found = Thresholds(await serve())
    await found.begin()
    return found


async def test_r93_a_proposal_is_read_waived_signed_and_gone_back_from(desk: Thresholds, sign_in: SignIn) -> None:
    proposal_id = await desk.proposed(missed=("spring",))
    safety = await sign_in(desk.served, cases.MARIA)
    await safety.open("/thresholds")
    assert "It would miss inc-spring" in await safety.page.locator("#rows").inner_text()
    await safety.page.locator("#rows h2 a").click()
    await look(safety, "threshold_stopped")
    await safety.page.locator("#findings textarea").fill("That incident was a test of the judge itself.")
    await safety.page.get_by_role("button", name="Waive exactly this").click()
    said = await safety.page.locator("main").inner_text()
    for words in ("Waived by Maria Keller", "loosened", "1.2", "1.5", "measured", SAID["hypothesis"], "shadow"):
        assert words in said, words
    consent_id = await desk.put_up(proposal_id)
    shown = (await desk.call(cases.MARIA, "GET", f"/consents/{consent_id}")).json()
    facts = {one["title"]: " ".join(one["lines"]) for one in shown["card"]["facts"]}
    assert "It would miss inc-spring" in facts["What the past says"]
    assert facts["Waived by name"] == "spring, by Maria Keller"
    assert (await desk.sign(cases.AMIRA, consent_id)).json()["code"] == "four_eyes"
    for who in (cases.LENA, cases.JONAS, cases.MARIA):
        answer = await desk.sign(who, consent_id, step_up=True)
        assert answer.status_code == 200, answer.text
    assert "in force" in await desk.settle(consent_id)
    await safety.open(f"/thresholds/{proposal_id}")
    await look(safety, "threshold_adopted")
    await safety.page.get_by_label("Why?").fill("Two incidents were found ten minutes late.")
    await safety.page.get_by_role("button", name="Propose to go back").click()
    said = await safety.page.locator("main").inner_text()
    assert "version 2 to 3" in said
    assert "which was in force before" in said


async def test_lrn_10_whoever_proposed_cannot_waive_and_nobody_waives_for_another_backtest(desk: Thresholds) -> None:
    proposal_id = await desk.proposed(missed=("spring",))
    backtest = (await desk.call(cases.MARIA, "GET", f"/thresholds/{proposal_id}")).json()["backtest"]
    waive = {"kind": "waive_finding", "waives": "spring", "backtest": backtest}
    assert (await desk.act(cases.JONAS, proposal_id, **waive)).json()["code"] == "not_your_role"
    assert (await desk.act(cases.MARIA, proposal_id, **waive | {"backtest": "sha256:x"})).json()["code"] == "stale"
    assert (await desk.act(cases.MARIA, proposal_id, **waive | {"reason": "ok"})).json()["code"] == "reason_too_short"
    said = desk.world.story.people.governance.model_dump(mode="json", by_alias=True)
    said["people"][2]["roles"] = ["safety_lead"]
    desk.world.story.people.governance = type(desk.world.story.people.governance).model_validate(said)
    assert (await desk.act(cases.AMIRA, proposal_id, **waive)).json()["code"] == "four_eyes"
    assert (await desk.act(cases.MARIA, proposal_id, **waive)).status_code == 200


async def test_people_withdraw_a_proposal_and_nothing_changes(desk: Thresholds, sign_in: SignIn) -> None:
    proposal_id = await desk.proposed()
    person = await sign_in(desk.served, cases.AMIRA)
    await person.open(f"/thresholds/{proposal_id}")
    await person.page.get_by_label("Why?").fill("The numbers came from a broken judge.")
    await person.page.get_by_role("button", name="Withdraw it").click()
    assert "Amira Haddad withdrew it. Nothing changed." in await person.page.locator("#now").inner_text()
    assert (await desk.act(cases.AMIRA, proposal_id, kind="withdraw")).json()["code"] == "already_decided"


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"origins": {"/detection/watch": "law"}}, 409, "which does not change"),
        ({"shadow_days": 2}, 409, "shorter than '7d'"),
        ({"shadow_days": 0, "shadow_because": "It is urgent for us."}, 409, "stricter"),
        ({"hypothesis": "one\nand another sentence"}, 422, "hypothesis"),
        ({"review_of": "inc-nothing"}, 404, "there is no incident"),
    ],
)
async def test_what_cannot_be_proposed_is_refused_with_what_would_be(
    desk: Thresholds, changes: dict[str, Any], status: int, words: str
) -> None:
    answer = await desk.propose(**changes)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text
    assert (await desk.call(cases.AMIRA, "GET", "/thresholds")).json()["items"] == []


async def test_r93_a_change_outside_the_detection_is_refused_with_its_place(desk: Thresholds) -> None:
    text = version(2).replace(b"owner: release_owner", b"owner: product_owner")
    digest = (await desk.call(cases.AMIRA, "POST", "/playbooks", content=text)).json()["digest"]
    answer = await desk.propose(proposed_digest=digest, origins={})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_proposable")
    assert "owner" in answer.json()["detail"]


async def test_r22_thresholds_that_nobody_looked_at_are_flagged_until_somebody_signs_that_they_stay(
    desk: Thresholds, sign_in: SignIn
) -> None:
    deps = desk.world.deps
    name = (await deps.catalogue.playbook(digest_bytes(version(1)))).name
    assert await thresholds.flag(deps, name) is None
    clock = desk.world.story.clock
    clock.set(clock() + timedelta(days=181))
    person = await sign_in(desk.served, cases.MARIA)
    await person.open("/playbooks")
    await look(person, "playbooks_overdue")
    assert "The thresholds still run as they are" in await person.page.locator("#rows").inner_text()
    path = f"/playbooks/{name}/thresholds-reviewed"
    until = (clock() + timedelta(days=90)).strftime("%Y-%m-%dT00:00:00.000000Z")
    body = {"until": until, "reason": "Looked at every one of them."}
    assert (await desk.call(cases.LENA, "POST", path, body)).json()["code"] == "not_your_role"
    late = (clock() + timedelta(days=400)).strftime("%Y-%m-%dT00:00:00.000000Z")
    assert "within a year" in (await desk.call(cases.MARIA, "POST", path, body | {"until": late})).text
    answer = await desk.call(cases.MARIA, "POST", path, body)
    assert answer.status_code == 200, answer.text
    assert await thresholds.flag(deps, name) is None


async def test_pages_of_thresholds_fit_a_narrow_telephone(desk: Thresholds, sign_in: SignIn) -> None:
    proposal_id = await desk.proposed(missed=("spring",), asks=3)
    person = await sign_in(desk.served, cases.MARIA, viewport={"width": 320, "height": 700})
    for path in ("/thresholds", f"/thresholds/{proposal_id}"):
        await person.open(path)
        assert await person.page.locator("html").evaluate("page => page.scrollWidth") <= 320, path


async def test_only_a_safety_lead_says_that_what_people_were_asked_about_was_nothing(desk: Thresholds) -> None:
    await desk.world.story.opened()
    (one,) = (await desk.call(cases.AMIRA, "GET", "/episodes")).json()["items"]
    label = {"kind": "quiet", "version": one["label_version"] + 1}
    path = f"/episodes/{one['episode_id']}/labels"
    assert (await desk.call(cases.LENA, "POST", path, label)).json()["code"] == "not_your_role"
    assert (await desk.call(cases.JONAS, "POST", path, label)).json()["code"] == "not_your_role"
    assert (await desk.call(cases.MARIA, "POST", path, label)).status_code == 200


async def test_a_change_is_proposed_on_the_page_of_a_review_and_refused_where_it_says_nothing(
    serve: Serve, sign_in: SignIn
) -> None:
    desk = Thresholds(await serve(Story.reverted))
    await desk.begin()
    amira = await sign_in(desk.served, cases.AMIRA)
    await amira.open(f"/reviews/{INCIDENT}")
    await amira.page.get_by_text("Propose a change").click()
    form = amira.page.locator("form", has=amira.page.get_by_role("button", name="Propose it"))
    for value in ("1.2", "1.4"):
        await form.get_by_label("Which value").select_option(value=RATIO)
        await form.get_by_label("New value").fill(value)
        await form.get_by_label("Why").fill(SAID["hypothesis"])
        await form.get_by_label("What it should do").fill(SAID["expected_effect"])
        await form.get_by_label("Go back if").fill(SAID["rollback_condition"])
        await form.get_by_role("button", name="Propose it").click()
        if value == "1.2":
            await expect(amira.page.locator("main")).to_contain_text("it changes nothing")
    await expect(amira.page.locator("h1")).to_contain_text("version 1 to 2")
    said = await amira.page.locator("main").inner_text()
    assert f"the review of {INCIDENT}" in said
    assert "measured" in said
