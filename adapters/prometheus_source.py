"""Prometheus as a source that is asked: counters of both arms become the sums of a block (sources.md §4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import chain

from pydantic import ValidationError

from activities.signal_ports import CountedBlock, Pulled, PullRequest
from adapters.prometheus_asking import Asked, ask, only_value
from adapters.prometheus_counts import Inconsistent, Window, unusable
from adapters.prometheus_http import PrometheusHttp, Unknown
from adapters.prometheus_queries import arm_matchers
from adapters.prometheus_sums import sums_of
from adapters.source_settings import PrometheusSettings
from countermand.detection.blocks import Arm, BlockState
from countermand.detection.sealing import DERIVED
from countermand.playbook.queries import SignalQuery
from countermand.playbook.signals import SignalSpec

#: A clock that is further off than this cannot say to which block an output belongs.
_MAX_SKEW_SECONDS = 60


class PrometheusSource:
    """Implements PullSource. Nothing is remembered between blocks, so any process may ask for any block."""

    def __init__(self, settings: PrometheusSettings, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._clock = clock
        self._http = PrometheusHttp(settings.url, settings.token_file)

    async def close(self) -> None:
        await self._http.close()

    async def pull(self, request: PullRequest) -> Pulled:
        """Both arms of every signal that is not computed from another one; unknown with its reason where Prometheus
        has no usable answer within the time limit."""
        deadline = asyncio.get_running_loop().time() + self._settings.time_limit.total_seconds()
        signals = {name: spec for name, spec in request.signals.items() if spec.kind not in DERIVED}
        try:
            skew = await self._skew(deadline)
        except Unknown as unknown:
            blocks = [_unknown(request, name, arm, unknown.reason) for name in signals for arm in Arm]
            return Pulled(counts=tuple(blocks))
        found = await asyncio.gather(
            *(self._both_arms(name, spec, request, skew, deadline) for name, spec in signals.items())
        )
        return Pulled(counts=tuple(chain.from_iterable(found)))

    async def _skew(self, deadline: float) -> float:
        """Seconds between its clock and ours. Raises Unknown: skew, or why it cannot be asked."""
        before = self._clock().timestamp()
        now = only_value((await self._http.ask("time()", None, deadline)).series)
        skew = max(now - self._clock().timestamp(), before - now, 0.0)
        if skew > _MAX_SKEW_SECONDS:
            raise Unknown("skew")
        return skew

    async def _both_arms(
        self, name: str, spec: SignalSpec, request: PullRequest, skew: float, deadline: float
    ) -> list[CountedBlock]:
        query = spec.query
        if not isinstance(query, SignalQuery):
            return [_unknown(request, name, arm, "no_query") for arm in Arm]
        scrape = self._settings.scrape
        arms = {arm: arm_matchers(self._settings.arms[arm], request.release) for arm in Arm}
        asked = await asyncio.gather(
            *(ask(self._http, query, matchers, request, scrape, deadline) for matchers in arms.values())
        )
        start, end = (round(at.timestamp() * 1000) for at in (request.start, request.end))
        window = Window(start, end, scrape // timedelta(milliseconds=1))
        mixed = not asked[0].labels.isdisjoint(asked[1].labels)
        return [
            _block(request, name, spec, arm, found, window, mixed, found.evidence(query, request.end, skew))
            for arm, found in zip(arms, asked, strict=True)
        ]


def _block(
    request: PullRequest,
    name: str,
    spec: SignalSpec,
    arm: Arm,
    asked: Asked,
    window: Window,
    mixed: bool,
    evidence: str,
) -> CountedBlock:
    """`mixed`: some series belongs to both arms."""
    reason = asked.reason or unusable(asked.parts, window, spec.min_coverage) or ("inconsistent" if mixed else None)
    if reason is None:
        try:
            sums = sums_of(spec, asked.parts, asked.share, window)
            return CountedBlock(
                release_id=request.release.release_id,
                arm=arm,
                signal=name,
                start=request.start,
                evidence=evidence,
                **sums,
            )
        except Unknown as unknown:
            reason = unknown.reason
        except (Inconsistent, ValidationError):  # the block itself refuses bad > scored and the like
            reason = "inconsistent"
    return _unknown(request, name, arm, reason, evidence)


def _unknown(request: PullRequest, name: str, arm: Arm, reason: str, evidence: str | None = None) -> CountedBlock:
    return CountedBlock(
        release_id=request.release.release_id,
        arm=arm,
        signal=name,
        start=request.start,
        state=BlockState.unknown,
        reason=reason,
        served=0,
        scored=0,
        evidence=evidence,
    )
