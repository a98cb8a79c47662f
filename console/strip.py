"""The strip of a rehearsal with real people, on every page: whether it is paused, what reached whom (CON-19, T28)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import HTMLResponse

from console.auth import Session, browser
from console.render import ENVIRONMENT

router = APIRouter()


@dataclass(frozen=True)
class Arrived:
    """Something that reached everybody who holds a role. channel: how it came."""

    at: datetime
    role: str
    channel: str
    content: str


class Strip:
    """roles_of: which roles a person holds now. What is about nobody's role is nobody's to read."""

    def __init__(self, roles_of: Callable[[str], Collection[str]]) -> None:
        self._roles_of = roles_of
        self._arrived: list[Arrived] = []
        #: Why nothing goes on; empty while it does.
        self.paused = ""

    def arrive(self, one: Arrived) -> None:
        """Show it from now on, newest first."""
        self._arrived.insert(0, one)

    def of(self, subject: str) -> list[Arrived]:
        """What this person may read."""
        roles = self._roles_of(subject)
        return [one for one in self._arrived if one.role in roles]

    def mount(self, app: FastAPI) -> None:
        """Show it on every page of this console."""
        app.state.strip = self
        app.include_router(router)


#: The strip of the console that answers this request; None in production and where scripted people rehearse.
STRIP: ContextVar[Strip | None] = ContextVar("strip", default=None)
ENVIRONMENT.globals["strip"] = STRIP.get


@router.get("/rehearsal/strip", include_in_schema=False)
async def strip(session: Annotated[Session, Depends(browser)]) -> HTMLResponse:
    """The strip alone, as every page asks for it again and again."""
    return HTMLResponse(ENVIRONMENT.get_template("_strip.html").render(session=session))
