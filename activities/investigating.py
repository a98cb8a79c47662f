"""How groups of people are served, generated from sealed rows before anybody decides, never typed (GOV-33, R84)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from temporalio import activity

from activities.ports import Ledger
from activities.signal_ports import SignalStore
from countermand.canonical import canonical, instant
from countermand.compare.slices import LEAST, keys_compared, slices
from countermand.ledger.bodies import ReleaseRegistered, SlicesMeasured
from countermand.ledger.record import Kind
from countermand.plan.model import Release
from countermand.plan.target import Value
from countermand.playbook.criteria import Detection
from countermand.playbook.protected import protected


class MeasureRequest(Value):
    """`occasion` names what it is measured for, once: the same occasion is never measured twice."""

    incident_id: str
    release: Release
    detection: Detection
    occasion: str


class MeasuredSlices(Value):
    """protected: segment keys that name a protected attribute."""

    sha256: str
    protected: tuple[str, ...]


class RegisteredRequest(Value):
    """What became of a release after `since`."""

    release: Release
    since: datetime


class RegisteredSince(Value):
    """The newest other candidate of the service that was registered since; empty when there is none."""

    release_id: str
    name: str


class InvestigatingActivities:
    """Ports: Ledger, SignalStore; a clock."""

    def __init__(self, ledger: Ledger, signals: SignalStore, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._signals = signals
        self._clock = clock

    @activity.defn(name="measure_slices")
    async def measure_slices(self, request: MeasureRequest) -> MeasuredSlices:
        """Shares by group of candidate and baseline, recorded; a repeated run answers the same."""
        release = request.release
        keys = protected(keys_compared(request.detection))
        key = f"{request.incident_id}/slices/{request.occasion}"
        known = await self._ledger.find(key)
        if known is not None:
            return MeasuredSlices(sha256=SlicesMeasured.model_validate(known.body).sha256, protected=keys)
        rows = await self._signals.rows(release.release_id)
        found, lacking = slices(request.detection, rows)
        written = {
            "slices": [one.model_dump(mode="json") for one in found],
            "lacking": list(lacking),
            "rows": [row.digest for row in rows],
            "measured_at": instant(self._clock()),
        }
        sha256 = await self._ledger.put_blob(canonical(written), "application/json", request.incident_id)
        body = SlicesMeasured(
            slices=found,
            lacking=lacking,
            least=LEAST,
            rows=len(rows),
            target=release.baseline.name,
            sha256=sha256,
        )
        await self._ledger.append(
            body.entry(key, "worker", incident_id=request.incident_id, release_id=release.release_id)
        )
        return MeasuredSlices(sha256=sha256, protected=keys)

    @activity.defn(name="registered_since")
    async def registered_since(self, request: RegisteredRequest) -> RegisteredSince:
        """Whether another candidate of the same service was registered here since a moment."""
        release = request.release
        for record in reversed(await self._ledger.records(kinds=[Kind.release_registered])):
            body = ReleaseRegistered.model_validate(record.body)
            same = (body.service, body.environment) == (release.service, release.environment)
            if same and record.at > request.since and body.candidate_digest != release.candidate.digest:
                return RegisteredSince(release_id=record.release_id or "", name=body.candidate_name)
        return RegisteredSince(release_id="", name="")
