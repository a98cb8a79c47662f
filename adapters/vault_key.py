"""The master key of the vault: a file outside the database that wraps every data key (OBL-34)."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12


class CannotOpen(ValueError):
    """Bytes that this key does not open: another key was used, or somebody changed them."""


def seal(key: bytes, plain: bytes, bound_to: bytes) -> bytes:
    """nonce ‖ AES-256-GCM ciphertext (NIST SP 800-38D), bound to associated bytes; the nonce is random."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound_to)


def unseal(key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    """The inverse of `seal`. Raises CannotOpen."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to)
    except (InvalidTag, ValueError) as error:
        raise CannotOpen(f"{len(sealed)} bytes do not open with this key") from error


class MasterKey:
    """A key file (32 bytes as hex, mode 0600). Rotation: `rotate` writes a new key, then every data key is wrapped
    again (`SqlVault.rewrap`); until then the old key stays in the file's second line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def create_if_missing(self) -> None:
        """First start: make a key. Two processes racing end with one key."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")

    @property
    def key_id(self) -> str:
        """`vk-` and the first 12 hex digits of the key's sha256."""
        return _key_id(self._keys()[0])

    @property
    def alone(self) -> bool:
        """Whether the file holds one key: no rotation is under way."""
        return len(self._keys()) == 1

    def wrap(self, data_key: bytes, key_ref: str) -> bytes:
        """The data key under the newest master key, with its id in front."""
        master = self._keys()[0]
        return _key_id(master).encode() + b":" + seal(master, data_key, key_ref.encode())

    def unwrap(self, wrapped: bytes, key_ref: str) -> bytes:
        """The data key. Raises CannotOpen when no key of the file wrapped it."""
        key_id, _, rest = wrapped.partition(b":")
        for master in self._keys():
            if _key_id(master).encode() == key_id:
                return unseal(master, rest, key_ref.encode())
        raise CannotOpen(f"{self._path} does not hold the key {key_id.decode(errors='replace')!r}; restore that file")

    def rotate(self) -> None:
        """Put a new key in front of the ones that are there."""
        self._write([secrets.token_bytes(KEY_BYTES), *self._keys()])

    def forget_old(self) -> None:
        """Keep the newest key alone; what only older ones opened is gone."""
        self._write(self._keys()[:1])

    def _write(self, keys: list[bytes]) -> None:
        new = self._path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write("".join(f"{key.hex()}\n" for key in keys))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)

    def _keys(self) -> list[bytes]:
        keys = [bytes.fromhex(line) for line in self._path.read_text().split()]
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise CannotOpen(f"{self._path} holds no key of {KEY_BYTES} bytes as hex")
        return keys


def _key_id(key: bytes) -> str:
    return "vk-" + hashlib.sha256(key).hexdigest()[:12]
