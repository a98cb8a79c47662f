"""Templates to HTML: autoescape on, missing values are errors, invisible characters made visible (CON-6)."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from console.auth import Session
from console.deps import Console
from console.states import mark
from countermand import __version__
from countermand.canonical import instant, parse_instant
from countermand.messages.facts import in_words, spoken, utc
from countermand.messages.fencing import fenced, shown
from countermand.playbook.units import format_percent

STATIC = Path(__file__).parent / "static"
#: Whether this request is of a rehearsal: every page of it says so (CON-19, T28).
REHEARSAL: ContextVar[bool] = ContextVar("rehearsal", default=False)


def relative(at: datetime, now: datetime) -> str:
    """`3 minutes ago`, `in 10 minutes`, `now`."""
    span = at - now
    if abs(span) < timedelta(seconds=1):
        return "now"
    return f"in {in_words(span)}" if span > timedelta() else f"{in_words(-span)} ago"


def short(digest: str) -> str:
    """The first 12 hex digits of a digest."""
    return digest.removeprefix("sha256:")[:12]


def segment(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="")


def _words(identifier: str) -> str:
    return identifier.replace("_", " ").replace("-", " ")


def _shown(value: object) -> object:
    """Whatever is printed from data: a right-to-left override or an escape sequence must be seen, not obeyed."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return "\n".join(shown(line.removesuffix("\r")) for line in value.split("\n"))
    return value


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "instant": instant,
        "fenced": fenced,
        "in_words": in_words,
        "parsed": parse_instant,
        "percent": format_percent,
        "relative": relative,
        "segment": segment,
        "short": short,
        "spoken": spoken,
        "utc": utc,
        "words": _words,
    }
    environment.globals |= {"mark": mark, "version": __version__, "rehearsal": REHEARSAL.get}
    return environment


ENVIRONMENT = _environment()


def fragment(template: str, **context: object) -> Markup:
    """A part of a page whose exact bytes are kept."""
    return Markup(ENVIRONMENT.get_template(template).render(context))  # noqa: S704  # autoescaped by the environment


class Page:
    """What every page of one signed-in person has in common.

    `as_of` is the Ledger's head before anything was read for the page: live updates start from there, so a
    change between rendering and connecting is not missed.
    """

    def __init__(self, session: Session, now: datetime, as_of: int) -> None:
        self.session = session
        self.now = now
        self.as_of = as_of

    @classmethod
    async def begin(cls, deps: Console, session: Session) -> Page:
        """Call this before the page's own reads."""
        return cls(session, deps.clock(), await deps.ledger.head())

    def html(
        self,
        template: str,
        *,
        path: str = "",
        topic: str = "",
        regions: Sequence[str] = (),
        code: int = 200,
        **context: Any,
    ) -> HTMLResponse:
        """Render. With a `topic` the page listens to live updates and renews `regions` from `path`."""
        shared = {
            "session": self.session,
            "now": self.now,
            "as_of": self.as_of,
            "path": path,
            "topic": topic,
            "regions": regions,
        }
        return HTMLResponse(ENVIRONMENT.get_template(template).render(shared | context), status_code=code)


def standalone(template: str, status: int = 200, **context: object) -> HTMLResponse:
    """A page for somebody who is not signed in."""
    shared = {"session": None, "topic": "", "regions": ()}
    return HTMLResponse(ENVIRONMENT.get_template(template).render(shared | context), status_code=status)


def message(status: int, title: str, detail: str, next_: str) -> HTMLResponse:
    """A page for an error: what is wrong and what to do next."""
    return standalone("message.html", status, title=title, detail=detail, next=next_)
