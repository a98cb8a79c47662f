"""Reviews over the JSON API: read one, write its parts, keep its actions, waive it; what waits, by age."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from console import reviews
from console.api import DecisionId, Deps, SignedIn
from countermand.review.terms import MAX_TEXT

router = APIRouter()


class ReviewAct(BaseModel):
    """One act. `terms` holds `act` and what it needs: see docs/reviews.md."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=2_000)] = ""
    terms: dict[str, Annotated[str, Field(max_length=MAX_TEXT)]]


@router.get("/api/v1/reviews")
async def waiting(deps: Deps, _: SignedIn) -> dict[str, Any]:
    """Open reviews and actions, the longest overdue first."""
    return {"items": [one.model_dump(mode="json") for one in await reviews.waiting(deps)]}


@router.get("/api/v1/reviews/{incident_id}")
async def show(incident_id: str, deps: Deps, _: SignedIn) -> dict[str, Any]:
    """`countermand.review/v1`: parts, remarks about their wording, actions, signatures and what is missing."""
    seen = await reviews.one(deps, incident_id)
    if seen is None:
        raise HTTPException(404, f"Incident {incident_id!r} has no review yet.")
    return reviews.review_json(seen, await deps.people.snapshot())


@router.post("/api/v1/reviews/{incident_id}/acts")
async def act(
    incident_id: str, body: ReviewAct, person: SignedIn, deps: Deps, idempotency_key: DecisionId = None
) -> dict[str, Any]:
    """Write a part, open, change, verify or drop an action, or waive the review."""
    answer = await reviews.act(
        deps, person, "api", incident_id, terms=body.terms, reason=body.reason, decision_id=idempotency_key
    )
    return answer.model_dump(mode="json")
