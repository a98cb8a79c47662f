"""A ledger key in memory and checkpoints over a Ledger, for tests."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from activities.ports import Ledger
from countermand.ledger import tree
from countermand.ledger.note import Checkpoint, signed_checkpoint
from countermand.ledger.record import Entry, Kind


@dataclass
class MemoryKey:
    """An Ed25519 key in memory; implements Signer."""

    seed: int
    prefix: str = "lg"

    @cached_property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(bytes([self.seed]) * 32)

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    @property
    def key_id(self) -> str:
        return f"{self.prefix}-{hashlib.sha256(self.public).hexdigest()[:12]}"

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)

    def added(self, purpose: str) -> Entry:
        """The record that brings this key in."""
        body = {
            "purpose": purpose,
            "key_id": self.key_id,
            "public": base64.b64encode(self.public).decode(),
            "key_origin": "auto",
        }
        return Entry(kind=Kind.key_added, idem_key=f"key/{self.key_id}", actor="console", body=body)


@dataclass
class MemoryCheckpoints:
    """Implements Checkpoints over the lines of a Ledger; `made` holds what was signed so far."""

    ledger: Ledger
    key: MemoryKey
    deployment: str = "countermand/local"
    made: dict[int, Checkpoint] = field(default_factory=dict)
    disputed: str = ""

    async def now(self) -> Checkpoint:
        size = await self.ledger.head() + 1
        if size not in self.made:
            root = tree.root(size, await self._nodes())
            [genesis] = await self.ledger.records(kinds=(Kind.genesis,))
            origin = f"{self.deployment}/{genesis.body['ledger_id']}"
            self.made[size] = signed_checkpoint(origin, size, root, self.key)
        return self.made[size]

    async def newest(self) -> Checkpoint | None:
        return self.made[max(self.made)] if self.made else None

    async def at_least(self, size: int) -> Checkpoint:
        known = [made for made in sorted(self.made) if made >= size]
        return self.made[known[0]] if known else await self.now()

    async def inclusion(self, seq: int, size: int) -> tuple[bytes, ...]:
        return tree.inclusion(seq, size, await self._nodes())

    async def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        return tree.consistency(old, new, await self._nodes())

    async def leaves(self, size: int) -> bytes:
        return b"".join([tree.leaf_hash(record.line.encode()) for record in await self.ledger.records()][:size])

    async def cosignatures(self, size: int) -> list[str]:
        return []

    async def timestamp(self, size: int) -> bytes | None:
        return None

    async def forked(self) -> str:
        return self.disputed

    async def _nodes(self) -> tree.Node:
        lines = [tree.leaf_hash(record.line.encode()) for record in await self.ledger.records()]
        nodes = tree.complete_nodes(0, lines, _nothing_before)
        return lambda level, index: nodes[level, index]


def _nothing_before(level: int, index: int) -> bytes:
    raise KeyError(f"node {level}, {index}: there is nothing left of the first leaf")
