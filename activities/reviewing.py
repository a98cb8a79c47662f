"""The post-incident review's draft, and the end of a release's watch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from temporalio import activity

from activities.heartbeat import heartbeating
from activities.ports import Catalogue, Ledger, Renderer
from countermand.detection.models import Row, VerdictWord
from countermand.ledger.bodies import ReleaseClosed, ReviewDrafted, VerdictChanged
from countermand.ledger.record import Kind, Record
from countermand.messages.incident import IncidentView, incident
from countermand.messages.review import DUTIES, Looked, review_facts
from countermand.plan.target import Value
from countermand.playbook.criteria import Detection
from countermand.playbook.model import Quorum, Severity
from countermand.review.earlier import earlier
from countermand.review.parts import form_of, meeting, required

#: The item of frozen evidence that holds the recorded rows.
SERIES = "signals.jsonl"


class DraftRequest(Value):
    incident_id: str
    release_id: str
    review_id: str
    workflow_id: str
    owner: str
    sign_off: Quorum
    due: datetime
    now: datetime


class Drafted(Value):
    draft_sha256: str


class CloseReleaseRequest(Value):
    release_id: str
    why: str


class ReviewingActivities:
    """Ports: Ledger, Renderer, Catalogue; a clock."""

    def __init__(self, ledger: Ledger, renderer: Renderer, catalogue: Catalogue, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._renderer = renderer
        self._catalogue = catalogue
        self._clock = clock

    @activity.defn(name="draft_review")
    async def draft_review(self, request: DraftRequest) -> Drafted:
        """Generate the draft from the Ledger once; the stored bytes are what people sign."""
        key = f"{request.review_id}/draft"
        known = await self._ledger.find(key)
        if known is not None:
            return Drafted(draft_sha256=ReviewDrafted.model_validate(known.body).draft_sha256)
        records = await self._ledger.records(incident_id=request.incident_id)
        view = incident(records)
        if view is None:
            raise ValueError(f"incident {request.incident_id!r} is not in the ledger")
        detection = await self._detection(request.release_id)
        outcome = view.closed.outcome if view.closed else "unresolved"
        form = form_of(outcome, broke_glass=bool(view.glass), severity=Severity(view.opened.severity))
        looked = await self._looked(request, view, records, detection)
        draft = self._renderer.render_review(review_facts(view, looked)).encode()
        sha256 = await self._ledger.put_blob(draft, "text/markdown", request.incident_id)
        body = ReviewDrafted(
            review_id=request.review_id,
            workflow_id=request.workflow_id,
            draft_sha256=sha256,
            owner=request.owner,
            due=request.due,
            form=form,
            required=tuple(part.value for part in required(form, _families(records, detection))),
            meeting_at=meeting(request.now, request.due),
            as_of=view.as_of_seq,
            sign_off=request.sign_off,
        )
        await self._ledger.append(
            body.entry(key, "worker", incident_id=request.incident_id, release_id=request.release_id)
        )
        return Drafted(draft_sha256=sha256)

    async def _looked(
        self, request: DraftRequest, view: IncidentView, records: Sequence[Record], detection: Detection | None
    ) -> Looked:
        """What stands beside the incident's records: the frozen rows, and what else would have shown it in them."""
        rows = await self._frozen_rows(view)
        verdicts = await self._ledger.records(release_id=request.release_id, kinds=[Kind.verdict])
        found = None
        if rows and detection is not None:
            async with heartbeating():
                found = await asyncio.to_thread(earlier, detection, rows)
        return Looked(
            rows=rows,
            verdicts=tuple(one for one in verdicts if one.seq <= view.as_of_seq),
            duties=tuple(one for one in records if one.kind in DUTIES),
            found=found,
        )

    async def _frozen_rows(self, view: IncidentView) -> tuple[Row, ...]:
        """The rows as they were copied before the first effect; none where that was not done or they were erased."""
        item = next((one for one in view.freeze.items if one.name == SERIES), None) if view.freeze else None
        kept = await self._ledger.get_blob(item.sha256) if item and item.complete else None
        return tuple(Row.model_validate_json(line) for line in kept[0].splitlines()) if kept else ()

    async def _detection(self, release_id: str) -> Detection | None:
        status = await self._catalogue.release(release_id)
        return (await self._catalogue.playbook(status.release.playbook_digest)).detection if status else None

    @activity.defn(name="close_release")
    async def close_release(self, request: CloseReleaseRequest) -> None:
        """End the watch of a release that was reverted."""
        await self._catalogue.close_release(request.release_id, self._clock(), request.why)
        key = f"{request.release_id}/closed"
        if await self._ledger.find(key) is not None:  # a second incident after the end: the first reason stays
            return
        closed = ReleaseClosed(why=request.why)
        await self._ledger.append(closed.entry(key, "worker", release_id=request.release_id))


def _families(records: Sequence[Record], detection: Detection | None) -> set[str]:
    """Families of the signals behind triggers that fired; both sensitive ones where a person said it, or nobody can
    say."""
    said = [VerdictChanged.model_validate(one.body) for one in records if one.kind is Kind.verdict]
    if detection is None or not said or any(one.by_person for one in said):
        return {"fairness", "safety"}
    fired = {
        one.signal
        for body in said
        for verdict in body.verdicts
        if verdict.word is VerdictWord.trigger
        for one in verdict.criteria
    }
    families = {spec.family.value for name, spec in detection.signals.items() if name in fired}
    return families | ({"fairness"} if fired & set(detection.of_fairness) else set())
