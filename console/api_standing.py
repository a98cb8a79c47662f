"""Standing authorisations and consents over the JSON API: ask, list, revoke; read, sign, refuse."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from console import consents
from console.api import DecisionId, Deps, Reason, ReasonText, SignedIn
from console.decide import Act
from console.intake import read_body
from console.problems import Problem
from console.standings import ask_for, standings
from countermand import ids
from countermand.canonical import canonical, instant
from countermand.governance.decision import DecisionKind
from countermand.governance.rights import Action
from countermand.messages.consent import ConsentView, consent_card

router = APIRouter(prefix="/api/v1")

MAX_DRAFT = 32 * 1024


class Signature(BaseModel):
    """A decision on one consent, for the digest that was shown. `step_up` names a confirmation with a second factor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["approve", "reject", "retract"]
    approval_digest: str | None = None
    view_sha256: str | None = None
    step_up: str | None = None
    reason: ReasonText = ""


@router.post("/standing")
async def ask_standing(request: Request, deps: Deps, person: SignedIn) -> dict[str, Any]:
    """Ask for a standing authorisation, described in YAML or JSON. Every problem is named at once."""
    return await ask_for(deps, await read_body(request, MAX_DRAFT), person)


@router.get("/standing")
async def list_standing(deps: Deps, _: SignedIn) -> dict[str, Any]:
    """What was issued, newest first, after what people are still asked to sign."""
    asked = [
        {**view.opened.document, "consent_id": view.opened.consent_id, "state": "pending", "signers": [], "why": ""}
        for view in await consents.every(deps.ledger)
        if view.closed is None and view.right.action is Action.standing_authorisation
    ]
    return {"items": [*asked, *(one.json() for one in await standings(deps))]}


@router.post("/standing/{authorisation_id}/revoke")
async def revoke_standing(
    authorisation_id: str, body: Reason, person: SignedIn, deps: Deps, idempotency_key: DecisionId = None
) -> dict[str, Any]:
    act = Act(
        kind=DecisionKind.withdraw,
        incident_id="",
        ask_id=ids.standing_consent(authorisation_id),
        reason=body.reason,
        decision_id=idempotency_key,
    )
    return (await deps.gate.decide(act, person, "api")).model_dump(mode="json")


@router.get("/consents/{consent_id}")
async def show_consent(consent_id: str, deps: Deps, person: SignedIn) -> dict[str, Any]:
    """The card, and the proof that this person was shown exactly these bytes."""
    view = await _consent(consent_id, deps)
    card = consent_card(view)
    shown = card.model_dump(mode="json")
    view_sha256 = await deps.shown.issue(
        person.subject, consent_id, card.approval_digest, canonical(shown), "application/json"
    )
    return {
        "schema": "countermand.consent/v1",
        "card": shown,
        "document": view.opened.document,
        "view_sha256": view_sha256,
        "status": view.status,
        "because": view.closed.because if view.closed else "",
        "expires_at": instant(view.opened.expires_at),
        "have": view.have,
        "need": view.need,
        "missing": list(view.missing),
        "votes": [vote.model_dump(mode="json") for vote in view.votes],
    }


@router.post("/consents/{consent_id}")
async def decide_consent(
    consent_id: str, body: Signature, person: SignedIn, deps: Deps, idempotency_key: DecisionId = None
) -> dict[str, Any]:
    view = await _consent(consent_id, deps)
    act = Act(
        kind=view.approving if body.kind == "approve" else DecisionKind(body.kind),
        incident_id=view.incident_id,
        ask_id=consent_id,
        approval_digest=body.approval_digest,
        view_sha256=body.view_sha256,
        reason=body.reason,
        decision_id=idempotency_key,
        step_up=body.step_up,
    )
    return (await deps.gate.decide(act, person, "api")).model_dump(mode="json")


async def _consent(consent_id: str, deps: Deps) -> ConsentView:
    view = await consents.one(deps.ledger, consent_id)
    if view is None:
        raise Problem(404, "unknown_ask", f"no request {consent_id!r}", "`countermand standing list` names them.")
    return view
