"""The file that names the identity provider: who it is, how we are known there, what of its tokens is accepted.

No file: people sign in with local accounts, on loopback. The client's secret is a reference to a file or to an
environment variable, never a value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from adapters.settings import LOOPBACK, Settings, SettingsInvalid

_ISSUER = r"^(https://[A-Za-z0-9.:/_-]+|http://(127\.0\.0\.1|localhost):\d{1,5}[A-Za-z0-9./_-]*)$"

#: Signatures with a public key only: with a shared secret whoever checks a token could also write one.
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class OidcSettings(BaseModel):
    """One OpenID Connect provider.

    name: on the button. issuer: exactly as tokens name it; the first part of every subject. groups_claim: where the
    groups of a person stand, in the ID token or at the userinfo address. local_accounts: whether passwords of this
    console work beside the provider; only on loopback.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=2, max_length=40)]
    issuer: Annotated[str, Field(pattern=_ISSUER)]
    client_id: Annotated[str, Field(min_length=1, max_length=200)]
    client_secret_file: Path | None = None
    client_secret_env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")] | None = None
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = ("RS256",)
    scopes: tuple[Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")], ...] = ("openid", "profile", "groups")
    groups_claim: Annotated[str, Field(min_length=1, max_length=200)] = "groups"
    local_accounts: bool = False

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.client_secret_file is not None and self.client_secret_env is not None:
            raise ValueError("client_secret_file and client_secret_env are both set; write one")
        if "openid" not in self.scopes:
            raise ValueError("scopes lacks 'openid'; without it no provider says who signed in")
        return self

    def client_secret(self, environment: Mapping[str, str] = os.environ) -> str | None:
        """The secret, read now; None for a client without one, which PKCE alone protects. Raises SettingsInvalid."""
        if self.client_secret_env is not None:
            secret = environment.get(self.client_secret_env, "").strip()
            where = f"the environment variable {self.client_secret_env}"
        elif self.client_secret_file is not None:
            where = str(self.client_secret_file)
            try:
                secret = self.client_secret_file.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise SettingsInvalid(f"{where}: {error.strerror}; put the client's secret there") from error
        else:
            return None
        if not secret:
            raise SettingsInvalid(f"{where} is empty; put the client's secret there")
        return secret


def oidc_settings(path: Path) -> OidcSettings | None:
    """The settings, or None when there is no file. A relative path of the secret is relative to the file.

    Raises SettingsInvalid with the place and what is accepted, also for a secret that cannot be read.
    """
    if not path.exists():
        return None
    try:
        found = OidcSettings.model_validate(YAML(typ="safe", pure=True).load(path.read_bytes()) or {})
    except YAMLError as error:
        raise SettingsInvalid(f"{path}: not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        # The whole file is not quoted: somebody may have written the secret itself into it.
        value = f" = {first['input']!r}" if first["loc"] and isinstance(first["input"], str) else ""
        raise SettingsInvalid(f"{path}: {where}{_masked(where, value)}: {first['msg']}") from error
    if found.client_secret_file is not None:
        found = found.model_copy(update={"client_secret_file": path.parent / found.client_secret_file})
    found.client_secret()
    return found


def refuse_open_door(settings: Settings, provider: OidcSettings | None) -> None:
    """Raise SettingsInvalid unless people beyond this machine may reach the console: TLS and a provider (CON-13)."""
    if settings.console_host in LOOPBACK:
        return
    lacking = []
    if settings.tls_certificate is None:
        lacking.append("TLS (COUNTERMAND_TLS_CERTIFICATE and COUNTERMAND_TLS_KEY)")
    if provider is None:
        lacking.append(f"an identity provider ({settings.oidc}, or COUNTERMAND_OIDC)")
    elif provider.local_accounts:
        lacking.append(f"`local_accounts: false` in {settings.oidc}, because passwords are for loopback")
    elif provider.issuer.startswith("http://"):
        lacking.append(f"an issuer with https in {settings.oidc}")
    if not settings.console_url.startswith("https://"):
        lacking.append(f"an https address in COUNTERMAND_CONSOLE_URL, not {settings.console_url!r}")
    if lacking:
        raise SettingsInvalid(
            f"COUNTERMAND_CONSOLE_HOST = {settings.console_host!r} is not loopback (127.0.0.1, ::1); "
            f"that needs {', and '.join(lacking)}"
        )


def _masked(where: str, value: str) -> str:
    return "" if re.search("secret", where) else value
