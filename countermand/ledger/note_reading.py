"""Reading signed notes, checkpoints and the cosignatures of witnesses (c2sp.org/signed-note, …/tlog-cosignature)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from countermand.ledger.note import ED25519, Checkpoint, key_id
from countermand.plan.target import Value

COSIGNATURE = b"\x04"

_SIZE = re.compile(r"0|[1-9][0-9]{0,15}")
_MAX_SIGNATURES = 100


class NoteInvalid(ValueError):
    """A note, key line or signature that does not hold; the message says what is wrong with it."""


class VerifierKey(Value):
    """A public key as a line names it. algorithm: 0x01 signs notes, 0x04 cosigns checkpoints."""

    name: str
    algorithm: bytes
    public: bytes

    @property
    def key_id(self) -> bytes:
        return key_id(self.name, self.public, self.algorithm)


def read_vkey(line: str) -> VerifierKey:
    """The key of a line `<name>+<hex id>+base64(algorithm ‖ key)`. Raises NoteInvalid."""
    parts = line.strip().split("+", 2)
    if len(parts) != 3 or not parts[0] or re.search(r"\s", parts[0]):
        raise NoteInvalid(f"{line.strip()!r} is no key line; <name>+<8 hex digits>+<base64> is needed")
    name, named_id, encoded = parts
    raw = _base64(encoded)
    if len(raw) != 33 or raw[:1] not in (ED25519, COSIGNATURE):
        raise NoteInvalid(f"key {name!r}: an Ed25519 key with algorithm 0x01 or 0x04 is needed")
    key = VerifierKey(name=name, algorithm=raw[:1], public=raw[1:])
    if key.key_id.hex() != named_id:
        raise NoteInvalid(f"key {name!r}: the id {named_id!r} does not belong to this key")
    return key


def read_checkpoint(note: str) -> Checkpoint:
    """The checkpoint that a note holds. Nothing is verified. Raises NoteInvalid when it is none."""
    text, separator, signatures = note.partition("\n\n")
    lines = text.split("\n")
    if not separator or len(lines) != 3 or not signatures.endswith("\n"):
        raise NoteInvalid("no checkpoint: origin, size and root, an empty line, and signature lines are needed")
    origin, size, root = lines
    if not origin or not _SIZE.fullmatch(size) or len(_base64(root)) != 32:
        raise NoteInvalid(f"no checkpoint: origin {origin!r}, size {size!r}, root {root!r}")
    return Checkpoint(origin=origin, size=int(size), root=_base64(root).hex(), note=note)


def verify_note(note: str, key: VerifierKey) -> None:
    """Raise NoteInvalid unless `key` signed the text of this note."""
    text = note.partition("\n\n")[0] + "\n"
    for raw in _signatures(note.partition("\n\n")[2], key):
        if len(raw) == 64:
            _verify(key, raw, text.encode())
            return
    raise NoteInvalid(f"key {key.name!r} did not sign this note")


def cosigned_at(checkpoint: Checkpoint, lines: str, witness: VerifierKey) -> datetime:
    """When the witness saw this checkpoint, by its own clock. `lines`: its signature lines. Raises NoteInvalid."""
    for raw in _signatures(lines, witness):
        if len(raw) != 72:
            raise NoteInvalid(f"the cosignature of {witness.name!r} has {len(raw)} bytes; 8 of time and 64 are needed")
        seconds = int.from_bytes(raw[:8])
        _verify(witness, raw[8:], f"cosignature/v1\ntime {seconds}\n{checkpoint.text}".encode())
        try:
            return datetime.fromtimestamp(seconds, UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise NoteInvalid(f"the cosignature of {witness.name!r} names no time: {seconds!r}") from error
    raise NoteInvalid(f"witness {witness.name!r} did not sign this checkpoint")


def signature_lines(text: str, key: VerifierKey) -> list[str]:
    """The lines of `text` that claim to be this key's signature, without newline."""
    return [line for line, raw in _named(text) if line.split(" ")[1] == key.name and raw[:4] == key.key_id]


def _signatures(text: str, key: VerifierKey) -> Iterator[bytes]:
    for line, raw in _named(text):
        if line.split(" ")[1] == key.name and raw[:4] == key.key_id:
            yield raw[4:]


def _named(text: str) -> Iterator[tuple[str, bytes]]:
    lines = text.removesuffix("\n").split("\n")
    if len(lines) > _MAX_SIGNATURES:
        raise NoteInvalid(f"{len(lines)} signature lines; at most {_MAX_SIGNATURES} are read")
    for line in lines:
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "—" or not parts[1]:
            raise NoteInvalid(f"{line!r} is no signature line; `— <name> <base64>` is needed")
        raw = _base64(parts[2])
        if len(raw) < 5:
            raise NoteInvalid(f"{line!r} is too short for a key id and a signature")
        yield line, raw


def _verify(key: VerifierKey, signature: bytes, message: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise NoteInvalid(f"the signature of {key.name!r} does not hold") from error


def _base64(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteInvalid(f"{text!r} is not base64") from error
    if base64.b64encode(raw).decode() != text:
        raise NoteInvalid(f"{text!r} is not base64 in its one form")
    return raw
