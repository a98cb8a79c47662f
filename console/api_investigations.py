"""Investigations of unfairness over the JSON API: read one, fill in its form, sign a finding."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from console import investigations, views
from console.api import DecisionId, Deps, ReasonText, SignedIn
from console.decide import Act
from console.problems import Problem
from countermand.governance.decision import DecisionKind
from countermand.governance.investigation_form import MAX_FIELD, Outcome
from countermand.messages.incident import IncidentView
from countermand.messages.investigation import InvestigationView
from countermand.messages.public_summary import public_facts

router = APIRouter()

Words = Annotated[str, Field(max_length=MAX_FIELD)]


class Filling(BaseModel):
    """Fields of the form by name; what is left out stays as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fields: Annotated[dict[str, Words], Field(min_length=1, max_length=30)]


class Finding(BaseModel):
    """A finding on the form with this digest. adjustment: what is changed instead of going back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Outcome
    digest: Annotated[str, Field(max_length=100)]
    reason: ReasonText
    adjustment: Words = ""
    step_up: Annotated[str | None, Field(max_length=100)] = None


@router.get("/api/v1/incidents/{incident_id}/investigation")
async def show(incident_id: str, deps: Deps, _: SignedIn) -> dict[str, Any]:
    """The newest investigation of an incident: numbers, form, findings, and until when it waits."""
    return investigations.body(*await _one(deps, incident_id))


@router.post("/api/v1/incidents/{incident_id}/investigation/form")
async def fill(
    incident_id: str, body: Filling, person: SignedIn, deps: Deps, decision_id: DecisionId = None
) -> dict[str, Any]:
    """Fill in fields; every signature under a finding on the earlier form is void."""
    act = Act(kind=DecisionKind.fill_investigation, incident_id=incident_id, terms=body.fields, decision_id=decision_id)
    return (await deps.gate.decide(act, person, "api")).model_dump(mode="json")


@router.post("/api/v1/incidents/{incident_id}/investigation/finding")
async def finding(
    incident_id: str, body: Finding, person: SignedIn, deps: Deps, decision_id: DecisionId = None
) -> dict[str, Any]:
    """Sign a finding; refused while a required field is empty."""
    act = Act(
        kind=DecisionKind.decide_finding,
        incident_id=incident_id,
        approval_digest=body.digest,
        reason=body.reason,
        terms={"outcome": body.outcome.value, "adjustment": body.adjustment},
        decision_id=decision_id,
        step_up=body.step_up,
    )
    return (await deps.gate.decide(act, person, "api")).model_dump(mode="json")


@router.get("/api/v1/incidents/{incident_id}/investigation/public-summary")
async def public_summary(incident_id: str, deps: Deps, _: SignedIn) -> dict[str, Any]:
    """A summary in plain words to publish: no name, no typed word. Nothing before the investigation is over."""
    view, found = await _one(deps, incident_id)
    if found.ended is None:
        raise Problem(409, "wrong_state", "The investigation is still open.", "Publish it once it has ended.")
    text = deps.renderer.render_public_summary(public_facts(view, found))
    return {"schema": "countermand.public_summary/v1", "incident_id": incident_id, "text": text}


async def _one(deps: Deps, incident_id: str) -> tuple[IncidentView, InvestigationView]:
    view = await views.one_incident(deps, incident_id)
    if view is None or view.investigation is None:
        raise Problem(404, "not_found", f"Nothing is investigated in incident {incident_id!r}.", "List the incidents.")
    return view, view.investigation
