"""A Ledger with its key, its checkpoints and places outside, for tests."""

from __future__ import annotations

from pathlib import Path

from adapters.anchor_settings import AnchorSettings
from adapters.anchors import Anchor
from adapters.checkpoints import SqlCheckpoints
from adapters.database import Database
from adapters.head_keeping import HeadKeeper, configured_anchors
from adapters.keys import announce
from adapters.ledger import SqlLedger
from adapters.ledger_proof import Verified, verify_ledger
from adapters.signing import LedgerKey
from countermand.ledger.note import Checkpoint
from tests.adapters.storage.entries import entry


class Desk:
    """`anchors`: what the anchors file says; change it with `configure`."""

    def __init__(self, db: Database, here: Path) -> None:
        self.db = db
        self.ledger = SqlLedger(db)
        self.key = LedgerKey(here / "keys" / "ledger.pem")
        self.checkpoints = SqlCheckpoints(db, self.key, "test")
        self.anchors = AnchorSettings()
        self._written = 0

    async def begin(self) -> None:
        self.key.create_if_missing()
        await announce(self.ledger, self.key)

    def configure(self, **places: object) -> None:
        self.anchors = AnchorSettings.model_validate(places)

    @property
    def places(self) -> tuple[Anchor, ...]:
        return configured_anchors(self.anchors, self.db)

    async def write(self, count: int) -> None:
        names = range(self._written, self._written + count)
        self._written += count
        await self.ledger.append(*[entry(f"r/{name}") for name in names])

    async def anchored(self, count: int = 3) -> Checkpoint:
        """Write records, sign, and hand the checkpoint to every place."""
        await self.write(count)
        made = await self.checkpoints.now()
        for place in self.places:
            await self.keeper.hand_over_once(place)
        return made

    @property
    def keeper(self) -> HeadKeeper:
        return HeadKeeper(self.db, self.checkpoints, self.places, look_every=0.01, after=0.05)

    async def verified(self) -> Verified:
        return await verify_ledger(self.db, self.anchors)
