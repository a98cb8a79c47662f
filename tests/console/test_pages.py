"""Every page: rules that hold on all of them, and what each one says at a given moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from playwright.async_api import expect

from tests import cases
from tests.console.conftest import Person, Served
from tests.console.world import INCIDENT, RELEASE, Story

Serve = Callable[..., Awaitable[Served]]
SignIn = Callable[..., Awaitable[Person]]

PATHS = (
    "/",
    f"/releases/{RELEASE}",
    f"/releases/{RELEASE}/why",
    "/signals",
    "/standing",
    f"/incidents/{INCIDENT}",
    f"/asks/{INCIDENT}-ask-1",
    f"/reviews/{INCIDENT}",
    "/reviews",
    "/thresholds",
    "/rehearsals",
    "/cadence",
    "/lessons",
    "/holds",
    "/ledger",
    "/ledger/4",
    "/ledger/verify",
    "/no-such-page",
)


async def test_no_page_is_wider_than_a_narrow_telephone_or_breaks_the_content_security_policy(
    serve: Serve, sign_in: SignIn
) -> None:
    served = await serve(Story.reverted)
    maria = await sign_in(served, cases.MARIA, viewport={"width": 320, "height": 700})
    for path in PATHS:
        await maria.open(path)
        assert await maria.page.locator("html").evaluate("page => page.scrollWidth") <= 320, path
        assert await maria.page.locator("html").get_attribute("lang") == "en"
        assert await maria.page.locator("h1").count() >= 1, path
        await expect(maria.page.locator("main")).to_have_count(1)
    await expect(maria.page).to_have_title("There is nothing here · Countermand")


async def test_the_skip_link_is_first_and_every_control_shows_its_focus(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.asked)
    maria = await sign_in(served, cases.MARIA)
    await maria.open(f"/asks/{INCIDENT}-ask-1")
    await maria.page.keyboard.press("Tab")
    await expect(maria.page.get_by_role("link", name="Skip to content")).to_be_focused()
    await maria.page.keyboard.press("Enter")
    seen = set()
    for _ in range(12):
        await maria.page.keyboard.press("Tab")
        focused = maria.page.locator(":focus")
        if not await focused.count():
            break
        seen.add((await focused.evaluate("e => e.textContent || e.name")).strip())
        assert await focused.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
        if await focused.evaluate("e => e.closest('.foot') !== null"):
            continue  # a link in a sentence
        box = await focused.bounding_box()
        assert box is not None
        assert box["height"] >= 24, await focused.evaluate("e => e.outerHTML")
    assert {"reason", "Approve the rollback", "Reject"} <= seen


async def test_the_overview_of_a_calm_day_says_what_to_do(serve: Serve, sign_in: SignIn) -> None:
    served = await serve()
    maria = await sign_in(served, cases.MARIA)
    await maria.open("/")
    await expect(maria.page.locator("#running")).to_contain_text("No incident is running.")
    await expect(maria.page.locator("#closed")).to_contain_text("No incident has been closed yet.")
    await expect(maria.page.locator("#watched .chip")).to_have_text("trigger")


async def test_the_release_page_names_what_differs_who_gets_it_and_where_it_runs(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.soaking)
    maria = await sign_in(served, cases.MARIA)
    await maria.open(f"/releases/{RELEASE}")
    await expect(maria.page.locator(".differs th")).to_have_text(["decoding differs", "index differs"])
    await expect(maria.page.locator("#split")).to_contain_text("25 % candidate, read from the target in inc-")
    await expect(maria.page.locator("#split")).to_contain_text("outputs came from the candidate over 30 seconds")
    link = maria.page.get_by_role("link", name="The watch in Temporal")
    await expect(link).to_have_attribute(
        "href", f"http://127.0.0.1:8233/namespaces/default/workflows/watch%2Fproduction%2F{RELEASE}"
    )
    await maria.page.locator("#numbers summary").click()
    await expect(maria.page.locator("#numbers tbody tr")).to_have_count(60)


async def test_the_why_page_shows_everything_a_verdict_rests_on(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.asked)
    maria = await sign_in(served, cases.MARIA)
    await maria.open(f"/releases/{RELEASE}/why")
    main = maria.page.locator("main")
    await expect(main.get_by_role("heading", level=1)).to_have_text("Why the watch says “trigger”")
    for said in ("needed", "bound on false alarms", "since about", "Hallucinations", "Certificate of health"):
        await expect(main).to_contain_text(said, ignore_case=True)
    await expect(main.get_by_role("row", name="hallucinations")).to_contain_text("to 1")
    await main.get_by_text("What this rests on").click()
    assert await main.locator("button.copy").count() >= 3, "rule, row and blocks by digest"


async def test_the_incident_page_of_a_closed_incident_tells_how_it_ended(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.reverted)
    maria = await sign_in(served, cases.MARIA)
    await maria.open(f"/incidents/{INCIDENT}")
    await expect(maria.page.get_by_role("heading", level=1)).to_have_text("Rolled back and shown to be healthy.")
    await expect(maria.page.locator(".stage .chip")).to_have_text(["completed"] * 3)
    await expect(maria.page.locator("#verification .chip")).to_have_text(["pass", "pass"])
    await expect(maria.page.locator("#commands")).to_be_empty()
    await maria.page.locator("#message-all_clear summary").click()
    await expect(maria.page.locator("#message-all_clear pre").first).to_be_visible()
    await maria.page.locator(".timeline .seq").first.click()
    await expect(maria.page.get_by_role("heading", level=1)).to_contain_text("Record ")
    await expect(maria.page.locator(".chip").first).to_have_text("pass")


async def test_a_review_is_read_as_a_document_and_signed_once(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.reverted)
    maria, jonas = await sign_in(served, cases.MARIA), await sign_in(served, cases.JONAS)
    await maria.open(f"/reviews/{INCIDENT}")
    await expect(maria.page.locator(".document h1")).to_have_text(f"Review of {INCIDENT}")
    await expect(maria.page.locator(".document table").first).to_contain_text("completed")
    await maria.page.get_by_role("button", name="Sign the review").click()
    await expect(maria.page.locator("#sign")).to_contain_text("You have signed.")
    await jonas.open(f"/reviews/{INCIDENT}")
    await expect(jonas.page.locator("#sign")).to_contain_text("Maria Keller")
    await expect(jonas.page.locator("#sign")).to_contain_text("You cannot sign here.")


async def test_the_whole_ledger_is_verified_at_a_click(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.reverted)
    maria = await sign_in(served, cases.MARIA)
    await maria.open("/ledger")
    await maria.page.get_by_role("link", name="Verify the whole chain").click()
    await expect(maria.page.get_by_role("heading", level=1)).to_have_text("Internally consistent")
    count = await served.world.deps.ledger.head() + 1
    await expect(maria.page.locator(".head")).to_contain_text(f"{count} records, no gap")


async def test_copying_gives_the_whole_digest(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.asked)
    maria = await sign_in(served, cases.MARIA)
    await maria.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await maria.open(f"/asks/{INCIDENT}-ask-1")
    await maria.page.get_by_role("button", name="copy").first.click()
    await expect(maria.page.get_by_role("button", name="copied")).to_be_visible()
    copied = await maria.page.evaluate("() => navigator.clipboard.readText()")
    assert served.world.story.ask is not None
    assert copied == served.world.story.ask.approval_digest


async def test_the_overview_lists_what_stands_still_for_those_who_may_move_it(serve: Serve, sign_in: SignIn) -> None:
    async def held(story: Story) -> None:
        await story.soaking()
        await story.stage_state(2, "held", "Waiting for the night shift", by="Maria Keller")

    served = await serve(held)
    jonas, amira = await sign_in(served, cases.JONAS), await sign_in(served, cases.AMIRA)
    await jonas.open("/")
    await expect(jonas.page.locator("#waiting")).to_contain_text(
        "support-assistant v7 stands still until somebody acts"
    )
    await jonas.page.get_by_role("link", name="See and act").click()
    await expect(jonas.page.locator("#command-resume")).to_be_visible()
    await amira.open("/")
    await expect(amira.page.get_by_role("heading", level=1)).to_have_text(
        "Nothing waits for you. One incident is running."
    )


async def test_the_overview_lists_reviews_until_they_are_signed(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.reverted)
    maria = await sign_in(served, cases.MARIA)
    await maria.open("/")
    await expect(maria.page.get_by_role("heading", level=1)).to_have_text("All calm. Only a signature waits for you.")
    await maria.page.get_by_role("link", name="Read and sign").click()
    await maria.page.get_by_role("button", name="Sign the review").click()
    await maria.open("/")
    await expect(maria.page.get_by_role("heading", level=1)).to_have_text("All calm. Nothing waits for you.")


async def test_lrn_3_people_write_a_part_and_open_an_action_on_the_page_of_the_review(
    serve: Serve, sign_in: SignIn
) -> None:
    served = await serve(Story.reverted)
    maria = await sign_in(served, cases.MARIA)
    await maria.open(f"/reviews/{INCIDENT}")
    parts = maria.page.locator("#parts")
    await parts.get_by_text("What happened").click()
    await parts.get_by_label("Tell it in order").fill("It should have been seen by the judge on the first day.")
    await parts.locator("details[open]").get_by_role("button", name="Save").click()
    await parts.get_by_text("What happened").click()
    await expect(parts.locator("[data-remark=counterfactual]")).to_contain_text("Say what was done instead")
    actions = maria.page.locator("#actions")
    await actions.get_by_text("Open an action").first.click()
    await actions.get_by_label("What has to be done").fill("Compare the judge with people every week")
    await actions.get_by_label("Due").fill(f"{datetime.now(UTC) + timedelta(days=300):%Y-%m-%d}")
    await actions.get_by_label("How it is checked").fill("Attach the comparison of 200 samples")
    await actions.get_by_role("button", name="Open the action").click()
    await expect(actions.locator("summary").first).to_contain_text("Compare the judge with people every week")
    await maria.open("/reviews")
    await expect(maria.page.locator("table")).to_contain_text("Compare the judge with people every week")
