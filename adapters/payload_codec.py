"""What goes through Temporal is encrypted: AES-256-GCM, with keys in files of their own (T14, THR-16).

A key file is named `<number>-<fingerprint>.key` and holds 32 random bytes in base64. The highest number encrypts; every
key in the folder decrypts, so that histories from before a rotation stay readable. A file that is copied in later is
found when a payload asks for it; the key that encrypts is chosen at the start of the process.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

ENCODING = b"binary/encrypted"
KEY_ID = "encryption-key-id"
#: Before the payload key in the identity that a process shows to Temporal.
KEY_WORD = "payload-key:"

_NAME = re.compile(r"(\d{4})-([0-9a-f]{16})")
_KEY_BYTES, _NONCE_BYTES = 32, 12


class CodecKeyInvalid(ValueError):
    """The folder of keys cannot be used; the message names the file and says what is accepted."""


class Undecodable(Exception):
    """A payload cannot be read; the message names its key."""


class PayloadKeys(Protocol):
    """Where keys come from."""

    def read(self) -> dict[str, bytes]: ...


class CodecKeys:
    """The folder `keys/codec`: one file per key, mode 0600. Implements PayloadKeys."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create_if_missing(self) -> None:
        """First start of the embedded default: make the first key unless there is one."""
        if not self._files():
            self.add()

    def add(self) -> str:
        """Make the key that encrypts from the next start on; returns its id.

        Raises FileExistsError when two processes add one at the same time.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        number = max((int(file.stem[:4]) for file in self._files()), default=0) + 1
        secret = AESGCM.generate_key(_KEY_BYTES * 8)
        place = self._folder / f"{number:04}-{_fingerprint(secret)}.key"
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secret) + b"\n")
        return place.stem

    def read(self) -> dict[str, bytes]:
        """Every key by its id, the one that encrypts last. Raises CodecKeyInvalid."""
        return {file.stem: self._secret(file) for file in self._files()}

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.key"))

    def _secret(self, file: Path) -> bytes:
        name = _NAME.fullmatch(file.stem)
        if name is None:
            raise CodecKeyInvalid(f"{file.name!r} is no name of a payload key; <4 digits>-<16 hex digits>.key is")
        if file.stat().st_mode & 0o077:
            raise CodecKeyInvalid(f"{file} can be read by others than its owner; its mode must be 0600")
        try:
            secret = base64.b64decode(file.read_bytes().strip(), validate=True)
        except binascii.Error as error:
            raise CodecKeyInvalid(f"{file} is not base64: {error}; it holds 32 bytes in base64") from None
        if len(secret) != _KEY_BYTES or _fingerprint(secret) != name[2]:
            raise CodecKeyInvalid(f"{file} does not hold the key that its name says; copy it again")
        return secret


class EncryptingCodec(PayloadCodec):
    """Encrypts every payload with the newest key; reads what any known key encrypted, and what never was."""

    def __init__(self, keys: PayloadKeys) -> None:
        self._keys = keys
        self._ciphers = _ciphers(keys.read())
        if not self._ciphers:
            raise CodecKeyInvalid("there is no payload key; `python -m console.admin init` makes the first one")
        self._newest = list(self._ciphers)[-1]

    @property
    def key_id(self) -> str:
        """The key that this process encrypts with."""
        return self._newest

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Each as one encrypted payload. Bound to its key id."""
        return [self._encrypted(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """The payloads as they were. Raises Undecodable."""
        return [self.decoded(payload) for payload in payloads]

    def decoded(self, payload: Payload) -> Payload:
        """One payload as it was; one that is not encrypted is returned as it is. Raises Undecodable."""
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key_id = payload.metadata.get(KEY_ID, b"").decode(errors="replace")
        cipher = self._cipher(key_id)
        nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, sealed, key_id.encode()))
        except (InvalidTag, ValueError, DecodeError):
            raise Undecodable(f"a payload that names the key {key_id!r} was changed or cut on its way") from None

    def _encrypted(self, payload: Payload) -> Payload:
        nonce, key_id = os.urandom(_NONCE_BYTES), self._newest.encode()
        sealed = self._ciphers[self._newest].encrypt(nonce, payload.SerializeToString(), key_id)
        return Payload(metadata={"encoding": ENCODING, KEY_ID: key_id}, data=nonce + sealed)

    def _cipher(self, key_id: str) -> AESGCM:
        if key_id not in self._ciphers:
            self._ciphers = _ciphers(self._keys.read())
        if key_id not in self._ciphers:
            raise Undecodable(
                f"the payload key {key_id!r} is not here; this process has {', '.join(self._ciphers)}: copy "
                f"keys/codec/{key_id}.key from the machine that encrypted"
            )
        return self._ciphers[key_id]


def _ciphers(keys: Mapping[str, bytes]) -> dict[str, AESGCM]:
    return {key_id: AESGCM(secret) for key_id, secret in keys.items()}


def _fingerprint(secret: bytes) -> str:
    return hashlib.sha256(b"countermand payload key" + secret).hexdigest()[:16]
