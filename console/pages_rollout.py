"""The forms of a release by which people begin, start and stop a rollout."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from console import rollouts
from console.auth import Session, own_form
from console.decide import Act
from console.deps import Console, console
from console.pages_release import Typed, release_page
from console.problems import Problem
from console.render import segment
from console.rollout_forms import BEGINS
from console.submit import known_id, problem_of, submit
from countermand.governance.decision import DecisionKind
from countermand.rollout.authority import KINDS

router = APIRouter()


@router.get("/releases/{release_id}/rollout/commands")
async def back_to_release(release_id: str) -> Response:
    """Where signing in again leads after a form was sent with an ended session."""
    return RedirectResponse(f"/releases/{segment(release_id)}", status_code=303)


@router.post("/releases/{release_id}/rollout/commands")
async def command(
    release_id: str,
    deps: Annotated[Console, Depends(console)],
    session: Annotated[Session, Depends(own_form)],
    kind: Annotated[str, Form()] = "",
    plan_digest: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    decision_id: Annotated[str, Form()] = "",
    step_up: Annotated[str, Form()] = "",
) -> Response:
    """Carry out one form. Accepted: back to the rollout; refused: why, and what was typed."""
    problem: Problem | None
    if kind in BEGINS:
        try:
            problem = await problem_of(rollouts.begin(deps, session.person, release_id, BEGINS[kind]))
        except Problem as found:
            problem = found
    elif kind in KINDS:
        act = Act(
            kind=DecisionKind(kind),
            release_id=release_id,
            approval_digest=plan_digest or None,
            reason=reason,
            decision_id=known_id(decision_id),
            step_up=step_up or None,
        )
        problem = await submit(deps, act, session.person)
    else:
        raise HTTPException(400, f"{kind!r} is nothing that a form here sends.")
    if problem is None:
        return RedirectResponse(f"/releases/{segment(release_id)}#rollout", status_code=303)
    typed = Typed(kind=kind, reason=reason)
    return await release_page(deps, session, release_id, problem=problem, typed=typed, sent=decision_id)
