"""Watch one release: seal blocks as they end, judge them, and return only when something happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Literal

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.heartbeat import heartbeating
from activities.ports import Catalogue
from activities.sealing import Sealer
from activities.signal_ports import SignalStore
from countermand.canonical import instant
from countermand.detection.evaluator import Evaluator, signature
from countermand.detection.models import Row, WatchVerdict
from countermand.plan.target import Value
from countermand.playbook.model import Detection
from countermand.playbook.units import Duration

#: Seconds between two looks for a block that is due but not there.
_AT_LEAST = 0.5


class ObserveRequest(Value):
    """`seen` is the signature of the last verdict that was reported. tightened_at: only blocks from this moment on are
    judged, and harm has to last half as long."""

    release_id: str
    playbook_digest: str
    started_at: datetime
    seen: str
    pause_after: Duration
    tightened_at: datetime | None = None


class ObserveResult(Value):
    """Why observing returned. `row_start` is the block time of the verdict."""

    reason: Literal["changed", "pause", "over"]
    verdict: WatchVerdict | None
    row_start: datetime | None
    why: str
    signature: str


class WatchingActivities:
    """Ports: SignalStore, Catalogue, and PullSources within the Sealer; a clock."""

    def __init__(
        self, signals: SignalStore, sealer: Sealer, catalogue: Catalogue, clock: Callable[[], datetime]
    ) -> None:
        self._signals = signals
        self._sealer = sealer
        self._catalogue = catalogue
        self._clock = clock

    @activity.defn(name="observe")
    async def observe(self, request: ObserveRequest) -> ObserveResult:
        """Evaluate each block as it is sealed; return on a material change, after `max_rows`, or at the end.

        The state is recomputed from the sealed blocks at every start, so nothing but them needs to survive.
        """
        try:
            detection = (await self._catalogue.playbook(request.playbook_digest)).detection
        except KeyError as error:
            raise ApplicationError(f"unknown playbook {request.playbook_digest!r}", non_retryable=True) from error
        async with heartbeating():
            return await self._watch(request, detection)

    async def _watch(self, request: ObserveRequest, detection: Detection) -> ObserveResult:
        evaluator = Evaluator(tightened(detection) if request.tightened_at else detection)
        verdict: WatchVerdict | None = None
        row_start: datetime | None = None
        rows = 0
        began = self._clock()
        new_rows = await self._signals.rows(request.release_id)
        while True:
            evaluations = {}
            for row in new_rows:
                if request.tightened_at and row.start < request.tightened_at:
                    rows = max(rows, row.seq + 1)
                    continue
                verdict = evaluator.judge(row)
                if row.late_of is None:
                    row_start, rows = row.start, row.seq + 1
                    evaluations[row.seq] = evaluation_of(verdict, row)
            if evaluations:
                await self._signals.put_evaluations(request.release_id, evaluations)
            status = await self._catalogue.release(request.release_id)
            if status is None or status.closed_at is not None:
                return _result("over", verdict, row_start, status.closed_why or "" if status else "release is gone")
            if verdict is not None and signature(verdict) != request.seen:
                return _result("changed", verdict, row_start, "the verdict changed")
            if rows >= detection.watch_blocks:
                return _result("over", verdict, row_start, "the watch reached its declared length")
            if self._clock() - began >= request.pause_after:
                return _result("pause", verdict, row_start, "nothing changed for a while")
            due = request.started_at + (rows + 1) * detection.block + detection.lateness
            await asyncio.sleep(max((due - self._clock()).total_seconds(), 0))
            sealed = await self._sealer.seal(status, detection, self._clock() - detection.lateness)
            # Another attempt, or the verification of an open incident, may have sealed some: then all are read.
            whole = bool(sealed) and sealed[0].seq == rows
            new_rows = sealed if whole else await self._signals.rows(request.release_id, after_seq=rows - 1)
            if not new_rows:
                await asyncio.sleep(_AT_LEAST)


def tightened(detection: Detection) -> Detection:
    """The same detection where harm has to last half as long, at least one block, before a trigger fires."""
    return detection.model_copy(update={"sustain": max(detection.sustain_blocks // 2, 1) * detection.block})


def _result(
    reason: Literal["changed", "pause", "over"],
    verdict: WatchVerdict | None,
    row_start: datetime | None,
    why: str,
) -> ObserveResult:
    return ObserveResult(
        reason=reason,
        verdict=verdict,
        row_start=row_start,
        why=why,
        signature=signature(verdict) if verdict else "",
    )


def evaluation_of(verdict: WatchVerdict, row: Row) -> dict[str, object]:
    """What pages draw for one row: the word and each trigger's evidence and limit."""
    return {
        "seq": row.seq,
        "start": instant(row.start),
        "word": verdict.word.value,
        "sentence": verdict.sentence,
        "triggers": {
            v.trigger: {"word": v.word.value, "micronats": v.micronats, "limit_micronats": v.limit_micronats}
            for v in verdict.verdicts
        },
    }
