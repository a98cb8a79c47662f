"""What a proposed version hears beside live watches, and what came of it 30 days later (LRN-11, LRN-13).

Both read rows and records. Neither watches anything by itself, asks anybody or acts.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from temporalio import activity

from activities.heartbeat import heartbeating
from activities.ports import Catalogue, Ledger, ReleaseStatus
from activities.threshold_ports import CompareRequest, Heard, SealedRows, ShadowRequest
from activities.thresholds import look_up, read_report
from countermand import ids
from countermand.canonical import instant
from countermand.learning.comparison import compare
from countermand.learning.shadow import ShadowChange, ShadowOf, shadow
from countermand.ledger.bodies import IncidentClosed, StageOutcome, ThresholdCompared, ThresholdShadow, parse_body
from countermand.ledger.record import Kind
from countermand.playbook.model import Playbook

#: Most changes of verdicts in one record; a line has an end.
_MOST = 60


class ThresholdWatching:
    """Ports: Ledger, Catalogue, SealedRows."""

    def __init__(self, ledger: Ledger, catalogue: Catalogue, signals: SealedRows) -> None:
        self._ledger = ledger
        self._catalogue = catalogue
        self._signals = signals

    @activity.defn(name="shadow_threshold")
    async def shadow_threshold(self, request: ShadowRequest) -> Heard:
        """Judge what the live watches of this playbook sealed, and record what was not recorded before."""
        view = await look_up(self._ledger, request.proposal_id)
        key = ids.threshold_record(request.proposal_id, f"shadow/{request.number}")
        if known := await self._ledger.find(key):
            return _heard(ThresholdShadow.model_validate(known.body))
        proposed = await self._catalogue.playbook(view.proposed.proposed_digest)
        before = set(view.heard)
        new: list[ShadowChange] = []
        rows, whole, releases, left_out = 0, False, [], []
        async with heartbeating():
            for status in await self._watched(proposed.name, request.since, request.until):
                name = status.release.release_id
                try:
                    found = await self._of(status, proposed, request.since)
                except ValueError as error:
                    left_out.append(f"{name}: {error}")
                    continue
                releases.append(name)
                rows, whole = rows + found.rows, whole or found.whole
                new += [one for one in found.changes if one not in before]
        new.sort(key=lambda one: (one.at, one.release_id))
        fired = sum(one.word == "trigger" for one in new)
        body = ThresholdShadow(
            proposal_id=request.proposal_id,
            number=request.number,
            since=request.since,
            until=request.until,
            releases=tuple(releases),
            rows=rows,
            whole=whole,
            changes=tuple(one.model_dump(mode="json") for one in new[:_MOST]),
            left_out=tuple(left_out),
            sentence=f"shadow, look {request.number}: would have fired {fired} more times, {rows} blocks heard so far",
        )
        await self._ledger.append(body.entry(key, "worker"))
        return _heard(body)

    @activity.defn(name="compare_threshold")
    async def compare_threshold(self, request: CompareRequest) -> str:
        """Compare predicted with actual false alarms and record it; returns the sentence."""
        view = await look_up(self._ledger, request.proposal_id)
        key = ids.threshold_record(request.proposal_id, "compared")
        if known := await self._ledger.find(key):
            return ThresholdCompared.model_validate(known.body).sentence
        said = view.proposed
        report = await read_report(self._ledger, said, view.judged.backtest if view.judged else "")
        predicted, predicted_s = report.honesty.proposed.asks, view.judged.quiet_s if view.judged else 0
        actual, actual_s = 0, 0
        for status in await self._catalogue.releases():
            if status.release.playbook_digest == said.proposed_digest:
                actual_s += round((await self._seen(status, request)).total_seconds())
                actual += await self._false_alarms(status.release.release_id, request)
        found = compare(predicted, predicted_s, actual, actual_s)
        body = ThresholdCompared(
            proposal_id=request.proposal_id,
            playbook=said.playbook,
            since=request.since,
            until=request.until,
            predicted=predicted,
            predicted_s=predicted_s,
            actual=actual,
            actual_s=actual_s,
            outside=found.outside,
            word=found.word,
            sentence=found.sentence,
        )
        await self._ledger.append(body.entry(key, "worker"))
        return found.sentence

    async def _watched(self, name: str, since: datetime, until: datetime) -> list[ReleaseStatus]:
        """Releases that some version of this playbook watched in this time."""
        return [
            one
            for one in await self._catalogue.releases()
            if one.watched_from < until
            and (one.closed_at is None or one.closed_at > since)
            and (await self._catalogue.playbook(one.release.playbook_digest)).name == name
        ]

    async def _of(self, status: ReleaseStatus, proposed: Playbook, since: datetime) -> ShadowOf:
        release_id = status.release.release_id
        live_at: datetime | None = None
        for row, judged in await self._signals.evaluations(release_id):
            if judged["word"] == "trigger":
                block = (await self._catalogue.playbook(status.release.playbook_digest)).detection.block
                live_at = status.watched_from + (row + 1) * block
                break
        return await asyncio.to_thread(
            shadow,
            release_id,
            proposed.detection,
            await self._signals.rows(release_id),
            since=since,
            cut_at=await self._first_effect(release_id),
            live_at=live_at,
        )

    async def _first_effect(self, release_id: str) -> datetime | None:
        for record in await self._ledger.records(release_id=release_id, kinds=[Kind.stage_outcome]):
            body = parse_body(record)
            if isinstance(body, StageOutcome) and body.result in ("applied", "already"):
                return record.at
        return None

    async def _seen(self, status: ReleaseStatus, request: CompareRequest) -> timedelta:
        """How long its watch could see anything in this time: what is blind raises no false alarm either."""
        block = (await self._catalogue.playbook(status.release.playbook_digest)).detection.block
        starts = (
            status.watched_from + row * block
            for row, judged in await self._signals.evaluations(status.release.release_id)
            if judged["word"] != "unknown"
        )
        return block * sum(request.since <= start < request.until for start in starts)

    async def _false_alarms(self, release_id: str, request: CompareRequest) -> int:
        """Incidents that a watch opened in this time and that people closed without going back."""
        kinds = [Kind.incident_opened, Kind.incident_closed]
        asked: set[str] = set()
        wrong = 0
        for record in await self._ledger.records(release_id=release_id, kinds=kinds):
            body = parse_body(record)
            if record.kind is Kind.incident_opened and request.since <= record.at < request.until:
                asked |= {str(record.incident_id)} if record.body["opened_by"] == "automation" else set()
            elif isinstance(body, IncidentClosed) and record.incident_id in asked:
                wrong += body.outcome in ("rejected", "withdrawn", "aborted", "reversed")
        return wrong


def _heard(body: ThresholdShadow) -> Heard:
    return Heard(rows=body.rows, whole=body.whole, sentence=f"Until {instant(body.until)}: {body.sentence}.")
