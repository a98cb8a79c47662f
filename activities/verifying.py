"""Positive evidence that the service is well again after the last stage, and that it stays so (GOV-31, TGT-12)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from temporalio import activity

from activities.heartbeat import heartbeating
from activities.ports import Catalogue, Ledger, TargetRejected, Targets, TargetUnavailable
from activities.recording import Checked, keep_checks
from activities.sealing import Sealer
from activities.signal_ports import SignalStore
from countermand.detection.models import Row
from countermand.ledger.bodies import CheckDone
from countermand.plan.evidence import judge_health
from countermand.plan.holding import Holding
from countermand.plan.model import Moving, Plan
from countermand.plan.relapse import judge_relapse
from countermand.plan.target import CheckResult, CheckWord, Value
from countermand.playbook.model import Detection, RollbackVerification


class HealthRequest(Value):
    """Rows that start at or after `since` count; `round` numbers repeated verifications. `plan`: whose members must
    stay where it left them. `until`: end of a watch for a relapse; None while health is still to be shown."""

    incident_id: str
    release_id: str
    detection: Detection
    verification: RollbackVerification
    since: datetime
    revert: int
    round: int
    key: str
    plan: Plan | None = None
    until: datetime | None = None


class VerifyingActivities:
    """Ports: SignalStore, Catalogue, Ledger, Targets, and PullSources within the Sealer; a clock."""

    def __init__(
        self,
        signals: SignalStore,
        sealer: Sealer,
        catalogue: Catalogue,
        ledger: Ledger,
        targets: Targets,
        clock: Callable[[], datetime],
    ) -> None:
        self._signals = signals
        self._sealer = sealer
        self._catalogue = catalogue
        self._ledger = ledger
        self._targets = targets
        self._clock = clock

    @activity.defn(name="verify_health")
    async def verify_health(self, request: HealthRequest) -> Checked:
        """Wait, block by block, until every signal of the playbook is decided, or a member of the plan has moved, or
        the time limit is over.

        What is undecided then stays `unknown`: no labelled answers is not health. Members are looked at in every block
        and again when the last signal is decided.
        """
        deadline = self._clock() + request.verification.time_limit
        rows = _Rows(self._signals, request)
        holding = self._holding(request)
        async with heartbeating():
            while True:
                await self._seal(request)
                judged = [
                    judge_health(evidence, await rows.read(), request.verification.confidence)
                    for evidence in request.verification.signals
                ]
                results = (*judged, *await self._look(holding))
                undecided = any(result.word is CheckWord.unknown for result in results)
                if not undecided or self._moved(holding) or self._clock() >= deadline:
                    break
                await asyncio.sleep(request.detection.block.total_seconds())
        return await self._keep(request, results)

    @activity.defn(name="watch_health")
    async def watch_health(self, request: HealthRequest) -> Checked:
        """Wait, block by block, until something is worse again or `until`. Passed means that nothing was shown to be
        worse; what could not be seen is `unknown`."""
        until = request.until or self._clock()
        rows = _Rows(self._signals, request)
        holding = self._holding(request)
        async with heartbeating():
            while True:
                await self._seal(request)
                judged = [
                    judge_relapse(evidence, await rows.read(), request.verification.confidence)
                    for evidence in request.verification.signals
                ]
                results = (*judged, *await self._look(holding))
                worse = any(result.word is CheckWord.failed for result in results)
                left = (until - self._clock()).total_seconds()
                if worse or left <= 0:
                    break
                await asyncio.sleep(min(request.detection.block.total_seconds(), left))
        return await self._keep(request, results)

    def _holding(self, request: HealthRequest) -> list[tuple[Moving, Holding]]:
        if request.plan is None:
            return []
        residual = request.plan.residual_bp
        return [(moving, Holding(moving, residual)) for moving in request.plan.members]

    async def _look(self, holding: list[tuple[Moving, Holding]]) -> list[CheckResult]:
        for moving, held in holding:
            try:
                target = self._targets(moving.member.target)
                observable = target.capabilities.observes != "none"
                held.look(await target.read(moving.member), await target.observe(moving.member), observable=observable)
            except TargetRejected as error:
                held.refused(str(error))
            except TargetUnavailable as error:
                held.silent(str(error))
        return [result for _, held in holding for result in held.results]

    @staticmethod
    def _moved(holding: list[tuple[Moving, Holding]]) -> bool:
        return any(result.word is CheckWord.failed for _, held in holding for result in held.results)

    async def _keep(self, request: HealthRequest, results: tuple[CheckResult, ...]) -> Checked:
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


class _Rows:
    """Rows since the way back, each read once."""

    def __init__(self, signals: SignalStore, request: HealthRequest) -> None:
        self._signals = signals
        self._request = request
        self._rows: list[Row] = []
        self._seen = -1

    async def read(self) -> list[Row]:
        """All of them so far."""
        for row in await self._signals.rows(self._request.release_id, after_seq=self._seen):
            self._seen = max(self._seen, row.seq)
            if row.start >= self._request.since:
                self._rows.append(row)
        return self._rows
