"""Users and judges of a rehearsal: every block of every signal, pushed through the real intake by each source."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from countermand.canonical import instant
from countermand.detection.blocks import Block
from countermand.detection.synthetic import synthetic
from countermand.playbook.criteria import Detection
from rehearsal.measured import Measured

#: (source, counted blocks) → the intake took them; False when the release is not watched any more.
Post = Callable[[str, Sequence[Mapping[str, Any]]], Awaitable[bool]]
_PULSE = 0.1  # seconds


class _Due(NamedTuple):
    at: datetime
    source: str
    counted: Mapping[str, Any]


class Traffic:
    """`share`: the candidate's share now, in basis points: who is rolled back serves nobody. `per_block`: outputs of
    both arms together, by signal. time_scale: story seconds per real second, for what sources deliver late."""

    def __init__(
        self,
        detection: Detection,
        release_id: str,
        per_block: int,
        share: Callable[[], int],
        post: Post,
        measured: Measured,
        draws: Iterator[float],
        time_scale: int,
    ) -> None:
        self._detection = detection
        self._release_id = release_id
        self._per_block = per_block
        self._share = share
        self._post = post
        self._measured = measured
        self._draws = draws
        self._scale = time_scale

    async def flow(self, start: datetime, now: Callable[[], datetime]) -> None:
        """Push every block once it is over and its source delivers, until nobody watches or it is cancelled.

        start: of the release's first block.
        """
        number = 0
        waiting: list[_Due] = []
        while True:
            while start + (number + 1) * self._detection.block <= now():
                waiting += self._block(number, start)
                number += 1
            due: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
            read = now()
            for one in waiting:
                if one.at <= read:
                    due[one.source].append(one.counted)
            waiting = [one for one in waiting if one.at > read]
            for source, counts in due.items():
                if not await self._post(source, counts):
                    return
            await asyncio.sleep(_PULSE)

    def _block(self, number: int, start: datetime) -> Iterator[_Due]:
        at = start + number * self._detection.block
        candidate = self._per_block * self._share() // 10_000
        traffic = {name: (candidate, self._per_block - candidate) for name in self._detection.signals}
        (row,) = synthetic(self._detection, traffic, 1, at, self._draws)
        for block in self._measured.row(number, row).blocks:
            source = self._detection.signals[block.signal].source
            if block.served and not self._measured.silent(source, number):
                due = at + self._detection.block + self._measured.lag(source) / self._scale
                yield _Due(due, source, _counted(block, self._release_id, at))


def _counted(block: Block, release_id: str, at: datetime) -> Mapping[str, Any]:
    fields = block.model_dump(mode="json", include={"signal", "arm", "segment", "served", "scored", "bad"})
    sums = block.model_dump(mode="json", include={"sum", "sumsq", "hist", "counts"})
    return {**fields, **sums, "release_id": release_id, "start": instant(at)}
