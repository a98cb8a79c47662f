"""The signal taxonomy: what every ready-made signal means, how late it is, and what it does not see."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from console.auth import Session, browser
from console.deps import Console, console
from console.render import Page
from countermand.playbook.taxonomy import FAMILIES, of_family

router = APIRouter()


@router.get("/signals")
async def signals(
    deps: Annotated[Console, Depends(console)], session: Annotated[Session, Depends(browser)]
) -> Response:
    """All definitions, family by family."""
    page = await Page.begin(deps, session)
    families = [(family, question, of_family(family)) for family, question in FAMILIES.items()]
    return page.html("signals.html", families=families)
