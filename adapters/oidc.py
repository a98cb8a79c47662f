"""Sign-in with an OpenID Connect provider: authorization code with PKCE, and every check of the ID token (CON-11).

OpenID Connect Core 1.0 §3.1, RFC 7636 (PKCE), RFC 9207 (`iss` in the answer).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]  # the library has no types
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # type: ignore[import-untyped]  # as above
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]  # as above
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]  # as above
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from adapters.accounts import Evidence
from adapters.database import utc_now
from adapters.oidc_settings import OidcSettings
from countermand.governance.directory import Subject
from countermand.plan.target import Value

#: Seconds for one call of the provider, and bytes of one answer.
TIMEOUT = 5.0
MAX_ANSWER = 1_048_576
#: What a provider says about itself, its keys included, is read again after so long.
METADATA_LIFE = timedelta(hours=1)
#: Seconds by which its clock may differ from ours.
LEEWAY = 60
#: `acr` of a person whose provider does not say how they signed in.
UNSAID = "oidc"

_SUBJECT: TypeAdapter[str] = TypeAdapter(Subject)


class ProviderUnavailable(Exception):
    """The provider does not answer, or not as OpenID Connect asks; nobody was signed in."""


class SignInRefused(Exception):
    """What came back does not prove who signed in. The message is for the log, not for the browser."""


class SignedIn(Value):
    """A person, as the provider knows them at this sign-in."""

    subject: str
    name: str
    groups: tuple[str, ...]
    evidence: Evidence
    at: datetime


class _Metadata(BaseModel):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] = Field(default_factory=lambda: ["client_secret_basic"])


class OidcProvider:
    """One provider. `redirect_uri` is our address that it sends people back to, as registered there."""

    def __init__(self, settings: OidcSettings, redirect_uri: str, clock: Callable[[], datetime] = utc_now) -> None:
        self.settings = settings
        self._redirect_uri = redirect_uri
        self._clock = clock
        self._metadata: tuple[float, _Metadata] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def address(self, state: str, nonce: str, verifier: str) -> str:
        """Where the browser goes to sign in. Raises ProviderUnavailable."""
        about = await self._about()
        address: str = prepare_grant_uri(
            about.authorization_endpoint,
            client_id=self.settings.client_id,
            response_type="code",
            redirect_uri=self._redirect_uri,
            scope=list(self.settings.scopes),
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return address

    async def sign_in(self, code: str, nonce: str, verifier: str) -> SignedIn:
        """Exchange the code and check what it gives. Raises ProviderUnavailable or SignInRefused."""
        about = await self._about()
        tokens = await self._exchange(about, code, verifier)
        claims = await self._checked(about, tokens, nonce)
        try:
            subject = _SUBJECT.validate_python(f"{self.settings.issuer}|{claims['sub']}")
        except ValidationError as error:
            raise SignInRefused(f"sub = {claims['sub']!r} cannot be part of a subject") from error
        now = self._clock()
        return SignedIn(
            subject=subject,
            name=_name(claims),
            groups=await self._groups(about, claims, str(tokens.get("access_token", ""))),
            evidence=Evidence(
                acr=str(claims.get("acr") or UNSAID),
                amr=tuple(str(method) for method in claims.get("amr") or ()),
                auth_time=datetime.fromtimestamp(claims["auth_time"], UTC) if claims.get("auth_time") else None,
            ),
            at=now,
        )

    # --- tokens -------------------------------------------------------------------------------------------------

    async def _exchange(self, about: _Metadata, code: str, verifier: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "client_id": self.settings.client_id,
            "code_verifier": verifier,
        }
        secret, basic = self.settings.client_secret(), None
        if secret is not None and "client_secret_post" in about.token_endpoint_auth_methods_supported:
            form["client_secret"] = secret
        elif secret is not None:
            basic = httpx.BasicAuth(self.settings.client_id, secret)
        answer = await self._call("POST", about.token_endpoint, data=form, auth=basic)
        if answer.status_code != 200:
            raise SignInRefused(f"the token endpoint answered {answer.status_code}")
        return _object(answer)

    async def _checked(self, about: _Metadata, tokens: dict[str, Any], nonce: str) -> dict[str, Any]:
        """The claims of an ID token that is the provider's, for us, of this sign-in, and not expired."""
        raw = tokens.get("id_token")
        if not isinstance(raw, str):
            raise SignInRefused("the token endpoint gave no ID token")
        algorithms = list(self.settings.algorithms)
        pinned = {
            "iss": {"essential": True, "value": self.settings.issuer},
            "aud": {"essential": True, "value": self.settings.client_id},
            "nonce": {"essential": True, "value": nonce},
        }
        context = {"nonce": nonce, "client_id": self.settings.client_id, "access_token": tokens.get("access_token")}
        try:
            try:
                token = jwt.decode(raw, await self._key_set(about), algorithms=algorithms)
            except InvalidKeyIdError:
                token = jwt.decode(raw, await self._key_set(about, anew=True), algorithms=algorithms)
            claims = CodeIDToken(token.claims, token.header, pinned, context)
            claims.validate(now=int(self._clock().timestamp()), leeway=LEEWAY)
        except (JoseError, AuthlibBaseError, ValueError, TypeError) as error:
            raise SignInRefused(f"ID token: {error}") from error
        return dict(claims)

    async def _groups(self, about: _Metadata, claims: dict[str, Any], access_token: str) -> tuple[str, ...]:
        """The groups of the person; none when the provider names none."""
        claim = self.settings.groups_claim
        if claim not in claims and about.userinfo_endpoint and access_token:
            bearer = {"Authorization": f"Bearer {access_token}"}
            said = _object(await self._call("GET", about.userinfo_endpoint, headers=bearer))
            if said.get("sub") != claims["sub"]:
                raise SignInRefused("userinfo is about somebody else than the ID token")
            claims = said
        groups = claims.get(claim, [])
        if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
            raise SignInRefused(f"{claim} = {groups!r} is no list of names")
        return tuple(groups)

    # --- the provider ---------------------------------------------------------------------------------------------

    async def _about(self) -> _Metadata:
        if self._metadata is not None and time.monotonic() - self._metadata[0] < METADATA_LIFE.total_seconds():
            return self._metadata[1]
        issuer = self.settings.issuer
        answer = await self._call("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        try:
            about = _Metadata.model_validate(_object(answer))
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise ProviderUnavailable(f"{issuer}: its configuration cannot be used: {where}") from error
        if about.issuer != issuer:
            raise ProviderUnavailable(f"{issuer} calls itself {about.issuer!r}; write that as `issuer`, or correct it")
        endpoints = (about.authorization_endpoint, about.token_endpoint, about.jwks_uri, about.userinfo_endpoint)
        for endpoint in endpoints:
            if endpoint is not None and issuer.startswith("https://") and not endpoint.startswith("https://"):
                raise ProviderUnavailable(f"{issuer}: {endpoint!r} is not https")
        self._metadata = time.monotonic(), about
        return about

    async def _key_set(self, about: _Metadata, *, anew: bool = False) -> KeySet:
        """The provider's public keys; `anew` when a token names one that is not among them."""
        known = self._keys
        if known is not None and not anew and time.monotonic() - known[0] < METADATA_LIFE.total_seconds():
            return known[1]
        answer = _object(await self._call("GET", about.jwks_uri))
        try:
            keys = KeySet.import_key_set({"keys": answer.get("keys", [])})
        except (JoseError, ValueError, KeyError) as error:
            raise ProviderUnavailable(f"{about.jwks_uri}: these keys cannot be used: {error}") from error
        self._keys = time.monotonic(), keys
        return keys

    async def _call(self, method: str, address: str, **sent: Any) -> httpx.Response:
        """One call. Raises ProviderUnavailable when it is not answered, in time and size."""
        loopback = self.settings.issuer.startswith("http://")
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=not loopback) as http:
                answer = await http.request(method, address, **sent)
        except httpx.HTTPError as error:
            raise ProviderUnavailable(f"{address}: {type(error).__name__} {error}".strip()) from error
        if answer.status_code >= 500 or len(answer.content) > MAX_ANSWER:
            raise ProviderUnavailable(f"{address} answered {answer.status_code} with {len(answer.content)} bytes")
        return answer


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError as error:
        raise ProviderUnavailable(f"{answer.request.url.path}: the answer is not JSON") from error
    if answer.status_code != 200 or not isinstance(said, dict):
        raise ProviderUnavailable(f"{answer.request.url.path} answered {answer.status_code} and no JSON object")
    return said


def _name(claims: dict[str, Any]) -> str:
    said = claims.get("name") or claims.get("preferred_username") or claims["sub"]
    return str(said).strip()[:80]
