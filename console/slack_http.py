"""Slack at the console: requests over HTTP at `/slack/events`, or a socket that we open (SLK-11). Same listeners."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.adapter.starlette.async_handler import to_starlette_response
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest

from adapters.slack_settings import SlackSettings
from adapters.slack_web import SlackWeb
from console import slack_link
from console.deps import Console
from console.intake import read_body
from console.slack_app import bolt_app
from console.slack_desk import SlackDesk
from console.slack_signature import genuine

_log = logging.getLogger(__name__)

MAX_BODY = 1024 * 1024
#: How often it is looked for clicks that a process left behind.
SWEEP_EVERY = 15.0

router = APIRouter(include_in_schema=False)


class SlackInbound:
    """Slack's way in. Nothing is opened before `running`."""

    def __init__(self, deps: Console, settings: SlackSettings) -> None:
        self.settings = settings
        self.deps = deps
        self.desk = SlackDesk(deps, settings, SlackWeb(settings.bot_token(), settings.api_url))
        self.bolt: AsyncApp = bolt_app(self.desk)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Carry out what was left behind, and listen on the socket if there is a token for one."""
        sweeping = asyncio.create_task(self._sweep())
        token = self.settings.app_token()
        socket = AsyncSocketModeHandler(self.bolt, token) if token else None
        if socket is not None:
            await socket.connect_async()  # type: ignore[no-untyped-call]  # the library has no types here
        try:
            yield
        finally:
            if socket is not None:
                await socket.close_async()  # type: ignore[no-untyped-call]  # the library has no types here
            sweeping.cancel()

    async def _sweep(self) -> None:
        while True:
            try:
                await self.desk.sweep()
            except Exception:
                _log.exception("what Slack left in the inbox could not be carried out")
            await asyncio.sleep(SWEEP_EVERY)


def mount(app: FastAPI, deps: Console, settings: SlackSettings) -> SlackInbound:
    """Give a console its Slack routes."""
    inbound = SlackInbound(deps, settings)
    app.state.slack_inbound, app.state.slack = inbound, inbound.desk
    app.include_router(router)
    app.include_router(slack_link.router)
    return inbound


@router.post("/slack/events")
async def events(request: Request) -> Response:
    """Verify the signature over the raw bytes, then Bolt.

    A repeated request needs no store of signatures: the same signature means the same bytes, the same ids in them and
    so the same row in the inbox (T2).
    """
    inbound: SlackInbound = request.app.state.slack_inbound
    with inbound.desk.turns.answering():
        return await _answer(inbound, request)


async def _answer(inbound: SlackInbound, request: Request) -> Response:
    body = await read_body(request, MAX_BODY)
    headers = request.headers
    if not genuine(
        inbound.settings.signing_secrets(),
        headers.get("x-slack-request-timestamp", ""),
        headers.get("x-slack-signature", ""),
        body,
        inbound.deps.clock(),
    ):
        return PlainTextResponse("not signed by Slack for this app, or too old", status_code=401)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return PlainTextResponse("not UTF-8", status_code=400)
    asked = AsyncBoltRequest(body=text, query=str(request.url.query), headers=dict(headers))
    return to_starlette_response(await inbound.bolt.async_dispatch(asked))
