"""Duties over the JSON API: how each stands, starting one, saying that it is done or left out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from console import cadence
from console.api import DecisionId, Deps, ReasonText, SignedIn
from countermand.cadence import acts
from countermand.ledger.cadence_bodies import Verdict
from countermand.playbook.terms import Name

router = APIRouter()

DutyId = Annotated[Name, Path()]
Subject = Annotated[str, Field(max_length=100)]


class Start(BaseModel):
    """subject: only for this playbook; empty: for all, or the duty is about none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: Subject = ""


class Outcome(BaseModel):
    """What became of a duty. `reason`: notes where it is done, why where it is left out. criteria: for a threshold
    review, by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: Subject = ""
    outcome: Literal["done", "skip"]
    minutes: Annotated[int, Field(ge=0, le=acts.MOST_MINUTES)] = 0
    criteria: Annotated[dict[str, Verdict], Field(max_length=200)] = Field(default_factory=dict)
    reason: ReasonText = ""


@router.get("/api/v1/cadence")
async def listed(deps: Deps, _: SignedIn) -> dict[str, Any]:
    """`countermand.cadence/v1`: every duty, what is overdue first, and what readiness costs."""
    found = await cadence.board(deps)
    return {
        "schema": "countermand.cadence/v1",
        "items": [cadence.state_json(one, found.planned[one.duty.id]) for one in found.states],
        "refused": found.refused,
        "balance": (await cadence.balance_now(deps, found)).model_dump(mode="json"),
    }


@router.post("/api/v1/cadence/{duty}/runs")
async def start(duty: DutyId, body: Start, person: SignedIn, deps: Deps) -> dict[str, str]:
    """Start a run now, due or not."""
    return {"status": "started", "sentence": await cadence.begin(deps, person, duty, body.subject)}


@router.post("/api/v1/cadence/{duty}/outcomes")
async def outcome(
    duty: DutyId, body: Outcome, person: SignedIn, deps: Deps, idempotency_key: DecisionId = None
) -> dict[str, Any]:
    """Sign that it is done, or why it is left out this time."""
    said = acts.terms(body.outcome, duty, body.subject, minutes=body.minutes, criteria=dict(body.criteria))
    answer = await cadence.say(deps, person, "api", said, body.reason, idempotency_key)
    return answer.model_dump(mode="json")
