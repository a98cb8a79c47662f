"""A security key in software: what a token answers to a browser, and every lie a test needs (WebAuthn level 3)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from adapters.security_keys import Ceremony

ORIGIN = "http://localhost:8800"
_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class SoftKey:
    """One ES256 credential. Change `origin`, `rp_id`, `verifies` or `count` to make it answer wrongly."""

    origin: str = ORIGIN
    rp_id: str = "localhost"
    verifies: bool = True
    count: int = 0
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    secret: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, ceremony: Ceremony) -> str:
        """The answer to a registration."""
        numbers = self.secret.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cbor2.dumps(public)
        data = self._data(_ATTESTED) + attested
        return self._answer(
            self._client_data(ceremony, "webauthn.create"),
            attestationObject=_text(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
        )

    def get(self, ceremony: Ceremony) -> str:
        """The answer to a question; the counter goes up first."""
        self.count += 1
        client, data = self._client_data(ceremony, "webauthn.get"), self._data(0)
        signature = self.secret.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer(client, authenticatorData=_text(data), signature=_text(signature))

    def _data(self, flags: int) -> bytes:
        flags |= _PRESENT | (_VERIFIED if self.verifies else 0)
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client_data(self, ceremony: Ceremony, what: str) -> bytes:
        challenge = json.loads(ceremony.options)["challenge"]
        return json.dumps({"type": what, "challenge": challenge, "origin": self.origin}).encode()

    def _answer(self, client: bytes, **response: str) -> str:
        name = _text(self.credential_id)
        said = {"clientDataJSON": _text(client), **response}
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": said})
