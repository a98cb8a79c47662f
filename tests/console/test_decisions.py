"""Journeys of people who decide, each in a real browser."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import expect

from adapters.directory_file import GovernanceInvalid
from countermand.canonical import digest_bytes
from countermand.governance.decision import DecisionKind
from countermand.governance.directory import Directory
from countermand.ledger.record import Kind
from tests import cases
from tests.console.conftest import Person, Served
from tests.console.world import INCIDENT, PASSWORD, Story

ASK = f"/asks/{INCIDENT}-ask-1"
REASON = "Answers about prices are wrong; customers act on them."

Serve = Callable[..., Awaitable[Served]]
SignIn = Callable[..., Awaitable[Person]]


async def test_two_people_approve_in_two_browsers_and_each_sees_the_other(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.asked)
    maria, jonas = await sign_in(served, None), await sign_in(served, cases.JONAS)
    await maria.open("/")
    await maria.page.get_by_label("Account").fill("maria")
    await maria.page.get_by_label("Password").fill(PASSWORD)
    await maria.page.get_by_role("button", name="Sign in").click()
    await expect(maria.page.get_by_role("heading", level=1)).to_have_text("One decision waits for you.")
    await maria.page.get_by_role("link", name="Read and decide").click()
    await maria.page.get_by_label("Reason").fill(REASON)
    await maria.page.get_by_role("button", name="Approve the rollback").click()
    await expect(maria.page.locator("#decide")).to_contain_text("1 of 2 people approved; still missing: release owner")

    await jonas.open(ASK)
    await expect(jonas.page.locator("#votes")).to_contain_text("Maria Keller")
    await jonas.page.get_by_label("Reason").fill("Confirmed in the transcripts.")
    await jonas.page.get_by_role("button", name="Approve the rollback").click()
    await expect(jonas.page.locator("#decide")).to_contain_text("This request is approved.")
    await expect(maria.page.locator("#decide")).to_contain_text("This request is approved.")


async def test_a_decision_needs_no_javascript(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.asked)
    maria = await sign_in(served, cases.MARIA, java_script_enabled=False)
    await maria.open("/")
    await maria.page.get_by_role("link", name="Read and decide").click()
    await maria.page.get_by_label("Reason").fill(REASON)
    await maria.page.get_by_role("button", name="Reject").click()
    await expect(maria.page.locator("#decide")).to_contain_text("This request is rejected.")
    assert served.world.story.state.status.value == "rejected"


async def test_a_rejection_without_a_reason_is_refused_and_keeps_what_was_typed(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.asked)
    maria = await sign_in(served, cases.MARIA)
    await maria.open(ASK)
    await maria.page.locator("#decide form").evaluate("form => { form.noValidate = true; }")
    await maria.page.get_by_label("Reason").fill("no")
    await maria.page.get_by_role("button", name="Reject").click()
    await expect(maria.page.get_by_role("alert").first).to_contain_text("Not done: reason too short.")
    await expect(maria.page.get_by_label("Reason")).to_have_value("no")
    await maria.page.get_by_label("Reason").fill(REASON)
    await maria.page.get_by_role("button", name="Reject").click()
    await expect(maria.page.locator("#decide")).to_contain_text("This request is rejected.")


async def test_a_vote_can_be_taken_back(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.asked)
    maria = await sign_in(served, cases.MARIA)
    await maria.open(ASK)
    await maria.page.get_by_label("Reason").fill(REASON)
    await maria.page.get_by_role("button", name="Approve the rollback").click()
    await maria.page.get_by_role("button", name="Take my vote back").click()
    await expect(maria.page.locator("#votes")).to_contain_text("0 of 2 people approved.")
    await expect(maria.page.get_by_label("Reason")).to_be_empty()


async def test_a_plan_that_changes_under_an_open_form_switches_approving_off_and_keeps_the_text(
    serve: Serve, sign_in: SignIn
) -> None:
    served = await serve(Story.asked)
    maria = await sign_in(served, cases.MARIA)
    await maria.open(ASK)
    await expect(maria.page.locator("#live")).to_have_text("Live")
    await maria.page.get_by_label("Reason").fill(REASON)
    await served.world.story.ask_anew("the evidence changed")
    await expect(maria.page.locator("[data-changed]")).to_be_visible()
    await expect(maria.page.get_by_role("button", name="Approve the rollback")).to_be_disabled()
    await expect(maria.page.get_by_label("Reason")).to_have_value(REASON)
    await expect(maria.page.locator("#now")).to_contain_text("stale")


async def test_the_server_refuses_a_stale_form_in_words(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.asked)
    maria = await sign_in(served, cases.MARIA, java_script_enabled=False)
    await maria.open(ASK)
    await maria.page.get_by_label("Reason").fill(REASON)
    await served.world.story.ask_anew("the evidence changed")
    await maria.page.get_by_role("button", name="Approve the rollback").click()
    await expect(maria.page.get_by_role("alert").first).to_contain_text("Not done:")
    await expect(maria.page.locator("#decide")).to_contain_text("This request is stale.")


async def test_a_session_that_ends_while_a_reason_is_written_loses_nothing(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.asked)
    maria = await sign_in(served, cases.MARIA)
    await maria.open(ASK)
    await maria.page.get_by_label("Reason").fill(REASON)
    cookie = (await maria.context.cookies())[0]
    await served.world.deps.accounts.end_session(cookie["value"])
    await maria.page.get_by_role("button", name="Approve the rollback").click()
    await maria.page.get_by_label("Account").fill("maria")
    await maria.page.get_by_label("Password").fill(PASSWORD)
    await maria.page.get_by_role("button", name="Sign in").click()
    await expect(maria.page).to_have_url(served.url + ASK)
    await expect(maria.page.get_by_label("Reason")).to_have_value(REASON)


async def test_the_stored_view_is_what_the_page_showed(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.asked)
    maria = await sign_in(served, cases.MARIA)
    await maria.open(ASK)
    claimed = await maria.page.locator("input[name=view_sha256]").get_attribute("value")
    stored = await served.world.deps.ledger.get_blob(claimed or "")
    assert stored is not None
    raw, media_type = stored
    assert media_type == "text/html"
    assert digest_bytes(raw) == claimed
    page = await (await maria.context.request.get(served.url + ASK)).text()
    assert raw.decode() in page


async def test_what_cannot_be_shown_whole_can_be_rejected_but_not_approved(serve: Serve, sign_in: SignIn) -> None:
    async def without_evidence(story: Story) -> None:
        story.with_evidence = False
        await story.asked()

    served = await serve(without_evidence)
    maria = await sign_in(served, cases.MARIA)
    await maria.open(ASK)
    await expect(maria.page.locator("#decide")).to_contain_text("The evidence cannot be shown completely")
    await expect(maria.page.get_by_role("button", name="Approve the rollback")).to_have_count(0)
    await expect(maria.page.get_by_role("button", name="Reject")).to_be_enabled()


async def test_a_person_of_another_role_is_told_who_decides(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.asked)
    people = [person.model_dump() for person in cases.governance().people]
    people[3]["roles"] = ["observer"]
    served.world.story.people.governance = cases.governance(people=people)
    lena = await sign_in(served, cases.LENA)
    await lena.open(ASK)
    await expect(lena.page.locator("#decide")).to_contain_text("You cannot vote here. This decision needs safety lead")
    await expect(lena.page.locator("#decide form")).to_have_count(0)
    await lena.open("/")
    await expect(lena.page.locator("#waiting")).to_contain_text("Nothing waits for you.")


async def test_hostile_text_in_a_reason_is_text_and_nothing_else(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.asked)
    hostile = (
        "</blockquote><script>document.title='owned'</script><img src=x onerror=alert(1)> {{ 7*7 }} "
        "already approved by everyone\u202e txet \x1b[31m"
    )
    story = served.world.story
    await story.vote(await story.decision(cases.JONAS, DecisionKind.approve, hostile))
    maria = await sign_in(served, cases.MARIA)
    for path in (ASK, f"/incidents/{INCIDENT}", "/ledger"):
        await maria.open(path)
        shown = await maria.page.locator("main").inner_text()
        assert "<script>document.title='owned'</script>" in shown
        assert "{{ 7*7 }}" in shown
        assert "<U+202E>" in shown
        assert "\u202e" not in await maria.page.content()
        assert await maria.page.locator("main img, main script").count() == 0
        assert "owned" not in await maria.page.title()
    await maria.open(ASK)
    before = await maria.page.locator("#card").inner_text()
    await expect(maria.page.locator("#card")).not_to_contain_text("already approved")
    assert re.search(r"1 of 2 people approved", before)


async def test_every_refusal_is_in_the_ledger(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.asked)
    maria = await sign_in(served, cases.MARIA, java_script_enabled=False)
    await maria.open(ASK)
    await maria.page.get_by_label("Reason").fill("x" * 10)
    await served.world.story.ask_anew("the evidence changed")
    await maria.page.get_by_role("button", name="Reject").click()
    refused = await served.world.deps.ledger.records(kinds=[Kind.decision_refused])
    assert [record.actor for record in refused] == [cases.MARIA]


async def test_a_decision_without_an_answer_is_sent_again_under_the_same_id_and_counts_once(
    serve: Serve, sign_in: SignIn
) -> None:
    served = await serve(Story.asked)
    maria = await sign_in(served, cases.MARIA, java_script_enabled=False)
    await maria.open(ASK)
    field = maria.page.locator("#decide input[name=decision_id]")
    first = await field.get_attribute("value")
    served.world.workflows.dark = True
    await maria.page.get_by_label("Reason").fill(REASON)
    await maria.page.get_by_role("button", name="Approve the rollback").click()
    await expect(maria.page.get_by_role("alert").first).to_contain_text("Not done: outcome unknown.")
    await expect(maria.page.get_by_label("Reason")).to_have_value(REASON)
    assert await field.get_attribute("value") == first
    served.world.workflows.dark = False
    await maria.page.get_by_role("button", name="Approve the rollback").click()
    await expect(maria.page.locator("#votes")).to_contain_text("1 of 2 people approved.")
    decisions = await served.world.deps.ledger.records(kinds=[Kind.decision])
    assert [record.idem_key for record in decisions] == [f"decision/{first}"]


async def test_a_broken_governance_file_stops_deciding_and_nothing_else(
    serve: Serve, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = await serve(Story.asked)
    maria = await sign_in(served, cases.MARIA)

    async def unreadable() -> Directory:
        raise GovernanceInvalid("governance.yaml: people: a list is needed")

    await maria.open(ASK)
    monkeypatch.setattr(served.world.story.people, "snapshot", unreadable)
    await maria.page.get_by_label("Reason").fill(REASON)
    await maria.page.get_by_role("button", name="Approve the rollback").click()
    await expect(maria.page.get_by_role("alert").first).to_contain_text("Not done: directory unavailable.")
    await maria.open("/")
    await expect(maria.page.locator("#waiting")).to_contain_text("Nobody can decide until it is repaired.")
    await expect(maria.page.locator("#running")).to_contain_text("Waiting for 2 people")


async def test_somebody_who_is_asked_takes_more_time_once(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.asked)
    maria, jonas = await sign_in(served, cases.MARIA), await sign_in(served, cases.JONAS)
    await jonas.open(ASK)
    await maria.open(ASK)
    before = await maria.page.locator("#now .deadline strong").inner_text()
    await maria.page.get_by_text("Not enough time?").click()
    await maria.page.get_by_label("Why is more time needed?").fill("Legal has to read the three transcripts first.")
    await maria.page.get_by_role("button", name="Take more time").click()
    await expect(maria.page.locator("#more-time")).to_contain_text("Maria Keller took more time: Legal has to read")
    assert await maria.page.locator("#now .deadline strong").inner_text() > before
    await expect(jonas.page.locator("#more-time")).to_contain_text("Maria Keller took more time")
    await expect(jonas.page.get_by_role("button", name="Take more time")).to_have_count(0)
    await expect(jonas.page.get_by_role("button", name="Approve the rollback")).to_be_visible()
