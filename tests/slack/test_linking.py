"""Linking a Slack user to an account, `/countermand`, and the App Home (SLK-24, SLK-25, SLK-27; T4)."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import httpx

from adapters.slack_links import CODE_LIFE, SlackLinks, SlackUser
from console.auth import COOKIE, csrf_of
from tests import cases
from tests.console.world import INCIDENT
from tests.slack.conftest import TEAM, Bench, Start
from tests.slack.human import words
from tests.waiting import until


async def offered(bench: Bench, name: str) -> str:
    """The path of the address that `/countermand link` gives."""
    said = await bench.human(name).type("link")
    assert said["response_type"] == "ephemeral"
    found = re.search(r"<(http://[^|]+)\|", words(said["blocks"]))
    assert found is not None
    return found[1].removeprefix(bench.url)


async def visit(bench: Bench, path: str, subject: str | None, **form: str) -> httpx.Response:
    cookies = {}
    if subject is not None:
        token = await bench.world.deps.accounts.start_session(subject)
        cookies[COOKIE] = token
        form = {name: csrf_of(token) if value == "own" else value for name, value in form.items()}
    async with httpx.AsyncClient(base_url=bench.url, cookies=cookies) as browser:
        return await (browser.post(path, data=form) if form else browser.get(path))


def links_of(bench: Bench) -> SlackLinks:
    return SlackLinks(bench.world.deps.database, bench.world.deps.clock)


def user_of(bench: Bench, name: str) -> SlackUser:
    return SlackUser(team_id=TEAM, user_id=bench.workspace.users[name])


async def test_a_person_links_their_slack_user_once_and_decides_with_it(slack: Start) -> None:
    bench = await slack(linked=False)
    path = await offered(bench, "maria")
    page = await visit(bench, path, cases.MARIA)
    assert page.status_code == 200
    assert bench.workspace.users["maria"] in page.text
    assert "Confirm only if you have just typed" in page.text
    assert await links_of(bench).subject(user_of(bench, "maria")) is None, "looking changes nothing"
    assert "now decides as Maria Keller" in (await visit(bench, path, cases.MARIA, csrf="own")).text
    assert await links_of(bench).subject(user_of(bench, "maria")) == cases.MARIA
    again = await visit(bench, path, cases.JONAS, csrf="own")
    assert again.status_code == 404
    assert await links_of(bench).subject(user_of(bench, "maria")) == cases.MARIA
    await bench.show()
    said = await bench.human("maria").decides(bench.card(), "approve", "Confirmed in three transcripts.")
    assert "1 of 2" in said


async def test_the_address_gives_nothing_to_somebody_who_is_not_signed_in_or_forges_the_form(slack: Start) -> None:
    bench = await slack(linked=False)
    path = await offered(bench, "maria")
    anonymous = await visit(bench, path, None)
    assert anonymous.status_code == 303
    assert anonymous.headers["location"].startswith("/sign-in?next=/slack/link/")
    assert (await visit(bench, path, cases.MARIA, csrf="wrong")).status_code == 403
    assert (await visit(bench, path, None, csrf="wrong")).status_code in (303, 403)
    assert await links_of(bench).subject(user_of(bench, "maria")) is None


async def test_an_address_that_is_old_replaced_or_made_up_links_nobody(slack: Start) -> None:
    bench = await slack(linked=False)
    first, second = await offered(bench, "maria"), await offered(bench, "maria")
    assert (await visit(bench, first, cases.MARIA)).status_code == 404
    clock = bench.world.deps.clock
    clock.set(clock() + CODE_LIFE + timedelta(seconds=1))  # type: ignore[attr-defined]
    assert (await visit(bench, second, cases.MARIA, csrf="own")).status_code == 404
    assert (await visit(bench, "/slack/link/made-up", cases.MARIA)).status_code == 404
    assert await links_of(bench).subject(user_of(bench, "maria")) is None


async def test_guests_and_foreigners_get_no_address(slack: Start) -> None:
    bench = await slack(linked=False)
    maria = bench.human("maria")
    bench.proxy.flags[maria.user] = {"is_restricted": True}
    assert "guests" in words((await maria.type("link"))["blocks"])
    maria.team = "T0FOREIGN"
    assert "not one of those that may decide" in words((await maria.type("link"))["blocks"])


async def test_the_command_looks_and_never_decides(slack: Start) -> None:
    bench = await slack()
    maria, lena = bench.human("maria"), bench.human("lena")
    assert "mine: requests that wait" in words((await maria.type("help"))["blocks"])
    assert "1 running" in words((await maria.type("status"))["blocks"])
    assert f"{INCIDENT}-ask-1" in words((await maria.type("mine"))["blocks"])
    assert INCIDENT in words((await maria.type(f"incident {INCIDENT}"))["blocks"])
    assert "There is no incident" in words((await maria.type("incident <!channel>"))["blocks"])
    assert "There is no 'approve'" in words((await maria.type(f"approve {INCIDENT}-ask-1"))["blocks"])
    assert "nobody knows yet" in words((await lena.type("status"))["blocks"]), "nothing internal for strangers"
    assert bench.world.story.state.votes == ()
    hostile = await maria.type("<!channel> \u202e *x*")
    assert "<!channel>" not in json.dumps(hostile, ensure_ascii=False)


async def test_the_home_shows_what_waits_and_deciding_starts_there_too(slack: Start) -> None:
    bench = await slack()
    maria = bench.human("maria")

    async def opens(name: str) -> str:
        bench.proxy.calls.clear()
        event = {"type": "app_home_opened", "user": bench.workspace.users[name], "tab": "home", "channel": "D1"}
        body = {"type": "event_callback", "team_id": TEAM, "event": event, "event_id": "Ev1", "api_app_id": "A1"}
        answer = await maria.deliver(json.dumps(body), content_type="application/json")
        assert answer.status_code == 200

        async def published() -> str | None:
            calls = bench.proxy.of("views.publish")
            return words(calls[-1].arguments["view"]["blocks"]) if calls else None

        return await until(published, f"a home for {name}", within=20)

    shown = await opens("maria")
    assert "Roll back support-assistant v7 to support-assistant v6?" in shown
    view = bench.proxy.of("views.publish")[-1].arguments["view"]
    await maria.press({"channel": bench.channel, "blocks": view["blocks"]}, "approve")
    assert (await maria.dialog())["title"]["text"] == "Approve the rollback"
    assert "You cannot decide here" in await opens("lena")
