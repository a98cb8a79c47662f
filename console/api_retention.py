"""JSON API: legal holds, what is deleted when, and requests for erasure."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from console import holds, retention
from console.api import DecisionId, ReasonText, SignedIn
from console.deps import Console, console
from countermand.governance.ballot import MIN_REASON
from countermand.playbook.terms import Name
from countermand.retention.holding import Scope
from countermand.retention.placing import MAX_MATTER

router = APIRouter()
Deps = Annotated[Console, Depends(console)]


class NewHold(BaseModel):
    """What nobody may delete. At least one of the lists has an entry."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    incidents: tuple[Name, ...] = ()
    classes: tuple[Name, ...] = ()
    subjects: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    matter: Annotated[str, Field(max_length=MAX_MATTER)] = ""
    custodians: tuple[str, ...] = ()
    reason: ReasonText
    step_up: str | None = None


class NewReason(BaseModel):
    """Why something is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Annotated[ReasonText, Field(min_length=MIN_REASON)]


class NewErasure(NewReason):
    """Whose words are to be erased. claim: what still needs them, in words."""

    subject: str
    claim: Annotated[str, Field(max_length=300)] = ""


@router.get("/api/v1/holds")
async def list_holds(deps: Deps, _: SignedIn) -> dict[str, Any]:
    """The holds in force, oldest first."""
    return {"items": [holds.hold_json(one) for one in await holds.in_force(deps)]}


@router.post("/api/v1/holds")
async def place(body: NewHold, person: SignedIn, deps: Deps, idempotency_key: DecisionId = None) -> dict[str, Any]:
    """Place one, at once."""
    scope = retention.scope_or_problem(
        incidents=body.incidents, classes=body.classes, subjects=body.subjects, digests=body.digests
    )
    answer = await holds.place(
        deps,
        person,
        "api",
        Scope.model_validate(scope),
        matter=body.matter,
        custodians=body.custodians,
        reason=body.reason,
        decision_id=idempotency_key,
        step_up=body.step_up,
    )
    return answer.model_dump(mode="json")


@router.post("/api/v1/holds/{hold_id}/release")
async def release(hold_id: str, body: NewReason, person: SignedIn, deps: Deps) -> dict[str, Any]:
    """Ask people to release one; whoever asks cannot sign."""
    return await holds.ask_to_release(deps, person, hold_id, body.reason.strip())


@router.get("/api/v1/retention")
async def show(deps: Deps, _: SignedIn) -> dict[str, Any]:
    """Each class with what is stored of it and when the next of it is due, and the newest certificates."""
    return await retention.overview(deps)


@router.post("/api/v1/retention/runs")
async def run(person: SignedIn, deps: Deps) -> dict[str, Any]:
    """Delete what is due now, instead of at the next daily run."""
    return await retention.run_now(deps, person)


@router.post("/api/v1/retention/erasures")
async def erase(body: NewErasure, person: SignedIn, deps: Deps, idempotency_key: DecisionId = None) -> dict[str, Any]:
    """Erase what one person wrote; what has to stay is answered with why."""
    wanted = idempotency_key or str(uuid.uuid4())
    return await retention.erase(deps, person, wanted, body.subject, body.reason.strip(), body.claim.strip())
