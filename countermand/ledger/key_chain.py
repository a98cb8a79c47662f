"""The keys that signed a Ledger, one after the other: each one was let in by the one before (EVD-10)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from countermand.ledger.bodies import KeyAdded, KeyRotated, parse_body
from countermand.ledger.note import ED25519, Checkpoint
from countermand.ledger.note_reading import NoteInvalid, VerifierKey, verify_note
from countermand.ledger.record import Record
from countermand.plan.target import Value


class KeyChainBroken(ValueError):
    """A key that nobody before it let in."""

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(f"Record {seq}: {why}.")
        self.seq = seq


class KeyChain(Value):
    """Public keys of one purpose by key id, oldest first. Build it with `of`."""

    keys: dict[str, bytes]

    @classmethod
    def of(cls, records: Sequence[Record], purpose: str) -> Self:
        """The keys that these records name, each rotation checked. Raises KeyChainBroken."""
        keys: dict[str, bytes] = {}
        for record in records:
            body = parse_body(record)
            if not isinstance(body, KeyAdded | KeyRotated) or body.purpose != purpose:
                continue
            public = base64.b64decode(body.public)
            if isinstance(body, KeyAdded):
                if keys:
                    raise KeyChainBroken(record.seq, f"a second first {purpose} key")
            elif not keys or list(keys)[-1] != body.old_key_id:
                raise KeyChainBroken(record.seq, f"{purpose} key {body.old_key_id!r} was not in force")
            else:
                _both_signed(body, keys[body.old_key_id], public, record.seq)
            keys[body.key_id] = public
        return cls(keys=keys)

    @property
    def publics(self) -> set[bytes]:
        return set(self.keys.values())

    def verify(self, checkpoint: Checkpoint) -> None:
        """Raise NoteInvalid unless one of these keys signed the checkpoint under its origin."""
        for public in self.keys.values():
            try:
                verify_note(checkpoint.note, VerifierKey(name=checkpoint.origin, algorithm=ED25519, public=public))
            except NoteInvalid:
                continue
            return
        raise NoteInvalid("no recorded ledger key signed it")


def _both_signed(body: KeyRotated, old: bytes, new: bytes, seq: int) -> None:
    said = KeyRotated.signed_bytes(body.purpose, body.old_key_id, body.key_id, body.public)
    for public, signature in ((old, body.signed_by_old), (new, body.signed_by_new)):
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(signature), said)
        except (InvalidSignature, ValueError) as error:
            raise KeyChainBroken(seq, "the rotation was not signed by both keys") from error
