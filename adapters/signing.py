"""Signing keys: Ed25519 files that only their owner can read, one per purpose (EVD-10).

`gateway` signs Decisions in the console, `ledger` checkpoints and evidence, `adoption` playbooks and thresholds.
Private halves never enter the database. After a rotation the old public half stays beside the new key.
"""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import ClassVar, Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from countermand.governance.decision import Decision, GatewayKeys, sign

Purpose = Literal["ledger", "gateway", "adoption"]

# Text before the PEM block is ignored by every reader; it says how this key came here.
_AUTO = b"Made by Countermand at its first start.\n"


class KeyFile:
    """An Ed25519 private key in a file (PKCS#8, mode 0600). It is read on every use, so a rotation counts at once."""

    PURPOSE: ClassVar[Purpose]
    PREFIX: ClassVar[str]

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """What the key is for."""
        return self.PURPOSE

    @property
    def path(self) -> Path:
        return self._path

    @property
    def public(self) -> bytes:
        """32 bytes. Raises OSError, ValueError or TypeError when the file holds no such key."""
        return raw_public(self._load().public_key())

    @property
    def key_id(self) -> str:
        """The purpose's prefix and the first 12 hex digits of the public key's sha256."""
        return self.id_of(self.public)

    @property
    def key_origin(self) -> Literal["auto", "provided"]:
        """`auto` when our own first start made it, so that nobody has pinned it anywhere."""
        return "auto" if self._path.read_bytes().startswith(_AUTO) else "provided"

    @classmethod
    def id_of(cls, public: bytes) -> str:
        return f"{cls.PREFIX}-{hashlib.sha256(public).hexdigest()[:12]}"

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
            file.write(_AUTO + pem)
            file.flush()
            os.fsync(file.fileno())

    def sign_bytes(self, message: bytes) -> bytes:
        """64 bytes (RFC 8032)."""
        return self._load().sign(message)

    def past(self) -> dict[str, bytes]:
        """Public halves of the keys before this one, by key id."""
        found = {}
        for file in sorted(self._path.parent.glob(f"{self.PREFIX}-*.pub.pem")):
            key = serialization.load_pem_public_key(file.read_bytes())
            if not isinstance(key, Ed25519PublicKey):
                raise TypeError(f"{file} holds a {type(key).__name__}, an Ed25519 public key is needed")
            found[self.id_of(raw_public(key))] = raw_public(key)
        return found

    def keep_public(self) -> None:
        """Write the public half beside the key, where `past` finds it once another key has this place."""
        file = self._path.with_name(f"{self.key_id}.pub.pem")
        file.write_bytes(public_pem(self.public))

    def _load(self) -> Ed25519PrivateKey:
        key = serialization.load_pem_private_key(self._path.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError(f"{self._path} holds a {type(key).__name__}, an Ed25519 key is needed")
        return key


class GatewayKey(KeyFile):
    """Signs Decisions; its public half is pinned by workflows. Implements KeyRing."""

    PURPOSE = "gateway"
    PREFIX = "gw"

    def gateway_keys(self) -> GatewayKeys:
        """This key and those before it: what an old key signed stays signed."""
        known = {**self.past(), self.key_id: self.public}
        return GatewayKeys(public={key_id: base64.b64encode(public).decode() for key_id, public in known.items()})

    def sign(self, decision: Decision) -> Decision:
        return sign(decision, self._load())


class LedgerKey(KeyFile):
    """Signs checkpoints and evidence. Implements the Signer of countermand.ledger.note."""

    PURPOSE = "ledger"
    PREFIX = "lg"

    def sign(self, message: bytes) -> bytes:
        """64 bytes (RFC 8032)."""
        return self.sign_bytes(message)


class AdoptionKey(KeyFile):
    """Signs playbooks and thresholds that people adopted."""

    PURPOSE = "adoption"
    PREFIX = "ad"

    def sign(self, message: bytes) -> bytes:
        """64 bytes (RFC 8032)."""
        return self.sign_bytes(message)


def raw_public(key: Ed25519PublicKey) -> bytes:
    """32 bytes."""
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def public_pem(public: bytes) -> bytes:
    """The public key as OpenSSL reads it."""
    key = Ed25519PublicKey.from_public_bytes(public)
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
