"""Adopting playbooks over the JSON API: ask people, see what was adopted, read the text."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict

from console import adoptions
from console.api import Deps, ReasonText, SignedIn
from countermand.playbook.terms import Name

router = APIRouter()

Digest = Annotated[str, Path(pattern=r"^sha256:[0-9a-f]{64}$")]


class NewAdoption(BaseModel):
    """Why this version should be used."""

    model_config = ConfigDict(extra="forbid")

    reason: ReasonText


@router.post("/api/v1/playbooks/{digest}/adoption")
async def adopt(digest: Digest, body: NewAdoption, person: SignedIn, deps: Deps) -> dict[str, Any]:
    """Ask people to adopt a playbook that was sent before; whoever asks cannot sign."""
    return await adoptions.ask_to_adopt(deps, person, digest, body.reason.strip())


@router.get("/api/v1/playbooks/{name}/adoptions")
async def history(name: Annotated[Name, Path()], deps: Deps, _: SignedIn) -> dict[str, Any]:
    """Every version that was adopted: by whom, what it changed, signed by which key."""
    return await adoptions.history(deps, name)


@router.get("/api/v1/playbook-texts/{digest}")
async def text(digest: Digest, deps: Deps, _: SignedIn) -> dict[str, Any]:
    """The exact text of a stored playbook."""
    raw = (await adoptions.stored(deps, digest))[1]
    return {"schema": "countermand.playbook_text/v1", "digest": digest, "text": raw.decode()}
