"""Calls of the Slack Web API with an answer that says what is known: done, refused, wait, or nobody knows.

The SDK's own retries are off: it would send a lost `chat.postMessage` a second time, and Slack has no key that makes
two posts one (SLK-32). Waits that Slack asks for are waited here when they are short (SLK-31).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

Json = dict[str, Any]

#: Seconds one call may take.
TIMEOUT = 8
#: Longest wait asked by Slack that is waited inside a call, and how often.
MAX_WAIT = 5.0
MAX_WAITS = 3
#: Slack takes about one message per second and channel.
PACE = 1.0

#: Answers that do not say whether anything happened.
_UNCLEAR = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout"})


class SlackRefused(Exception):
    """Slack said no and did nothing; `code` is Slack's word for why."""

    def __init__(self, method: str, code: str) -> None:
        super().__init__(f"{method}: {code}")
        self.code = code


class SlackBusy(Exception):
    """Slack asked to wait longer than a call may; nothing was done."""

    def __init__(self, method: str, retry_after: float) -> None:
        super().__init__(f"{method}: Slack asks to wait {retry_after:g} s")
        self.retry_after = retry_after


class SlackUnclear(Exception):
    """No useful answer. What was asked may have happened, or may not."""


class SlackWeb:
    """One app's way to Slack. `client` is the SDK's, for what only it can do."""

    def __init__(self, token: str, api_url: str, *, timeout: int = TIMEOUT, pace: float = PACE) -> None:
        self.client = AsyncWebClient(token=token, base_url=api_url, timeout=timeout, retry_handlers=[])
        self._pace = pace
        self._free_at: dict[str, float] = {}

    async def post(self, channel: str, text: str, blocks: list[Json], metadata: Json, thread_ts: str | None) -> str:
        """Post one message, at most one per second and channel; returns its `ts`."""
        await self._turn(channel)
        said = await self._call(
            "chat.postMessage",
            lambda: self.client.chat_postMessage(
                channel=channel,
                text=text,
                blocks=blocks,
                metadata=metadata,
                thread_ts=thread_ts,
                unfurl_links=False,
                unfurl_media=False,
                link_names=False,
            ),
        )
        return str(said["ts"])

    async def update(self, channel: str, ts: str, text: str, blocks: list[Json], metadata: Json) -> None:
        """Replace a message as a whole. Without blocks Slack would keep the old ones, buttons included (SLK-33)."""
        await self._call(
            "chat.update",
            lambda: self.client.chat_update(
                channel=channel, ts=ts, text=text, blocks=blocks, metadata=metadata, link_names=False
            ),
        )

    async def ephemeral(self, channel: str, user: str, text: str, blocks: list[Json]) -> None:
        """Say something that one person sees."""
        await self._call(
            "chat.postEphemeral",
            lambda: self.client.chat_postEphemeral(channel=channel, user=user, text=text, blocks=blocks),
        )

    async def history(self, channel: str, oldest: float) -> list[Json]:
        """Messages of a channel since `oldest` (seconds since 1970), with their metadata."""
        said = await self._call(
            "conversations.history",
            lambda: self.client.conversations_history(
                channel=channel, oldest=f"{oldest:.6f}", include_all_metadata=True, limit=100
            ),
        )
        return list(said.get("messages", ()))

    async def replies(self, channel: str, thread_ts: str) -> list[Json]:
        """Messages of a thread, with their metadata."""
        said = await self._call(
            "conversations.replies",
            lambda: self.client.conversations_replies(
                channel=channel, ts=thread_ts, include_all_metadata=True, limit=200
            ),
        )
        return list(said.get("messages", ()))

    async def channel(self, channel: str) -> Json:
        """What Slack knows about a channel now."""
        said = await self._call("conversations.info", lambda: self.client.conversations_info(channel=channel))
        return dict(said["channel"])

    async def direct(self, user: str) -> str:
        """The channel of direct messages with a user."""
        said = await self._call("conversations.open", lambda: self.client.conversations_open(users=user))
        return str(said["channel"]["id"])

    async def user(self, user: str) -> Json:
        """What Slack knows about a user now."""
        said = await self._call("users.info", lambda: self.client.users_info(user=user))
        return dict(said["user"])

    async def create_private(self, name: str) -> str:
        """Create a private channel with the app in it; returns its id."""
        said = await self._call(
            "conversations.create", lambda: self.client.conversations_create(name=name, is_private=True)
        )
        return str(said["channel"]["id"])

    async def private_named(self, name: str) -> str | None:
        """The private channel of that name in which the app is, if there is one."""
        cursor = ""
        while True:
            said = await self._call("conversations.list", partial(self._private_channels, cursor))
            for channel in said.get("channels", ()):
                if channel.get("name") == name:
                    return str(channel["id"])
            cursor = str((said.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return None

    async def set_topic(self, channel: str, topic: str) -> None:
        await self._call(
            "conversations.setTopic", lambda: self.client.conversations_setTopic(channel=channel, topic=topic)
        )

    async def invite(self, channel: str, users: Sequence[str]) -> None:
        await self._call(
            "conversations.invite", lambda: self.client.conversations_invite(channel=channel, users=list(users))
        )

    async def pin(self, channel: str, ts: str) -> None:
        await self._call("pins.add", lambda: self.client.pins_add(channel=channel, timestamp=ts))

    async def bookmark(self, channel: str, title: str, url: str) -> None:
        """Put a link at the head of a channel."""
        await self._call(
            "bookmarks.add",
            lambda: self.client.bookmarks_add(channel_id=channel, title=title, type="link", link=url),
        )

    async def group(self, group: str) -> list[str]:
        """The ids of the users in a user group now. A group that is switched off is refused."""
        said = await self._call(
            "usergroups.users.list",
            lambda: self.client.usergroups_users_list(usergroup=group, include_disabled=False),
        )
        return [str(user) for user in said["users"]]

    async def open_view(self, trigger_id: str, view: Json) -> Json:
        """Open a dialog; returns the view with its id. A trigger works once and for 3 seconds."""
        said = await self._call("views.open", lambda: self.client.views_open(trigger_id=trigger_id, view=view))
        return dict(said["view"])

    async def update_view(self, view_id: str, view: Json) -> None:
        """Replace an open dialog."""
        await self._call("views.update", lambda: self.client.views_update(view_id=view_id, view=view))

    async def publish_home(self, user: str, view: Json, seen: str | None) -> None:
        """Publish the App Home of a user unless a newer one than `seen` is there."""
        await self._call(
            "views.publish",
            lambda: self.client.views_publish(user_id=user, view=view, **({"hash": seen} if seen else {})),
        )

    async def _private_channels(self, cursor: str) -> AsyncSlackResponse:
        return await self.client.conversations_list(
            types="private_channel", exclude_archived=True, limit=200, cursor=cursor
        )

    async def _turn(self, channel: str) -> None:
        now = asyncio.get_running_loop().time()
        at = max(now, self._free_at.get(channel, now))
        self._free_at[channel] = at + self._pace
        await asyncio.sleep(at - now)

    async def _call(self, method: str, send: Callable[[], Awaitable[AsyncSlackResponse]]) -> Json:
        """Raises SlackRefused, SlackBusy or SlackUnclear."""
        for waits in range(MAX_WAITS + 1):
            try:
                answer = await send()
            except SlackApiError as error:
                wait = _meant(method, error)
                if waits == MAX_WAITS or wait > MAX_WAIT:
                    raise SlackBusy(method, wait) from error
                await asyncio.sleep(wait)
                continue
            except (aiohttp.ClientError, TimeoutError, OSError, json.JSONDecodeError) as error:
                raise SlackUnclear(f"{method}: {type(error).__name__} {error}".strip()) from error
            if not isinstance(answer.data, dict):
                raise SlackUnclear(f"{method}: the answer is not JSON")
            return answer.data
        raise AssertionError("the last turn of the loop answers or raises")


def _meant(method: str, error: SlackApiError) -> float:
    """Seconds to wait when Slack said so. Raises SlackRefused when it said no, SlackUnclear when it said nothing."""
    answer = error.response
    # An answer that is no JSON comes as the HTTP library's response instead of the SDK's.
    status = int(getattr(answer, "status_code", 0) or getattr(answer, "status", 0))
    if status == 429:
        wait = answer.headers.get("Retry-After", "1")
        return float(wait) if str(wait).isdigit() else 1.0
    code = answer.get("error") if isinstance(answer, AsyncSlackResponse) and isinstance(answer.data, dict) else None
    if status >= 500 or code is None or code in _UNCLEAR:
        raise SlackUnclear(f"{method}: HTTP {status} {code or ''}".strip()) from error
    if code == "ratelimited":
        return 1.0
    raise SlackRefused(method, code) from error
