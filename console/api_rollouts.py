"""Rollouts over the JSON API: begin one, see how it stands, start or stop it (LRN-26…31)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from console import rollouts, schedules
from console.api import DecisionId, Deps, ReasonText, SignedIn
from console.decide import Act
from console.problems import Problem
from countermand.governance.decision import DecisionKind
from countermand.rollout.plan import Kind
from countermand.rollout.schedule import Every

router = APIRouter()


class NewRollout(BaseModel):
    """What is to be done: a sandbox that goes back, the ramp of the playbook, or the return after a way back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind


class RolloutDecision(BaseModel):
    """A start or a stop of exactly one plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal[DecisionKind.start_rollout, DecisionKind.stop_rollout]
    plan_digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    reason: ReasonText
    step_up: Annotated[str | None, Field(max_length=100)] = None


class NewSchedule(BaseModel):
    """A sandbox again and again: the time from one start to the next, 1h to 30d."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    every: Every


@router.post("/api/v1/releases/{release_id}/rollout", status_code=202)
async def begin(release_id: str, body: NewRollout, person: SignedIn, deps: Deps) -> dict[str, Any]:
    """Plan a rollout; it begins at once where no person has to start it."""
    return (await rollouts.begin(deps, person, release_id, body.kind)).model_dump(mode="json")


@router.get("/api/v1/releases/{release_id}/rollout")
async def newest(release_id: str, _: SignedIn, deps: Deps) -> dict[str, Any]:
    """The newest rollout of a release: `countermand.rollout/v1`, and what starts a sandbox of it again and again."""
    release = await rollouts.known(deps, release_id)
    views = await rollouts.of_release(deps.ledger, release_id)
    recurring = await schedules.of_release(deps, release)
    if not views:
        begin_one = f"Begin one: `countermand release rollout start {release_id}`."
        due = f" {' '.join(recurring.lines)}" if recurring else ""
        raise Problem(404, "unknown_rollout", f"release {release_id!r} has no rollout.{due}", begin_one)
    return views[0].json() | {"schedule": recurring.json() if recurring else None}


@router.put("/api/v1/releases/{release_id}/rollout/schedule")
async def schedule(release_id: str, body: NewSchedule, person: SignedIn, deps: Deps) -> dict[str, Any]:
    """Start a sandbox again and again; a schedule that is there already gets this interval."""
    return (await schedules.put(deps, person, release_id, body.every)).model_dump(mode="json")


@router.delete("/api/v1/releases/{release_id}/rollout/schedule")
async def unschedule(release_id: str, person: SignedIn, deps: Deps) -> dict[str, Any]:
    """Start no sandbox by a schedule any more; one that runs goes on."""
    return (await schedules.remove(deps, person, release_id)).model_dump(mode="json")


@router.post("/api/v1/releases/{release_id}/rollout/decisions")
async def decide(
    release_id: str, body: RolloutDecision, person: SignedIn, deps: Deps, idempotency_key: DecisionId = None
) -> dict[str, Any]:
    """Start or stop the rollout that runs."""
    act = Act(
        kind=body.kind,
        release_id=release_id,
        approval_digest=body.plan_digest,
        reason=body.reason,
        decision_id=idempotency_key,
        step_up=body.step_up,
    )
    return (await deps.gate.decide(act, person, "api")).model_dump(mode="json")
