"""Port of the signed heads of the Ledger, and how an activity asks for one without ever waiting long for it."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from countermand.ledger.note import Checkpoint

#: How long a step of a rollback lets a checkpoint take (EVD-9); what is not done by then is done a little later.
PATIENCE = 2.0

_log = logging.getLogger(__name__)


class CheckpointFailed(Exception):
    """No checkpoint can be signed now; the message says why and what a person does about it."""


class Checkpoints(Protocol):
    """Signed heads of the Ledger and the proofs under them. Sizes are numbers of records."""

    async def now(self) -> Checkpoint:
        """A checkpoint of everything; the newest one when nothing is new. Raises CheckpointFailed."""
        ...

    async def newest(self) -> Checkpoint | None: ...

    async def at_least(self, size: int) -> Checkpoint:
        """The smallest stored one with that many records or more, or a new one.

        Raises CheckpointFailed, and ValueError when the Ledger has fewer.
        """
        ...

    async def inclusion(self, seq: int, size: int) -> tuple[bytes, ...]:
        """Path from record `seq` to the root over `size` records. Raises ValueError when there is none."""
        ...

    async def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Proof that the tree of `old` records grew to that of `new`. Raises ValueError when there is none."""
        ...

    async def leaves(self, size: int) -> bytes:
        """The first `size` leaf hashes, 32 bytes each."""
        ...

    async def cosignatures(self, size: int) -> list[str]:
        """Signature lines of witnesses under the checkpoint of `size` records, without newline."""
        ...

    async def timestamp(self, size: int) -> bytes | None:
        """The RFC 3161 response (DER) over the note of the checkpoint of `size` records."""
        ...

    async def forked(self) -> str:
        """That a place outside holds another history, in a sentence; empty when none does. Then no pack is sealed."""
        ...


class NoCheckpoints:
    """Where nobody signs the Ledger's head: the step goes on without one."""

    async def now(self) -> None:
        return None


class Heads(Protocol):
    """What a step needs of Checkpoints."""

    async def now(self) -> Checkpoint | None: ...


async def checkpoint_soon(heads: Heads) -> None:
    """Ask for a checkpoint and wait for PATIENCE at most; a failure is logged and never raised."""
    try:
        async with asyncio.timeout(PATIENCE):
            await heads.now()
    except Exception as error:  # whatever it is, it must not stop a rollback
        _log.warning("no checkpoint of the ledger was made at this step: %s", error or type(error).__name__)
