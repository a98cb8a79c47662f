"""Reporting clocks over the JSON API: look, record what happened, file, delay, decide. Not legal advice."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from adapters.templates import CannotRender
from console import duties, views
from console.api import DecisionId, Deps, ReasonText, SignedIn
from console.problems import Problem
from countermand.messages.incident import IncidentView
from countermand.messages.obligation import NOT_ADVICE
from countermand.messages.regulator import draft_facts
from countermand.obligations.dataset import DatasetInvalid
from countermand.obligations.profile import ProfileInvalid, accepted

router = APIRouter()

Term = Annotated[str, Field(max_length=2_000)]
Encoded = Annotated[str | None, Field(max_length=duties.MAX_BYTES * 4 // 3 + 4)]


class NewAct(BaseModel):
    """One act about a clock. `terms` depend on the act; docs/obligations.md lists them. Files come as base64."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    act: Annotated[str, Field(max_length=20)]
    reason: ReasonText
    terms: dict[str, Term] = {}
    content: Encoded = None
    receipt: Encoded = None


@router.get("/api/v1/obligations")
async def list_obligations(deps: Deps, _: SignedIn) -> dict[str, Any]:
    """Clocks of all incidents that somebody has to look after, the soonest first."""
    now = deps.clock()
    people = await deps.people.snapshot()
    items = []
    for one in await duties.every(deps):
        for clock in one.soonest:
            holders = [person.name for person in people.holders(clock.row.owner_role)]
            said = duties.said(clock, now, holders)
            items.append(
                {
                    "incident_id": one.view.incident_id,
                    "row": clock.row.id,
                    "title": clock.row.title,
                    "state": clock.state.value,
                    "until": said.until,
                    "asked": said.asked,
                    "otherwise": said.otherwise,
                }
            )
    return {"not_advice": NOT_ADVICE, "items": items}


@router.get("/api/v1/obligations/profile")
async def profile(deps: Deps, _: SignedIn) -> dict[str, Any]:
    """What the organisation declared, and what nobody declared."""
    try:
        dataset, found = await deps.duties.read()
    except (DatasetInvalid, ProfileInvalid) as error:
        raise Problem(
            503, "profile_unusable", str(error), "Repair the file; no clock is computed until then."
        ) from error
    return {
        "not_advice": NOT_ADVICE,
        "file": str(deps.settings.profile),
        "items": [
            {"path": path, "declared": said.words if (said := found.declared.get(path)) else "undeclared"}
            for path in sorted(accepted(dataset))
        ],
    }


async def _view(deps: Deps, incident_id: str) -> IncidentView:
    view = await views.one_incident(deps, incident_id)
    if view is None:
        raise Problem(404, "unknown_incident", f"no incident {incident_id!r}", "List them: GET /api/v1/incidents.")
    return view


@router.get("/api/v1/incidents/{incident_id}/obligations")
async def show(incident_id: str, deps: Deps, _: SignedIn) -> dict[str, Any]:
    """Every row by regime with its state and why."""
    found = await duties.of_incident(deps, await _view(deps, incident_id))
    return duties.duties_json(found, deps.clock())


@router.get("/api/v1/incidents/{incident_id}/obligations/{row}/draft")
async def draft(incident_id: str, row: str, deps: Deps, _: SignedIn) -> dict[str, Any]:
    """A draft of the report from the facts on record. Not legal advice."""
    return {"row": row, **await draft_of(deps, await _view(deps, incident_id), row)}


async def draft_of(deps: Deps, view: IncidentView, row: str) -> dict[str, Any]:
    """`text`, and the record it rests on. Raises Problem when there is no such row or no draft for it."""
    found = await duties.of_incident(deps, view)
    clock = next((one for regime in found.regimes for one in regime.clocks if one.row.id == row), None)
    if clock is None or found.found is None:
        raise Problem(404, "unknown_row", f"no row {row!r}", "List them: countermand obligations show.")
    seq = found.found.book.seq
    try:
        text = deps.renderer.render_draft(clock.row.template, draft_facts(view, found.found, clock, seq))
    except CannotRender as error:
        raise Problem(409, "no_draft", str(error), "Write this report by hand.") from error
    return {"facts_root": seq, "text": text}


@router.post("/api/v1/incidents/{incident_id}/obligations/acts")
async def act(
    incident_id: str, body: NewAct, person: SignedIn, deps: Deps, idempotency_key: DecisionId = None
) -> dict[str, Any]:
    """Sign one act: anchor, fact, file, set_aside, open, toll, decide."""
    terms = {**body.terms, "act": body.act}
    for name, given in (("sha256", body.content), ("receipt_sha256", body.receipt)):
        if given is not None:
            terms[name] = await duties.keep_file(deps, person, _bytes(given))
    if body.act == "toll" and "sha256" in terms:
        terms["document_sha256"] = terms.pop("sha256")
    answer = await duties.act(
        deps, person, "api", incident_id, reason=body.reason, terms=terms, decision_id=idempotency_key
    )
    return answer.model_dump(mode="json")


def _bytes(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise Problem(422, "schema", "the file is not base64", "Send its bytes as base64.") from error
