"""CON-11: only a token of this provider, for us, of this sign-in, and not expired, says who somebody is."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.oidc import OidcProvider, ProviderUnavailable, SignedIn, SignInRefused
from adapters.oidc_settings import OidcSettings
from tests.adapters.people.provider_server import CLIENT, KEYS, SECRET, ProviderServer

BACK = "http://127.0.0.1:8800/sign-in/return"


@pytest.fixture
async def server() -> AsyncIterator[ProviderServer]:
    running = ProviderServer()
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
def provider(server: ProviderServer, tmp_path: Path) -> OidcProvider:
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    settings = OidcSettings(name="Test", issuer=server.issuer, client_id=CLIENT, client_secret_file=secret)
    return OidcProvider(settings, BACK)


async def sign_in(server: ProviderServer, provider: OidcProvider, verifier: str = "v" * 43) -> SignedIn:
    brought = server.consent(await provider.address("state", "nonce", "v" * 43))
    return await provider.sign_in(brought["code"], "nonce", verifier)


async def test_a_good_token_says_who_in_which_groups_and_how(server: ProviderServer, provider: OidcProvider) -> None:
    at = int(time.time()) - 30
    server.claims = {"acr": "phr", "amr": ["pwd", "mfa"], "auth_time": at}
    maria = await sign_in(server, provider)
    assert maria.subject == f"{server.issuer}|00u1maria"
    assert (maria.name, maria.groups) == ("Maria Keller", ("rollback-safety",))
    assert (maria.evidence.acr, maria.evidence.amr) == ("phr", ("pwd", "mfa"))
    assert maria.evidence.auth_time == datetime.fromtimestamp(at, UTC)


async def test_a_provider_that_says_nothing_about_the_way_is_recorded_as_such(
    server: ProviderServer, provider: OidcProvider
) -> None:
    assert (await sign_in(server, provider)).evidence.acr == "oidc"


FORGED: dict[str, tuple[dict[str, Any], str]] = {
    "another audience": ({"claims": {"aud": "another-app"}}, "aud"),
    "an audience for two that names the other one": ({"claims": {"aud": [CLIENT, "b"], "azp": "b"}}, "azp"),
    "another issuer": ({"claims": {"iss": "https://evil.example"}}, "iss"),
    "another nonce": ({"claims": {"nonce": "of another sign-in"}}, "nonce"),
    "no nonce": ({"claims": {"nonce": None}}, "nonce"),
    "expired": ({"claims": {"exp": 1_000_000_000}}, "expired"),
    "no end": ({"claims": {"exp": None}}, "exp"),
    "of the future": ({"claims": {"iat": 4_000_000_000}}, "iat|future"),
    "no subject": ({"claims": {"sub": None}}, "sub"),
    "unsigned": ({"header": {"alg": "none"}}, "none"),
    "signed with the public key as a secret": (
        {"header": {"alg": "HS256", "kid": "first"}},
        "HS256",
    ),
    "an algorithm that is not pinned": ({"header": {"alg": "RS512", "kid": "first"}}, "RS512"),
    "another key": ({"signing": KEYS["thief"]}, "signature"),
    "another key under its own name": ({"header": {"alg": "RS256", "kid": "thief"}, "signing": KEYS["thief"]}, "key"),
    "a subject that cannot be printed": ({"claims": {"sub": "maria\nkeller"}}, "cannot be part of a subject"),
    "groups that are no names": ({"claims": {"groups": [{"name": "rollback-safety"}]}}, "no list of names"),
    "a token of other tokens": ({"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}}, "at_hash"),
}


@pytest.mark.parametrize("forgery", FORGED)
async def test_a_forged_token_signs_nobody_in(server: ProviderServer, provider: OidcProvider, forgery: str) -> None:
    changes, says = FORGED[forgery]
    for name, value in changes.items():
        setattr(server, name, value)
    with pytest.raises(SignInRefused, match=f"(?i){says}"):
        await sign_in(server, provider)
    assert server.tokens == 1, "it was refused for the token and not before"


async def test_a_code_counts_once_and_only_with_the_verifier(server: ProviderServer, provider: OidcProvider) -> None:
    with pytest.raises(SignInRefused, match="400"):
        await sign_in(server, provider, verifier="w" * 43)
    brought = server.consent(await provider.address("state", "nonce", "v" * 43))
    await provider.sign_in(brought["code"], "nonce", "v" * 43)
    with pytest.raises(SignInRefused, match="400"):
        await provider.sign_in(brought["code"], "nonce", "v" * 43)


async def test_keys_that_changed_are_read_again_once(server: ProviderServer, provider: OidcProvider) -> None:
    await sign_in(server, provider)
    server.published, server.signing = ["first", "second"], KEYS["second"]
    server.header = {"alg": "RS256", "kid": "second"}
    await sign_in(server, provider)
    await sign_in(server, provider)
    assert server.key_reads == 2


async def test_groups_are_asked_at_userinfo_when_the_token_does_not_name_them(
    server: ProviderServer, provider: OidcProvider
) -> None:
    server.claims = {"groups": None}
    assert (await sign_in(server, provider)).groups == ()
    server.userinfo["groups"] = ["rollback-safety"]
    assert (await sign_in(server, provider)).groups == ("rollback-safety",)
    server.userinfo["sub"] = "00u2jonas"
    with pytest.raises(SignInRefused, match="somebody else"):
        await sign_in(server, provider)


async def test_the_secret_goes_the_way_that_the_provider_takes_it(
    server: ProviderServer, provider: OidcProvider
) -> None:
    await sign_in(server, provider)
    assert "client_secret" not in server.forms[-1]
    server.about = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    await sign_in(server, OidcProvider(provider.settings, BACK))
    assert server.forms[-1]["client_secret"] == SECRET


async def test_a_provider_of_another_name_or_that_is_down_signs_nobody_in(
    server: ProviderServer, provider: OidcProvider
) -> None:
    server.about = {"issuer": "https://evil.example"}
    with pytest.raises(ProviderUnavailable, match=r"calls itself 'https://evil.example'"):
        await provider.address("state", "nonce", "v" * 43)
    server.about, server.down = {}, True
    with pytest.raises(ProviderUnavailable, match="503"):
        await provider.address("state", "nonce", "v" * 43)
    server.down = False
    await provider.address("state", "nonce", "v" * 43)
