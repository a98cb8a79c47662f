"""Positive evidence that the service is well again after the last stage (GOV-31)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from temporalio import activity

from activities.heartbeat import heartbeating
from activities.ports import Catalogue, Ledger
from activities.recording import Checked, keep_checks
from activities.sealing import Sealer
from activities.signal_ports import SignalStore
from countermand.detection.models import Row
from countermand.ledger.bodies import CheckDone
from countermand.plan.evidence import judge_health
from countermand.plan.target import CheckWord, Value
from countermand.playbook.model import Detection, RollbackVerification


class HealthRequest(Value):
    """Rows that start at or after `since` count; `round` numbers repeated verifications."""

    incident_id: str
    release_id: str
    detection: Detection
    verification: RollbackVerification
    since: datetime
    revert: int
    round: int
    key: str


class VerifyingActivities:
    """Ports: SignalStore, Catalogue, Ledger, and PullSources within the Sealer; a clock."""

    def __init__(
        self,
        signals: SignalStore,
        sealer: Sealer,
        catalogue: Catalogue,
        ledger: Ledger,
        clock: Callable[[], datetime],
    ) -> None:
        self._signals = signals
        self._sealer = sealer
        self._catalogue = catalogue
        self._ledger = ledger
        self._clock = clock

    @activity.defn(name="verify_health")
    async def verify_health(self, request: HealthRequest) -> Checked:
        """Wait, block by block, until every signal of the playbook is decided or the time limit is over.

        What is undecided then stays `unknown`: no labelled answers is not health.
        """
        deadline = self._clock() + request.verification.time_limit
        rows: list[Row] = []
        seen = -1
        async with heartbeating():
            while True:
                await self._seal(request)
                for row in await self._signals.rows(request.release_id, after_seq=seen):
                    seen = max(seen, row.seq)
                    if row.start >= request.since:
                        rows.append(row)
                results = tuple(
                    judge_health(evidence, rows, request.verification.confidence)
                    for evidence in request.verification.signals
                )
                if all(result.word is not CheckWord.unknown for result in results) or self._clock() >= deadline:
                    break
                await asyncio.sleep(request.detection.block.total_seconds())
        checks = {
            f"{request.key}/{result.name}/{request.round}": CheckDone(
                revert=request.revert,
                stage=0,
                phase="verification",
                name=result.name,
                word=result.word.value,
                sentence=result.sentence,
            )
            for result in results
        }
        return await keep_checks(self._ledger, checks, incident_id=request.incident_id, release_id=request.release_id)

    async def _seal(self, request: HealthRequest) -> None:
        """Seal what is due: the watch may have reached its length while the incident was open."""
        status = await self._catalogue.release(request.release_id)
        if status is not None:
            await self._sealer.seal(status, request.detection, self._clock() - request.detection.lateness)
