"""Forms of a release by which people start something out of order: a rollback, an emergency, unfairness, a concern."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from console import emergencies
from console.auth import Session, own_form
from console.deps import Console, console
from console.pages_release import Typed, release_page
from console.problems import Problem
from console.render import segment
from console.submit import MAX_REASON, known_id, problem_of
from countermand.governance.break_glass import Emergency
from countermand.governance.declaring import MAX_HARM, Declaration, Mode
from countermand.playbook.model import Severity

router = APIRouter()

Deps = Annotated[Console, Depends(console)]

KINDS = ("propose", "emergency", "unfairness", "concern")


@router.get("/releases/{release_id}/commands")
async def back_to_release(release_id: str) -> Response:
    """Where signing in again leads after a form was sent with an ended session."""
    return RedirectResponse(f"/releases/{segment(release_id)}", status_code=303)


@router.post("/releases/{release_id}/commands")
async def start(
    release_id: str,
    deps: Deps,
    session: Annotated[Session, Depends(own_form)],
    kind: Annotated[str, Form()] = "",
    severity: Annotated[str, Form()] = "",
    harm: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    act_now: Annotated[str, Form()] = "",
    propose: Annotated[str, Form()] = "",
    decision_id: Annotated[str, Form()] = "",
    step_up: Annotated[str, Form()] = "",
) -> Response:
    """Carry out one form. Accepted: to the incident, or back to the release; refused: why, and what was typed."""
    if kind not in KINDS or severity not in tuple(Severity) or act_now not in ("", *Emergency):
        raise HTTPException(400, f"({kind!r}, {severity!r}, {act_now!r}) is nothing that a form here sends.")
    typed = Typed(kind=kind, severity=severity, harm=harm, reason=reason, act_now=act_now, propose=propose == "yes")
    problem = _too_long(typed)
    if problem is None:
        # A form sent twice is one decision; a form without an id is one of its own.
        decision = known_id(decision_id) or str(uuid.uuid4())
        problem = await problem_of(_carry_out(deps, session, release_id, typed, decision, step_up or None))
        if problem is None:
            incident_id = await _incident_of(deps, typed, decision)
            where = f"/incidents/{segment(incident_id)}" if incident_id else f"/releases/{segment(release_id)}#concerns"
            return RedirectResponse(where, status_code=303)
    return await release_page(deps, session, release_id, problem=problem, typed=typed, sent=decision_id)


async def _carry_out(
    deps: Console, session: Session, release_id: str, typed: Typed, decision_id: str, step_up: str | None
) -> None:
    shared: dict[str, Any] = {"release_id": release_id, "reason": typed.reason, "decision_id": decision_id}
    severity = Severity(typed.severity)
    if typed.kind == "concern":
        await emergencies.raise_concern(deps, session.person, "web", severity=severity, propose=typed.propose, **shared)
        return
    said = Declaration(mode=Mode(typed.kind), severity=severity, harm=typed.harm.strip())
    if typed.kind == "emergency" and typed.act_now:
        await emergencies.declare_and_break(
            deps, session.person, "web", said=said, emergency=Emergency(typed.act_now), step_up=step_up, **shared
        )
    else:
        await emergencies.declare(deps, session.person, "web", said=said, **shared)


async def _incident_of(deps: Console, typed: Typed, decision_id: str) -> str | None:
    """The incident that came of it."""
    if typed.kind == "concern" and not typed.propose:
        return None
    made = f"{decision_id}.propose" if typed.kind == "concern" else decision_id
    record = await deps.ledger.find(f"decision/{made}")
    return record.incident_id if record else None


def _too_long(typed: Typed) -> Problem | None:
    for name, text, most in (("harm", typed.harm, MAX_HARM), ("reason", typed.reason, MAX_REASON)):
        if len(text) > most:
            detail = f"The {name} has {len(text):,} characters; up to {most:,} are accepted."
            return Problem(422, f"{name}_too_long", detail, "Say the essence here.")
    return None
