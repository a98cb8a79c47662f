"""Sign-in with an identity provider, in a browser and by hand; what it says about groups decides (CON-11, GOV-3)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.async_api import expect

from adapters.directory_file import FileDirectory
from adapters.directory_sources import SourcedDirectory
from adapters.oidc import OidcProvider
from adapters.oidc_groups import SignInGroups
from adapters.oidc_settings import OidcSettings
from console.auth import COOKIE
from console.pages_provider import COOKIE as LEAVING
from console.pages_provider import RETURN
from countermand.governance.directory import Governance
from countermand.ledger.bodies import DecisionMade
from countermand.ledger.record import Kind
from tests import cases
from tests.adapters.people import provider_server
from tests.adapters.people.provider_server import ProviderServer
from tests.console import okta
from tests.console.conftest import Person, Served
from tests.console.world import INCIDENT, PASSWORD, Story

ASK = f"/asks/{INCIDENT}-ask-1"
REASON = "Answers about prices are wrong; customers act on them."

Serve = Callable[..., Awaitable[Served]]
SignIn = Callable[..., Awaitable[Person]]


def use(served: Served, issuer: str, client: str, secret: str, tmp_path: Path, *, local_accounts: bool = False) -> None:
    """From now on people sign in to this console with that provider."""
    path = tmp_path / "client-secret"
    path.write_text(secret)
    settings = OidcSettings(
        name="Okta", issuer=issuer, client_id=client, client_secret_file=path, local_accounts=local_accounts
    )
    deps = replace(served.world.deps, provider=OidcProvider(settings, served.url + RETURN))
    served.server.config.app.state.console = deps  # type: ignore[union-attr]  # it is the application


# --- a whole sign-in, with groups ------------------------------------------------------------------------------


def governance(issuer: str) -> Governance:
    """The small world with Maria known by her account at the provider, whose groups say who is a safety lead."""
    document = cases.governance().model_dump(mode="json", by_alias=True)
    for person in document["people"]:
        person["roles"] = [role for role in person["roles"] if role != "safety_lead"]
    document["people"][0]["subject"] = f"{issuer}|{okta.PEOPLE['Maria']}"
    document["sources"] = {"safety_lead": {"oidc_groups": okta.GROUP}}
    return Governance.model_validate(document)


async def in_person(person: Person, path: str, *, name: str = "Maria") -> None:
    """Open a page that needs a session, and sign in at the provider."""
    await person.open(path)
    await person.page.get_by_role("link", name="Sign in with Okta").click()
    await person.page.get_by_role("button", name=name).click()


async def test_groups_at_the_provider_decide_who_may_decide(
    serve: Serve, sign_in: SignIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = okta.free_port()
    issuer = okta.issuer(port)

    async def asked(story: Story) -> None:
        story.people.governance = governance(issuer)
        await story.asked()

    served = await serve(asked)
    provider = okta.Okta.start(port, served.url + RETURN, tmp_path)
    if provider is None:
        pytest.skip("the emulator is not installed: npm ci --ignore-scripts --prefix tests/slack/emulator")
    try:
        use(served, issuer, okta.CLIENT, okta.SECRET, tmp_path)
        file = tmp_path / "governance.yaml"
        file.write_text(json.dumps(governance(issuer).model_dump(mode="json", by_alias=True)))
        groups = SignInGroups(served.world.deps.database)
        people = SourcedDirectory(FileDirectory(file), {"oidc_groups": groups})
        monkeypatch.setattr(served.world.story.people, "snapshot", people.snapshot)

        maria, elsewhere = await sign_in(served, None), await sign_in(served, None)
        await in_person(maria, ASK)
        await expect(maria.page).to_have_url(served.url + ASK)
        await expect(maria.page.locator(".who")).to_contain_text("Maria Example")

        provider.member("Maria", of_the_group=False)
        await in_person(elsewhere, "/")
        await expect(elsewhere.page.locator(".who")).to_contain_text("Maria Example")
        await maria.page.get_by_label("Reason").fill(REASON)
        await maria.page.get_by_role("button", name="Approve the rollback").click()
        await expect(maria.page.get_by_role("alert").first).to_contain_text("Not done: not your role.")
        assert served.world.story.state.votes == ()

        provider.member("Maria", of_the_group=True)
        await elsewhere.page.get_by_role("button", name="Sign out").click()
        await in_person(elsewhere, ASK)
        await elsewhere.page.get_by_label("Reason").fill(REASON)
        await elsewhere.page.get_by_role("button", name="Approve the rollback").click()
        await expect(elsewhere.page.locator("#decide")).to_contain_text("1 of 2 people approved")

        *_, record = await served.world.deps.ledger.records(kinds=[Kind.decision])
        decision = DecisionMade.model_validate(record.body).decision
        assert (decision.acr, decision.actor.subject) == ("oidc", f"{issuer}|{okta.PEOPLE['Maria']}")
        assert decision.actor.roles == ("product_owner", "safety_lead")
        assert decision.actor.role_source == "file:governance.yaml; oidc_groups:rollback-safety"
        assert decision.actor.role_as_of == (await groups.members(okta.GROUP)).members[decision.actor.subject]
    finally:
        provider.stop()


# --- what may come back ----------------------------------------------------------------------------------------


@pytest.fixture
async def provider() -> AsyncIterator[ProviderServer]:
    running = ProviderServer()
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def served(serve: Serve, provider: ProviderServer, tmp_path: Path) -> Served:
    """A console whose provider says what a test wants."""
    running = await serve()
    use(running, provider.issuer, provider_server.CLIENT, provider_server.SECRET, tmp_path)
    return running


@pytest.fixture
async def browser(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=served.url, timeout=60) as http:
        yield http


async def leave(browser: httpx.AsyncClient, provider: ProviderServer, next: str = "/ledger") -> dict[str, str]:
    """Go to the provider and sign in there; what it sends back."""
    answer = await browser.get("/sign-in/provider", params={"next": next})
    assert answer.status_code == 303
    return provider.consent(answer.headers["location"])


async def test_coming_back_starts_a_session_whose_cookie_is_strict(
    served: Served, browser: httpx.AsyncClient, provider: ProviderServer
) -> None:
    provider.claims = {"acr": "phr"}
    answer = await browser.get(RETURN, params=await leave(browser, provider))
    assert answer.status_code == 200
    assert "/sign-in?next=/ledger" in answer.text
    cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith(COOKIE)).lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    found = await served.world.deps.accounts.session(browser.cookies[COOKIE])
    assert found is not None
    assert (found.subject, found.evidence.acr) == (f"{provider.issuer}|00u1maria", "phr")
    assert (await browser.get("/ledger")).status_code == 200


async def test_the_cookie_of_leaving_is_short_lived_and_lax_and_the_values_differ(
    browser: httpx.AsyncClient, provider: ProviderServer
) -> None:
    answer = await browser.get("/sign-in/provider")
    cookie = answer.headers["set-cookie"].lower()
    assert LEAVING in cookie
    for flag in ("httponly", "samesite=lax", "max-age=600", "path=/sign-in"):
        assert flag in cookie
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    secret = browser.cookies[LEAVING].strip('"').partition(":")[0]
    assert len({asked["state"][0], asked["nonce"][0], asked["code_challenge"][0], secret}) == 4


@pytest.mark.parametrize(
    "forgery", ["state", "no state", "no cookie", "other cookie", "again", "iss", "error", "no code"]
)
async def test_an_answer_that_was_not_asked_for_signs_nobody_in(
    served: Served, browser: httpx.AsyncClient, provider: ProviderServer, forgery: str
) -> None:
    brought = await leave(browser, provider)
    if forgery == "state":
        brought["state"] = "x" * 43
    elif forgery == "no state":
        del brought["state"]
    elif forgery == "no cookie":
        browser.cookies.clear()
    elif forgery == "other cookie":
        await leave(browser, provider)  # another sign-in was begun in this browser since
    elif forgery == "again":
        await browser.get(RETURN, params=brought)
        browser.cookies.delete(COOKIE)
    elif forgery == "iss":
        brought["iss"] = "https://evil.example"
    elif forgery == "error":
        brought["error"] = "access_denied"
    elif forgery == "no code":
        del brought["code"]
    answer = await browser.get(RETURN, params=brought)
    assert answer.status_code == 403
    assert COOKIE not in browser.cookies
    assert "lease begin again" in answer.text
    assert (await browser.get("/ledger")).status_code == 303


async def test_a_token_of_another_sign_in_signs_nobody_in_and_the_page_does_not_say_why(
    browser: httpx.AsyncClient, provider: ProviderServer
) -> None:
    provider.claims = {"nonce": "of another sign-in"}
    answer = await browser.get(RETURN, params=await leave(browser, provider))
    assert (answer.status_code, COOKIE in browser.cookies) == (403, False)
    assert "does not prove who you are" in answer.text
    assert "nonce" not in answer.text


async def test_a_provider_that_is_down_is_said_and_nobody_is_signed_in(
    browser: httpx.AsyncClient, provider: ProviderServer
) -> None:
    provider.down = True
    answer = await browser.get("/sign-in/provider")
    assert answer.status_code == 503
    assert "does not answer as it should" in answer.text


async def test_only_pages_of_this_console_are_gone_back_to(
    browser: httpx.AsyncClient, provider: ProviderServer
) -> None:
    answer = await browser.get(RETURN, params=await leave(browser, provider, "//evil.example/"))
    assert "evil" not in answer.text


async def test_with_a_provider_passwords_and_sessions_of_local_accounts_open_nothing(
    served: Served, browser: httpx.AsyncClient
) -> None:
    accounts = served.world.deps.accounts
    page = await browser.get("/sign-in")
    assert "Sign in with Okta" in page.text
    assert "Password" not in page.text
    form = {"subject": "maria", "password": PASSWORD}
    assert (await browser.post("/sign-in", data=form)).status_code == 403
    assert (await browser.post("/api/v1/login", json=form)).status_code == 403
    token = (await accounts.issue_person_token(cases.MARIA)).token
    assert (await browser.get("/api/v1/whoami", headers={"Authorization": f"Bearer {token}"})).status_code == 401
    browser.cookies.set(COOKIE, await accounts.start_session(cases.MARIA))
    assert (await browser.get("/ledger")).status_code == 303
    assert (await browser.get("/sign-in")).status_code == 200, "no way round in circles"


async def test_local_accounts_that_are_switched_on_stand_beside_the_button(
    served: Served, browser: httpx.AsyncClient, provider: ProviderServer, tmp_path: Path
) -> None:
    use(served, provider.issuer, provider_server.CLIENT, provider_server.SECRET, tmp_path, local_accounts=True)
    page = await browser.get("/sign-in")
    assert "Sign in with Okta" in page.text
    assert "Password" in page.text
    assert (await browser.post("/sign-in", data={"subject": "maria", "password": PASSWORD})).status_code == 303


async def test_no_password_opens_the_account_of_somebody_whom_the_provider_signed_in(
    served: Served, browser: httpx.AsyncClient, provider: ProviderServer
) -> None:
    await browser.get(RETURN, params=await leave(browser, provider))
    subject = f"{provider.issuer}|00u1maria"
    for password in ("", "x", PASSWORD):
        assert await served.world.deps.accounts.authenticate(subject, password) is None


async def test_without_a_provider_its_addresses_do_not_exist(serve: Serve) -> None:
    running = await serve()
    async with httpx.AsyncClient(base_url=running.url, timeout=60) as http:
        assert (await http.get("/sign-in/provider")).status_code == 404
        assert (await http.get(RETURN)).status_code == 404
        assert "Sign in with" not in (await http.get("/sign-in")).text
