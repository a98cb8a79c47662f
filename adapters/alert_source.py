"""Alerts into sealed blocks: how many fired about the candidate, and unknown when their sender was not heard."""

from __future__ import annotations

from activities.signal_ports import CountedBlock, Pulled, PullRequest
from adapters.alerts import Heard, SqlAlerts, StoredAlert
from adapters.source_settings import Matching
from countermand.canonical import digest, instant
from countermand.detection.blocks import Arm, BlockState
from countermand.playbook.signals import SignalSpec


class AlertSource:
    """Implements PullSource over the alerts that one source sent. It asks nobody but the store."""

    def __init__(self, source_id: str, matching: Matching, alerts: SqlAlerts) -> None:
        self._source_id = source_id
        self._matching = matching
        self._alerts = alerts

    async def pull(self, request: PullRequest) -> Pulled:
        """One block of the candidate for each signal of kind alert; alerts say nothing about the baseline.

        bad: alerts that fired at any time of the block. Without any it is a healthy block only if the source was heard
        often enough, from before it began until its end, and nothing was missing from what it sent.
        """
        signals = {name: spec for name, spec in request.signals.items() if spec.kind == "alert"}
        if not signals:
            return Pulled()
        heard = await self._alerts.heard(
            self._source_id, request.start, request.end, expect_every=self._matching.expect_every
        )
        return Pulled(counts=tuple([await self._block(request, name, spec, heard) for name, spec in signals.items()]))

    async def _block(self, request: PullRequest, name: str, spec: SignalSpec, heard: Heard) -> CountedBlock:
        wanted = (spec.labels or {}).items()
        found = [
            alert
            for alert in await self._alerts.firing(
                self._source_id, spec.alert or "", request.release, self._matching, request.start, request.end
            )
            if wanted <= alert.labels.items()
        ]
        reason = _unknown(heard, found)
        served = 0 if reason else max(1, len(found))
        return CountedBlock(
            release_id=request.release.release_id,
            arm=Arm.candidate,
            signal=name,
            start=request.start,
            state=BlockState.unknown if reason else BlockState.ok,
            reason=reason,
            served=served,
            scored=served,
            bad=0 if reason else len(found),
            evidence=_evidence(request, found),
        )


def _unknown(heard: Heard, found: list[StoredAlert]) -> str | None:
    """Why the block is unknown. An alert that fires needs no more than a source that is alive."""
    if not heard.after or not (found or heard.before):
        return "silent"
    return "partial" if heard.partial and not found else None


def _evidence(request: PullRequest, found: list[StoredAlert]) -> str:
    """Digest of the question and of the alerts that were counted."""
    counted = [{"key": alert.key, "starts_us": alert.starts_us, "ends_us": alert.ends_us} for alert in found]
    return digest({"start": instant(request.start), "end": instant(request.end), "alerts": counted})
