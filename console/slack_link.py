"""The page on which a signed-in person says: this Slack user is me (SLK-27). Looking at it changes nothing (T4)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from adapters.slack_links import SlackUser
from adapters.slack_web import SlackBusy, SlackRefused, SlackUnclear
from console.auth import Session, browser, own_form
from console.deps import Console, console
from console.render import Page, message
from console.slack_desk import SlackDesk
from countermand.messages.fencing import fenced

router = APIRouter(include_in_schema=False)


def slack_desk(request: Request) -> SlackDesk:
    """The desk of this console."""
    desk: SlackDesk = request.app.state.slack
    return desk


Deps = Annotated[Console, Depends(console)]
Desk = Annotated[SlackDesk, Depends(slack_desk)]
SignedIn = Annotated[Session, Depends(browser)]


@router.get("/slack/link/{code}")
async def offer(code: str, deps: Deps, session: SignedIn, desk: Desk) -> Response:
    user = await desk.links.offered(code)
    if user is None:
        return _gone()
    page = await Page.begin(deps, session)
    return page.html("slack_link.html", link_code=code, user=user, slack_name=await _name(desk, user), done=False)


@router.post("/slack/link/{code}")
async def confirm(code: str, deps: Deps, session: Annotated[Session, Depends(own_form)], desk: Desk) -> Response:
    """Link, once."""
    user = await desk.links.confirm(code, session.person.subject)
    if user is None:
        return _gone()
    page = await Page.begin(deps, session)
    return page.html("slack_link.html", link_code=code, user=user, slack_name=await _name(desk, user), done=True)


def _gone() -> Response:
    return message(404, "This address is used or too old", "It works once, for ten minutes.", "Type /countermand link.")


async def _name(desk: SlackDesk, user: SlackUser) -> str:
    """How Slack calls this user, for a person to recognise; nothing is decided by it."""
    try:
        known = await desk.web.user(user.user_id)
    except (SlackRefused, SlackBusy, SlackUnclear):
        return "unknown to us now"
    return fenced(str(known.get("real_name") or known.get("name") or ""), 80)
