"""The Bolt app: which payload is what. Every listener does the same: keep it durably, answer Slack, carry it out."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack_inbox import Inbound
from adapters.slack_links import SlackUser
from adapters.slack_web import Json
from console.slack_commands import SlackCommands
from console.slack_desk import SlackDesk
from console.slack_home import SlackHome
from countermand.governance.approval import MIN_REASON
from countermand.messages.slack_card import ACKNOWLEDGE, APPROVE, ASK_AGAIN, EXTEND, HOLD, REJECT
from countermand.messages.slack_dialog import DECIDE, REASON, waiting_dialog
from countermand.messages.slack_start import HARM, RELEASE, SEVERITY, START

COMMAND = "/countermand"
_CLICKS = frozenset({ACKNOWLEDGE, APPROVE, REJECT, HOLD, ASK_AGAIN, EXTEND})

Listener = Callable[..., Awaitable[None]]


def bolt_app(desk: SlackDesk) -> AsyncApp:
    """The app over one desk. Signatures are checked before, or by the socket; the token is ours alone."""

    async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=desk.web.client.token)

    app = AsyncApp(
        name="countermand",
        client=AsyncWebClient(base_url=desk.web.client.base_url, retry_handlers=[]),
        authorize=authorize,
        signing_secret="",
        request_verification_enabled=False,
    )
    _register_clicks(app, desk)
    _register_submissions(app, desk)
    _register_commands(app, SlackCommands(desk))
    _register_home(app, SlackHome(desk))
    return app


def _register_clicks(app: AsyncApp, desk: SlackDesk) -> None:
    async def clicked(ack: AsyncAck, body: Json) -> None:
        inbound = click_of(body)
        fresh = inbound is not None and await desk.inbox.put(inbound)
        await ack()
        if fresh and inbound is not None:
            await desk.carry_out(inbound)

    app.action(re.compile(r".*"))(clicked)


def _register_submissions(app: AsyncApp, desk: SlackDesk) -> None:
    async def submitted(ack: AsyncAck, body: Json) -> None:
        inbound = submission_of(body)
        if len(inbound.reason) < MIN_REASON:
            words = f"Say in a sentence why: at least {MIN_REASON} characters; it stands in the record."
            await ack(response_action="errors", errors={REASON: words})
            return
        fresh = await desk.inbox.put(inbound)
        await ack(response_action="update", view=waiting_dialog())
        if fresh:
            await desk.carry_out(inbound)

    async def started(ack: AsyncAck, body: Json) -> None:
        inbound = start_of(body)
        texts = {HARM: inbound.terms.get(HARM), REASON: inbound.reason}
        short = {name: text for name, text in texts.items() if text is not None and len(text) < MIN_REASON}
        if short:
            await ack(response_action="errors", errors=dict.fromkeys(short, f"At least {MIN_REASON} characters."))
            return
        fresh = await desk.inbox.put(inbound)
        await ack(response_action="update", view=waiting_dialog())
        if fresh:
            await desk.carry_out(inbound)

    async def closed(ack: AsyncAck) -> None:
        await ack()

    app.view(DECIDE)(submitted)
    app.view(START)(started)
    app.view(re.compile(r".*"))(closed)


def _register_commands(app: AsyncApp, commands: SlackCommands) -> None:
    async def typed(ack: AsyncAck, body: Json) -> None:
        user, home_team = user_of(body)
        typed_text, trigger = str(body.get("text", "")), str(body.get("trigger_id", ""))
        text, blocks = await commands.answer(user, home_team, typed_text, trigger, body.get("channel_id"))
        await ack(response_type="ephemeral", text=text, blocks=blocks)

    app.command(COMMAND)(typed)


def _register_home(app: AsyncApp, home: SlackHome) -> None:
    async def opened(body: Json, event: Json) -> None:
        if event.get("tab") == "home":
            user = SlackUser(team_id=str(body.get("team_id", "")), user_id=str(event["user"]))
            seen = (event.get("view") or {}).get("hash")
            await home.publish(user, seen)

    app.event("app_home_opened")(opened)


def user_of(body: Json) -> tuple[SlackUser, str]:
    """Who did it, and the workspace they belong to; in a shared channel that is another one (T6)."""
    user: Any = body.get("user") or {}
    team: Any = body.get("team") or body.get("enterprise") or {}
    team_id = str(team.get("id") or body.get("team_id") or "")
    user_id = str(user.get("id") or body.get("user_id") or "") if isinstance(user, dict) else str(user)
    home_team = str(user.get("team_id") or team_id) if isinstance(user, dict) else team_id
    return SlackUser(team_id=team_id, user_id=user_id), home_team


def click_of(body: Json) -> Inbound | None:
    """A press on one of our buttons; None for links and for buttons we do not know."""
    action = body["actions"][0]
    if action.get("action_id") not in _CLICKS:
        return None
    user, home_team = user_of(body)
    channel = (body.get("channel") or {}).get("id")
    return Inbound(
        key=f"click/{user.team_id}/{user.user_id}/{action['action_ts']}/{action['action_id']}",
        what="click",
        user=user,
        home_team=home_team,
        action=action["action_id"],
        ask_id=str(action.get("value") or (action.get("selected_option") or {}).get("value", ""))[:200],
        channel=channel,
        trigger_id=body.get("trigger_id"),
    )


def submission_of(body: Json) -> Inbound:
    """A submitted dialog. The hash changes whenever the dialog does: sending it again on purpose is another row."""
    user, home_team = user_of(body)
    view = body["view"]
    kept = json.loads(view["private_metadata"])
    reason = view["state"]["values"][REASON][REASON].get("value") or ""
    return Inbound(
        key=f"submission/{user.team_id}/{view['id']}/{view.get('hash', '')}",
        what="submission",
        user=user,
        home_team=home_team,
        action=kept["action"],
        ask_id=kept["ask_id"],
        channel=kept.get("channel"),
        view_id=view["id"],
        approval_digest=kept.get("approval_digest"),
        view_sha256=kept.get("view_sha256"),
        reason=reason.strip(),
    )


def start_of(body: Json) -> Inbound:
    """A submitted form that starts something."""
    user, home_team = user_of(body)
    view = body["view"]
    kept = json.loads(view["private_metadata"])
    values = view["state"]["values"]
    terms = {name: str(values[name][name]["selected_option"]["value"]) for name in (RELEASE, SEVERITY)}
    if HARM in values:
        terms[HARM] = (values[HARM][HARM].get("value") or "").strip()
    return Inbound(
        key=f"submission/{user.team_id}/{view['id']}/{view.get('hash', '')}",
        what="submission",
        user=user,
        home_team=home_team,
        action=kept["kind"],
        ask_id="",
        channel=kept.get("channel"),
        view_id=view["id"],
        reason=(values[REASON][REASON].get("value") or "").strip(),
        terms=terms,
    )
