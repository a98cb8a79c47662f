"""The gateway key: signs Decisions in the console; its public half is pinned by workflows."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from countermand.governance.decision import Decision, GatewayKeys, sign


class GatewayKey:
    """An Ed25519 key file (PKCS#8, mode 0600). Implements KeyRing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def create_if_missing(self) -> None:
        """First start of the embedded default: make a key. Two processes racing end with one key."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)

    def _load(self) -> Ed25519PrivateKey:
        key = serialization.load_pem_private_key(self._path.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError(f"{self._path} holds a {type(key).__name__}, an Ed25519 key is needed")
        return key

    def _public(self) -> bytes:
        return self._load().public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    @property
    def key_id(self) -> str:
        """`gw-` and the first 12 hex digits of the public key's sha256."""
        return "gw-" + hashlib.sha256(self._public()).hexdigest()[:12]

    def gateway_keys(self) -> GatewayKeys:
        return GatewayKeys(public={self.key_id: base64.b64encode(self._public()).decode()})

    def sign(self, decision: Decision) -> Decision:
        return sign(decision, self._load())
