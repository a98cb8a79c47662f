"""The worker's task that signs the Ledger's head and hands it to places outside (EVD-9, EVD-11, EVD-12).

Nothing waits for it. Whatever fails is logged, tried again with growing pauses, and shown by the self-check.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from activities.evidence_ports import CheckpointFailed
from adapters.anchor_folder import FolderAnchor
from adapters.anchor_settings import AnchorSettings
from adapters.anchor_timestamp import TimestampAnchor
from adapters.anchor_witness import WitnessAnchor
from adapters.anchors import Anchor, AnchorFailed, AnchorStore, Forked
from adapters.checkpoints import SqlCheckpoints
from adapters.database import Database, utc_now

#: A checkpoint after this many records, or this many seconds when something is new (EVD-9).
RECORDS, SECONDS = 256, 60.0

_LOOK_EVERY = 2.0
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 600.0

_log = logging.getLogger(__name__)


class HeadKeeper:
    """Keeps the head signed and known outside."""

    def __init__(
        self,
        db: Database,
        checkpoints: SqlCheckpoints,
        anchors: tuple[Anchor, ...],
        clock: Callable[[], datetime] = utc_now,
        look_every: float = _LOOK_EVERY,
        after: float = SECONDS,
    ) -> None:
        self._checkpoints = checkpoints
        self._anchors = anchors
        self._store = AnchorStore(db)
        self._clock = clock
        self._look_every = look_every
        self._after = after

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work in the background as long as the block lasts."""
        tasks = [asyncio.create_task(self._sign())]
        tasks += [asyncio.create_task(self._hand_over(anchor)) for anchor in self._anchors]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _sign(self) -> None:
        since: float | None = None
        pause = _FIRST_PAUSE
        while True:
            try:
                newest = await self._checkpoints.newest()
                new = await self._checkpoints.uncovered(newest.size if newest else 0)
                since = (since or time.monotonic()) if new else None
                if new >= RECORDS or (since is not None and time.monotonic() - since >= self._after):
                    await self._checkpoints.now()
                    since = None
                pause = _FIRST_PAUSE
            except (CheckpointFailed, SQLAlchemyError, OSError, ValueError) as error:
                _log.error("no checkpoint of the ledger could be signed: %s", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 60.0)
            await asyncio.sleep(self._look_every)

    async def _hand_over(self, anchor: Anchor) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                await self.hand_over_once(anchor)
                pause = _FIRST_PAUSE
            except (AnchorFailed, SQLAlchemyError, OSError, ValueError) as error:
                _log.warning("a checkpoint was not taken: %s; the next try is in %.0f s", error, pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            await asyncio.sleep(self._look_every)

    async def hand_over_once(self, anchor: Anchor) -> bool:
        """Hand the newest checkpoint to this place; False when it has it. A fork is recorded and logged.

        Raises AnchorFailed when trying again may help.
        """
        newest = await self._checkpoints.newest()
        if newest is None or newest.size <= await self._store.anchored(anchor.kind, anchor.place):
            return False
        try:
            taken = await anchor.take(newest, self._checkpoints)
        except Forked as fork:
            await self._store.keep_fork(anchor, newest, fork)
            raise AnchorFailed(str(fork)) from fork
        await self._store.keep(anchor, newest, taken, self._clock())
        return True


def configured_anchors(settings: AnchorSettings, db: Database) -> tuple[Anchor, ...]:
    """Every place that the anchors file names."""
    store = AnchorStore(db)
    return (
        *(FolderAnchor(place, one.path) for place, one in settings.folders.items()),
        *(WitnessAnchor(place, one, store) for place, one in settings.witnesses.items()),
        *(TimestampAnchor(place, one) for place, one in settings.timestamps.items()),
    )
