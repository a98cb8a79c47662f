"""Bodies of records about keys and about what holds the Ledger's head from outside (EVD-10…EVD-12)."""

from __future__ import annotations

from typing import ClassVar, Literal

from countermand.canonical import canonical
from countermand.ledger.body import Body
from countermand.ledger.record import Kind


class KeyAdded(Body):
    """The first key of a purpose. public: base64 of 32 bytes. key_origin: `auto` when our own first start made it."""

    KIND: ClassVar[Kind] = Kind.key_added
    purpose: Literal["ledger", "gateway", "adoption"]
    key_id: str
    public: str
    key_origin: Literal["auto", "provided"]


class KeyRotated(Body):
    """Another key took over; both signed `signed_bytes`. Signatures are base64 of 64 bytes."""

    KIND: ClassVar[Kind] = Kind.key_rotated
    purpose: Literal["ledger", "gateway", "adoption"]
    old_key_id: str
    key_id: str
    public: str
    signed_by_old: str
    signed_by_new: str

    @staticmethod
    def signed_bytes(purpose: str, old_key_id: str, key_id: str, public: str) -> bytes:
        """What the old and the new key sign."""
        return canonical({"purpose": purpose, "old_key_id": old_key_id, "key_id": key_id, "public": public})


class CheckpointExternal(Body):
    """A place outside of this database took the checkpoint of `tree_size`. blob_sha256: what it answered, as kept."""

    KIND: ClassVar[Kind] = Kind.checkpoint_external
    tree_size: int
    kind: Literal["witness", "rfc3161", "folder"]
    place: str
    blob_sha256: str


class CheckpointForked(Body):
    """A place outside holds another history than this one: no evidence is sealed until it takes a checkpoint again.

    tree_size: of the checkpoint it refused. blob_sha256: what it answered or holds, as kept.
    """

    KIND: ClassVar[Kind] = Kind.checkpoint_forked
    tree_size: int
    kind: Literal["witness", "folder"]
    place: str
    sentence: str
    blob_sha256: str
