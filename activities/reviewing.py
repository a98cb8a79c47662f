"""The post-incident review's draft, and the end of a release's watch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from temporalio import activity

from activities.ports import Catalogue, Ledger, Renderer
from countermand.ledger.bodies import ReleaseClosed, ReviewDrafted
from countermand.messages.incident import incident
from countermand.messages.review import review_facts
from countermand.plan.target import Value


class DraftRequest(Value):
    incident_id: str
    release_id: str
    review_id: str
    workflow_id: str
    owner: str
    due: datetime


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
        view = incident(await self._ledger.records(incident_id=request.incident_id))
        if view is None:
            raise ValueError(f"incident {request.incident_id!r} is not in the ledger")
        draft = self._renderer.render_review(review_facts(view)).encode()
        sha256 = await self._ledger.put_blob(draft, "text/markdown")
        body = ReviewDrafted(
            review_id=request.review_id,
            workflow_id=request.workflow_id,
            draft_sha256=sha256,
            owner=request.owner,
            due=request.due,
        )
        await self._ledger.append(
            body.entry(key, "worker", incident_id=request.incident_id, release_id=request.release_id)
        )
        return Drafted(draft_sha256=sha256)

    @activity.defn(name="close_release")
    async def close_release(self, request: CloseReleaseRequest) -> None:
        """End the watch of a release that was reverted."""
        await self._catalogue.close_release(request.release_id, self._clock(), request.why)
        key = f"{request.release_id}/closed"
        if await self._ledger.find(key) is not None:  # a second incident after the end: the first reason stays
            return
        closed = ReleaseClosed(why=request.why)
        await self._ledger.append(closed.entry(key, "worker", release_id=request.release_id))
