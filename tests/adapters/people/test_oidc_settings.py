"""CON-11, CON-13: what the provider's file may say, and when the console may be reached from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adapters.oidc_settings import OidcSettings, oidc_settings, refuse_open_door
from adapters.settings import Settings, SettingsInvalid

ROOT = Path(__file__).parents[3]
GOOD = "name: Okta\nissuer: https://example.okta.com/oauth2/default\nclient_id: countermand\n"


def read(tmp_path: Path, text: str) -> OidcSettings | None:
    (tmp_path / "oidc.yaml").write_text(text)
    return oidc_settings(tmp_path / "oidc.yaml")


def test_without_a_file_there_is_no_provider(tmp_path: Path) -> None:
    assert oidc_settings(tmp_path / "oidc.yaml") is None


def test_a_short_file_pins_rs256_and_switches_local_accounts_off(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert found is not None
    assert (found.algorithms, found.local_accounts, found.client_secret()) == (("RS256",), False, None)


def test_the_secret_is_read_from_a_file_beside_or_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hidden\n")
    found = read(tmp_path, GOOD + "client_secret_file: secret\n")
    assert found is not None
    assert found.client_secret() == "hidden"
    by_name = OidcSettings.model_validate({**found.model_dump(), "client_secret_file": None, "client_secret_env": "S"})
    assert by_name.client_secret({"S": "of the environment"}) == "of the environment"
    assert "hidden" not in repr(found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace("https://example.okta.com", "http://example.okta.com"), "issuer = 'http://example.okta.com"),
        (GOOD.replace("https://example.okta.com", "http://127.0.0.1"), "issuer"),
        (GOOD.replace("default", "default?tenant=1"), "issuer"),
        (GOOD + "algorithms: [HS256]\n", "algorithms.0 = 'HS256'"),
        (GOOD + "algorithms: [none]\n", "algorithms.0 = 'none'"),
        (GOOD + "algorithms: []\n", "algorithms"),
        (GOOD + "scopes: [profile]\n", "openid"),
        (GOOD + "client_secret_file: missing\n", "put the client's secret there"),
        (GOOD + "client_secret_file: empty\n", "is empty"),
        (GOOD + "client_secret_env: OIDC_NOT_SET_ANYWHERE\n", "is empty"),
        (GOOD + "client_secret_env: A\nclient_secret_file: empty\n", "write one"),
        (GOOD + "locl_accounts: true\n", "locl_accounts"),
        ("- a\n", "the file"),
        ("name: [\n", "not YAML"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_what_is_accepted(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(SettingsInvalid, match=re.escape(says)):
        read(tmp_path, text)


def test_a_secret_that_was_written_into_the_file_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="client_secret") as error:
        read(tmp_path, GOOD + "client_secret: hunter2hunter2\n")
    assert "hunter2" not in str(error.value)


def settings(tmp_path: Path, **environment: str) -> Settings:
    named = {f"COUNTERMAND_{name}": value for name, value in environment.items()}
    return Settings.from_environment({"COUNTERMAND_DATA": str(tmp_path), **named})


TLS = {"TLS_CERTIFICATE": "/etc/tls/console.pem", "TLS_KEY": "/etc/tls/console.key"}
PUBLIC = {"CONSOLE_HOST": "0.0.0.0", "CONSOLE_URL": "https://console.example.com", **TLS}  # noqa: S104  # refused without more


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_loopback_nothing_more_is_needed(tmp_path: Path, host: str) -> None:
    refuse_open_door(settings(tmp_path, CONSOLE_HOST=host), None)


@pytest.mark.parametrize(
    ("lacking", "says"),
    [
        ("TLS", "COUNTERMAND_TLS_CERTIFICATE and COUNTERMAND_TLS_KEY"),
        ("provider", "an identity provider"),
        ("local", "`local_accounts: false`"),
        ("https", "an issuer with https"),
        ("address", "an https address in COUNTERMAND_CONSOLE_URL, not 'http://console.example.com'"),
    ],
)
def test_con_13_beyond_loopback_everything_is_needed(tmp_path: Path, lacking: str, says: str) -> None:
    text = GOOD + ("local_accounts: true\n" if lacking == "local" else "")
    text = text.replace("https://example.okta.com", "http://localhost:4006") if lacking == "https" else text
    provider = None if lacking == "provider" else read(tmp_path, text)
    public = {name: value for name, value in PUBLIC.items() if lacking != "TLS" or name not in TLS}
    public |= {"CONSOLE_URL": "http://console.example.com"} if lacking == "address" else {}
    with pytest.raises(SettingsInvalid, match=re.escape(says)) as error:
        refuse_open_door(settings(tmp_path, **public), provider)
    assert ", and " not in str(error.value), "one thing is lacking, and one is named"


def test_con_13_with_tls_and_a_provider_the_console_may_be_reached_from_elsewhere(tmp_path: Path) -> None:
    refuse_open_door(settings(tmp_path, **PUBLIC), read(tmp_path, GOOD))


def test_a_certificate_without_its_key_is_refused_and_both_make_the_address_https(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="belong together"):
        settings(tmp_path, TLS_KEY="key.pem")
    assert settings(tmp_path, **TLS).console_url == "https://127.0.0.1:8800"


def test_the_guide_names_every_setting_and_shows_a_file_that_works(tmp_path: Path) -> None:
    guide = (ROOT / "docs/sign-in.md").read_text(encoding="utf-8")
    (block,) = [one for one in re.findall(r"```yaml\n(.*?)```", guide, flags=re.DOTALL) if "issuer:" in one]
    (tmp_path / "oidc-secret").write_text("x")
    assert read(tmp_path, block) is not None
    for name in OidcSettings.model_fields:
        assert f"`{name}`" in guide or re.search(rf"^(# )?{name}:", block, flags=re.MULTILINE), name
