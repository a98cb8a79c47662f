"""The JSON API of what people start out of order: declarations, concerns, break-glass."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from console import emergencies
from console.api import DecisionId, Deps, ReasonText, SignedIn
from console.problems import Problem
from countermand.governance.break_glass import Emergency
from countermand.governance.declaring import MAX_HARM, Declaration, Mode
from countermand.playbook.model import Severity

router = APIRouter(prefix="/api/v1")

Harm = Annotated[str, Field(max_length=MAX_HARM)]
StepUp = Annotated[str, Field(max_length=100)]


class NewDeclaration(BaseModel):
    """A proposal or an emergency. An emergency may break the glass at once; that needs a second factor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode
    severity: Severity = Severity.sev1
    harm: Harm
    reason: ReasonText
    break_glass: Emergency | None = None
    step_up: StepUp | None = None


class NewConcern(BaseModel):
    """A person says that a release is bad; `propose` asks for a rollback as well."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    severity: Severity
    reason: ReasonText
    propose: bool = False


class Use(BaseModel):
    """One use of break-glass in a running incident."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    emergency: Emergency
    harm: Harm
    reason: ReasonText
    step_up: StepUp | None = None


@router.post("/releases/{release_id}/declarations")
async def declare(
    release_id: str, body: NewDeclaration, person: SignedIn, deps: Deps, idempotency_key: DecisionId = None
) -> dict[str, Any]:
    said = Declaration(mode=body.mode, severity=body.severity, harm=body.harm.strip())
    decision_id = idempotency_key or str(uuid.uuid4())
    if body.break_glass is None:
        answer, incident_id = await emergencies.declare(
            deps, person, "api", release_id=release_id, said=said, reason=body.reason, decision_id=decision_id
        )
    else:
        if body.mode is not Mode.emergency:
            raise Problem(
                422, "schema", "break_glass belongs to mode 'emergency'.", "Use it, or leave break_glass out."
            )
        answer, incident_id = await emergencies.declare_and_break(
            deps,
            person,
            "api",
            release_id=release_id,
            said=said,
            emergency=body.break_glass,
            reason=body.reason,
            decision_id=decision_id,
            step_up=body.step_up,
        )
    return {**answer.model_dump(mode="json"), "incident_id": incident_id}


@router.post("/releases/{release_id}/concerns")
async def raise_concern(
    release_id: str, body: NewConcern, person: SignedIn, deps: Deps, idempotency_key: DecisionId = None
) -> dict[str, Any]:
    answer, incident_id = await emergencies.raise_concern(
        deps,
        person,
        "api",
        release_id=release_id,
        severity=body.severity,
        reason=body.reason,
        decision_id=idempotency_key or str(uuid.uuid4()),
        propose=body.propose,
    )
    return {**answer.model_dump(mode="json"), "incident_id": incident_id}


@router.post("/incidents/{incident_id}/break-glass")
async def break_glass(
    incident_id: str, body: Use, person: SignedIn, deps: Deps, idempotency_key: DecisionId = None
) -> dict[str, Any]:
    answer = await emergencies.break_glass(
        deps,
        person,
        "api",
        incident_id=incident_id,
        emergency=body.emergency.value,
        harm=body.harm,
        reason=body.reason,
        decision_id=idempotency_key or str(uuid.uuid4()),
        step_up=body.step_up,
    )
    return answer.model_dump(mode="json")
