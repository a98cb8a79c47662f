"""Signing in and out, and every way in which somebody else's page could act with our session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
from playwright.async_api import expect

from console.attempts import FAILURES, WINDOW, Attempts
from console.auth import COOKIE, csrf_of
from console.pages_sign_in import local
from countermand.ledger.record import Kind
from tests import cases
from tests.console.conftest import Person, Served
from tests.console.world import BASE, INCIDENT, PASSWORD, Story

ASK = f"/asks/{INCIDENT}-ask-1"

Serve = Callable[..., Awaitable[Served]]
SignIn = Callable[..., Awaitable[Person]]


async def client(served: Served, subject: str = cases.MARIA) -> tuple[httpx.AsyncClient, str]:
    token = await served.world.deps.accounts.start_session(subject)
    return httpx.AsyncClient(base_url=served.url, cookies={COOKIE: token}), csrf_of(token)


@pytest.mark.parametrize(
    ("headers", "with_token"),
    [
        ({"origin": "https://evil.example"}, True),
        ({"origin": "null"}, True),
        ({"sec-fetch-site": "cross-site"}, True),
        ({}, False),
    ],
)
async def test_a_forged_form_is_refused_and_nothing_is_recorded(
    serve: Serve, headers: dict[str, str], with_token: bool
) -> None:
    served = await serve(Story.asked)
    http, csrf = await client(served)
    before = await served.world.deps.ledger.head()
    form = {"kind": "reject", "reason": "a long enough reason", "csrf": csrf if with_token else "0" * 64}
    async with http:
        answer = await http.post(f"{ASK}/decision", data=form, headers=headers)
    assert answer.status_code == 403
    assert "This was not done" in answer.text
    assert await served.world.deps.ledger.head() == before


async def test_get_and_head_change_nothing(serve: Serve) -> None:
    served = await serve(Story.asked)
    http, _ = await client(served)
    before = await served.world.deps.ledger.head()
    async with http:
        for path in (f"{ASK}/decision?kind=approve&reason=long%20enough%20reason", "/sign-out", ASK):
            await http.get(path)
            await http.head(path)
        assert (await http.get("/")).status_code == 200
    assert await served.world.deps.ledger.head() == before
    assert not await served.world.deps.ledger.records(kinds=[Kind.decision])


async def test_pages_need_a_session_and_lead_back_after_signing_in(serve: Serve) -> None:
    served = await serve(Story.asked)
    async with httpx.AsyncClient(base_url=served.url, timeout=60) as http:
        for path in ("/", ASK, f"/incidents/{INCIDENT}", "/ledger", "/ledger/verify", "/events"):
            answer = await http.get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={path}")


async def test_a_link_from_another_site_arrives_signed_in(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.asked)
    maria = await sign_in(served, cases.MARIA)
    await maria.page.goto(served.url.replace("127.0.0.1", "localhost") + "/sign-in")
    link = "address => { const a = document.createElement('a'); a.href = address; document.body.append(a); a.click(); }"
    await maria.page.evaluate(link, served.url + ASK)
    await expect(maria.page).to_have_url(served.url + ASK)
    await expect(maria.page.get_by_role("heading", level=1)).to_contain_text("Roll back")


async def test_a_wrong_password_says_nothing_about_the_account_and_keeps_the_name(serve: Serve) -> None:
    served = await serve()
    async with httpx.AsyncClient(base_url=served.url, timeout=60) as http:
        wrong = await http.post("/sign-in", data={"subject": "maria", "password": "nothing like it"})
        nobody = await http.post("/sign-in", data={"subject": "nobody", "password": "nothing like it"})
    assert (wrong.status_code, nobody.status_code) == (401, 401)
    assert 'value="maria"' in wrong.text
    assert wrong.text.replace("maria", "nobody") == nobody.text


async def test_sign_in_goes_to_local_pages_only_and_sign_out_ends_the_session(serve: Serve) -> None:
    served = await serve()
    async with httpx.AsyncClient(base_url=served.url, timeout=60) as http:
        form = {"subject": "maria", "password": PASSWORD, "next": "//evil.example/"}
        answer = await http.post("/sign-in", data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        token = http.cookies[COOKIE]
        assert (await http.get("/")).status_code == 200
        await http.post("/sign-out", data={"csrf": csrf_of(token)})
        http.cookies.set(COOKIE, token)
        answer = await http.get("/")
        assert answer.status_code == 303


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/\t/evil.example", ""]
)
def test_only_paths_of_this_console_are_followed(path: str) -> None:
    assert local(path) == "/"


def test_guessing_is_stopped_per_account_and_goes_on_after_a_while() -> None:
    attempts = Attempts()
    for second in range(FAILURES):
        assert not attempts.blocked("local|maria", BASE)
        attempts.failed("local|maria", BASE + timedelta(seconds=second))
    assert attempts.blocked("local|maria", BASE + timedelta(seconds=20))
    assert not attempts.blocked("local|jonas", BASE + timedelta(seconds=20))
    assert not attempts.blocked("local|maria", BASE + WINDOW + timedelta(seconds=20))


async def test_a_blocked_account_is_told_to_wait_even_with_the_right_password(serve: Serve) -> None:
    served = await serve()
    attempts = Attempts()
    served.server.config.app.state.attempts = attempts
    for _ in range(FAILURES):
        attempts.failed(f"{cases.MARIA}@127.0.0.1", served.world.deps.clock())
    async with httpx.AsyncClient(base_url=served.url, timeout=60) as http:
        answer = await http.post("/sign-in", data={"subject": "maria", "password": PASSWORD})
    assert answer.status_code == 429
    assert "wait five minutes" in answer.text
