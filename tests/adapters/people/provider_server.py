"""An OpenID Connect provider on loopback that signs whatever a test tells it to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT, SECRET = "countermand", "client-secret"
KEYS = {name: RSAKey.generate_key(2048, {"kid": name, "use": "sig"}) for name in ("first", "second", "thief")}


class ProviderServer:
    """`claims` change the ID token (None takes a claim away), `header` its header, `signing` the key.

    `published` names the keys that everybody can read; HS256 is signed with the public key, as an attacker does.
    `about` changes the configuration, `userinfo` is said there; `tokens` and `key_reads` count.
    """

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "first"}
        self.signing: Any = KEYS["first"]
        self.published = ["first"]
        self.about: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {"sub": "00u1maria"}
        self.down = False
        self.tokens = 0
        self.key_reads = 0
        self.forms: list[dict[str, str]] = []
        self._codes: dict[str, dict[str, str]] = {}
        self.issuer = ""
        app = web.Application()
        app.router.add_get("/oidc/.well-known/openid-configuration", self._configuration)
        app.router.add_get("/oidc/keys", self._keys)
        app.router.add_post("/oidc/token", self._token)
        app.router.add_get("/oidc/userinfo", self._userinfo)
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.issuer = f"http://127.0.0.1:{self._runner.addresses[0][1]}/oidc"

    async def stop(self) -> None:
        await self._runner.cleanup()

    def consent(self, address: str) -> dict[str, str]:
        """The person signs in at `address`; what the browser brings back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self._codes)}"
        self._codes[code] = asked
        return {"code": code, "state": asked["state"]}

    async def _configuration(self, _: web.Request) -> web.Response:
        if self.down:
            return web.Response(status=503)
        said = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
        }
        return web.json_response(said | self.about)

    async def _keys(self, _: web.Request) -> web.Response:
        self.key_reads += 1
        return web.json_response(KeySet([KEYS[name] for name in self.published]).as_dict(private=False))

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append(form)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        known = request.headers.get("Authorization") == f"Basic {basic}" or form.get("client_secret") == SECRET
        asked = self._codes.pop(form["code"], None)
        challenge = hashlib.sha256(form["code_verifier"].encode()).digest()
        fits = asked is not None and _encoded(challenge) == asked["code_challenge"]
        if not known or asked is None or not fits or form["redirect_uri"] != asked["redirect_uri"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.tokens += 1
        return web.json_response({"access_token": "access", "token_type": "Bearer", "id_token": self._signed(asked)})

    def _signed(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "00u1maria",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "name": "Maria Keller",
            "groups": ["rollback-safety"],
        }
        claims = {name: value for name, value in (claims | self.claims).items() if value is not None}
        if self.header["alg"] in ("none", "HS256"):  # the library signs neither, with good reason
            said = ".".join(_encoded(json.dumps(part).encode()) for part in (self.header, claims))
            secret = KEYS["first"].as_pem(private=False)
            mac = hmac.new(secret, said.encode(), hashlib.sha256).digest() if self.header["alg"] == "HS256" else b""
            return f"{said}.{_encoded(mac)}"
        return jwt.encode(self.header, claims, self.signing, algorithms=[self.header["alg"]])

    async def _userinfo(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer access"
        return web.json_response(self.userinfo)


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
