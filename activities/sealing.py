"""Blocks that are due: ask the sources that have to be asked, then seal (SRC-2)."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from datetime import datetime

from activities.ports import ReleaseStatus
from activities.signal_ports import Batch, BatchConflict, PullRequest, PullSource, PullSources, SignalStore
from countermand.canonical import instant
from countermand.detection.blocks import Row
from countermand.playbook.model import Detection
from countermand.playbook.signals import SignalSpec


class Sealer:
    """Ports: SignalStore, PullSources."""

    def __init__(self, signals: SignalStore, sources: PullSources) -> None:
        self._signals = signals
        self._sources = sources

    async def seal(self, status: ReleaseStatus, detection: Detection, until: datetime) -> list[Row]:
        """Seal every block that ends at or before `until`; returns the new rows in the order in which they are judged.

        Each block is asked for before it is sealed, so that nothing that was there in time is late.
        """
        release_id, start, block = status.release.release_id, status.watched_from, detection.block
        asked = self._asked(detection)
        seq = await self._signals.sealed(release_id) if asked else 0
        while asked and start + (seq + 1) * block <= until:
            begin = start + seq * block
            await asyncio.gather(
                *(
                    self._ask(
                        name, source, PullRequest(release=status.release, signals=own, start=begin, end=begin + block)
                    )
                    for name, (source, own) in asked.items()
                )
            )
            seq += 1
        return await self._signals.seal(release_id, signals=detection.signals, start=start, block=block, until=until)

    def _asked(self, detection: Detection) -> dict[str, tuple[PullSource, dict[str, SignalSpec]]]:
        """The sources to ask, each with its signals."""
        by_source: dict[str, dict[str, SignalSpec]] = defaultdict(dict)
        for name, spec in detection.signals.items():
            by_source[spec.source][name] = spec
        found = {name: (self._sources(name), own) for name, own in by_source.items()}
        return {name: (source, own) for name, (source, own) in found.items() if source is not None}

    async def _ask(self, name: str, source: PullSource, request: PullRequest) -> None:
        pulled = await source.pull(request)
        # Two attempts may ask for the same block and be told different things: the first answer counts.
        batch = Batch(
            batch_id=f"{request.release.release_id}/{instant(request.start)}",
            body_sha256=hashlib.sha256(pulled.model_dump_json().encode()).hexdigest(),
            items=pulled.items,
            counts=pulled.counts,
        )
        try:
            await self._signals.add(name, batch, request.end, may=lambda _release, _environment: True)
        except BatchConflict:
            return
