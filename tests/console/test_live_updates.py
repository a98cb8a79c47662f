"""What moves by itself, what happens to an open form, and what a broken stream looks like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from playwright.async_api import expect

from tests import cases
from tests.console.conftest import Person, Served
from tests.console.world import INCIDENT, RELEASE, Story

Serve = Callable[..., Awaitable[Served]]
SignIn = Callable[..., Awaitable[Person]]


async def test_the_stage_bar_moves_without_a_reload(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.soaking)
    maria = await sign_in(served, cases.MARIA)
    await maria.open(f"/incidents/{INCIDENT}")
    stage = maria.page.locator(".stage").nth(1)
    await expect(stage).to_contain_text("soaking")
    await expect(maria.page.locator("#live")).to_have_text("Live")
    await maria.page.evaluate("() => { window.stayed = true; }")
    await served.world.story.stage_state(2, "completed", "candidate at 25 % of users, all checks passed.")
    await expect(stage).to_contain_text("completed")
    await expect(maria.page.get_by_role("heading", level=1)).to_contain_text("Stage 2 of 3 is complete")
    assert await maria.page.evaluate("() => window.stayed") is True


LOOKED_AT = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


async def test_tabs_that_nobody_looks_at_keep_no_connection_and_catch_up_when_looked_at(
    serve: Serve, sign_in: SignIn
) -> None:
    served = await serve(Story.soaking)
    maria = await sign_in(served, cases.MARIA)
    # A browser has six connections to one address: a seventh tab would wait for ever.
    tabs = [maria.page, *[await maria.context.new_page() for _ in range(6)]]
    for tab in tabs:
        await tab.goto(f"{served.url}/incidents/{INCIDENT}", timeout=10_000)
        await expect(tab.locator("#live")).to_have_text("Live")
        await tab.evaluate("() => { window.stayed = true; }")
        await tab.evaluate(LOOKED_AT, True)
        await tab.wait_for_timeout(1_200)
    await served.world.story.stage_state(2, "completed", "candidate at 25 % of users, all checks passed.")
    await maria.page.evaluate(LOOKED_AT, False)
    await expect(maria.page.locator(".stage").nth(1)).to_contain_text("completed")
    await expect(maria.page.locator("#live")).to_have_text("Live")
    assert await maria.page.evaluate("() => window.stayed") is True


async def test_a_reason_being_typed_survives_the_refresh(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.soaking)
    maria = await sign_in(served, cases.MARIA)
    await maria.open(f"/incidents/{INCIDENT}")
    await expect(maria.page.locator("#live")).to_have_text("Live")
    await maria.page.locator("#command-hold summary").click()
    await maria.page.locator("#command-hold textarea").fill("Waiting for the night shift")
    await served.world.story.stage_state(2, "held", "somebody else held it", by="Jonas Weber")
    await expect(maria.page.locator("#commands [data-changed]")).to_be_visible()
    await expect(maria.page.locator("#command-hold textarea")).to_have_value("Waiting for the night shift")
    await expect(maria.page.locator(".stage").nth(1)).to_contain_text("held")


async def test_a_command_is_given_with_a_reason_and_its_arrival_is_shown(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.soaking)
    maria = await sign_in(served, cases.MARIA)
    await maria.open(f"/incidents/{INCIDENT}")
    await expect(maria.page.locator("#commands")).to_contain_text("Only Jonas Weber can do this.")
    await expect(maria.page.locator("#command-resume")).to_have_count(0)
    await maria.page.locator("#command-hold summary").click()
    await maria.page.locator("#command-hold textarea").fill("Waiting for the night shift")
    await maria.page.get_by_role("button", name="Hold now").click()
    await expect(maria.page.locator(".notice.good")).to_contain_text("Received at")
    await expect(maria.page.locator(".stage").nth(1)).to_contain_text("held")
    await expect(maria.page.locator("#commands")).to_contain_text("Resume")
    assert [command.reason for command in served.world.workflows.commands] == ["Waiting for the night shift"]


async def test_a_page_whose_stream_is_cut_says_so(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.asked)
    maria = await sign_in(served, cases.MARIA)
    await maria.open("/")
    await expect(maria.page.locator("#live")).to_have_text("Live")
    await served.stop()
    await expect(maria.page.locator("#live")).to_contain_text("Live updates lost, last 03:14:")
    await expect(maria.page.locator("#live")).to_have_attribute("data-state", "lost")


async def test_charts_are_drawn_and_follow_new_rows(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.asked)
    maria = await sign_in(served, cases.MARIA)
    await maria.open(f"/releases/{RELEASE}")
    await expect(maria.page.locator(".plot canvas")).to_have_count(5)
    await expect(maria.page.locator("#live")).to_have_text("Live")
    await expect(maria.page.locator("figcaption").first).to_contain_text("it triggers at")
    signals = served.world.deps.signals
    seq, newest = (await signals.newest_evaluations())[RELEASE]
    async with maria.page.expect_response("**/series.json"):
        await signals.put_evaluations(RELEASE, {seq + 1: newest | {"sentence": "A new sentence."}})
    await expect(maria.page.locator("#verdict")).to_contain_text("A new sentence.")
