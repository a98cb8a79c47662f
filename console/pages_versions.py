"""The form of a release by which people put one of its versions on the deny list."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from console import versions
from console.auth import Session, own_form
from console.deps import Console, console
from console.pages_release import Typed, release_page
from console.problems import Problem
from console.render import segment
from console.submit import MAX_REASON, known_id, problem_of
from countermand.governance.denying import Denial

router = APIRouter()


@router.get("/releases/{release_id}/denials/{arm}/decision")
async def back_to_release(release_id: str, arm: str) -> Response:  # noqa: ARG001  # the release shows both
    """Where signing in again leads after a form was sent with an ended session."""
    return RedirectResponse(f"/releases/{segment(release_id)}", status_code=303)


@router.post("/releases/{release_id}/denials/{arm}/decision")
async def deny(
    release_id: str,
    arm: Literal["baseline", "candidate"],
    deps: Annotated[Console, Depends(console)],
    session: Annotated[Session, Depends(own_form)],
    reason: Annotated[str, Form()] = "",
    decision_id: Annotated[str, Form()] = "",
    step_up: Annotated[str, Form()] = "",
) -> Response:
    """Deny one. Accepted: back to the release; refused: why, and what was typed."""
    status = await deps.catalogue.release(release_id)
    if status is None:
        raise HTTPException(404)
    release = status.release
    bundle = release.baseline if arm == "baseline" else release.candidate
    if len(reason) > MAX_REASON:
        detail = f"The reason has {len(reason):,} characters; up to {MAX_REASON:,} are accepted."
        problem: Problem | None = Problem(422, "reason_too_long", detail, "Say the essence here.")
    else:
        said = Denial(digest=bundle.digest, environment=release.environment)
        work = versions.deny(
            deps,
            session.person,
            "web",
            said,
            reason=reason,
            decision_id=known_id(decision_id),
            step_up=step_up or None,
        )
        problem = await problem_of(work)
    if problem is None:
        return RedirectResponse(f"/releases/{segment(release_id)}#versions", status_code=303)
    typed = Typed(kind=f"deny-{arm}", reason=reason)
    return await release_page(deps, session, release_id, problem=problem, typed=typed, sent=decision_id)
