"""Episodes of the past over the JSON API: list them, say what they were."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from console import episodes
from console.api import Deps, ReasonText, SignedIn

router = APIRouter()


class NewLabel(BaseModel):
    """What the episode was. version: one above the newest label, so that nobody overwrites unseen."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["incident", "near_miss", "quiet", "unknown"]
    harm_start: AwareDatetime | None = None
    version: Annotated[int, Field(ge=1)]
    note: ReasonText = ""


@router.get("/api/v1/episodes")
async def known(deps: Deps, _: SignedIn, service: str | None = None) -> dict[str, Any]:
    """Every watch of the past as an episode, under its newest label."""
    return await episodes.known(deps, service)


@router.post("/api/v1/episodes/{episode_id}/labels")
async def label(
    episode_id: Annotated[str, Path(max_length=121)], body: NewLabel, person: SignedIn, deps: Deps
) -> dict[str, Any]:
    """Say what an episode was. Backtests use the newest label."""
    return await episodes.label(deps, person, episode_id, body.kind, body.harm_start, body.version, body.note.strip())
