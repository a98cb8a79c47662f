"""Slack as one channel of a route: messages to operators and approvers go where people are (COM-18, SLK-36)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from activities.fence import PRODUCTION, Production
from activities.ports import Message
from adapters.channel_sending import Busy, Refused, Taken, message_id
from adapters.slack_check import message_problems
from adapters.slack_copies import Copy, SlackCopies
from adapters.slack_posting import Done, SlackPoster
from adapters.slack_rooms import SlackRooms, unfit
from adapters.slack_settings import SlackSettings
from adapters.slack_web import SlackWeb
from countermand.messages.block_kit import SlackMessage
from countermand.messages.slack_message import slack_message


class SlackSender:
    """Implements Sender. Each message is one row of `slack_card`: posted once, looked for after a lost answer."""

    environment: Production = PRODUCTION

    #: A route has a minute in all; mail or a pager behind Slack still has room.
    time_limit = timedelta(seconds=20)
    repeatable = True

    def __init__(
        self,
        web: SlackWeb,
        settings: SlackSettings,
        copies: SlackCopies,
        poster: SlackPoster,
        rooms: SlackRooms,
        console_url: str,
    ) -> None:
        self._web = web
        self._settings = settings
        self._copies = copies
        self._poster = poster
        self._rooms = rooms
        self._console_url = console_url

    async def send(self, message: Message, within: float) -> Taken:
        """Post it in the channel of its incident, or in the app's own. Raises Busy and Refused."""
        shown = slack_message(message.subject, message.text, f"{self._console_url}{message.path}", message.about)
        problems = message_problems(shown)
        if problems:
            raise Refused("; ".join(problems))
        try:
            async with asyncio.timeout(within):
                return await self._post(message, shown)
        except TimeoutError:
            raise Busy("no answer in time; it is looked for before it is posted again") from None

    async def _post(self, message: Message, shown: SlackMessage) -> Taken:
        channel = await self._rooms.channel(message)
        why = await unfit(self._web, self._settings, channel)
        if why:
            raise Refused(why)
        about = message.incident_id or message.release_id
        copy = Copy(card_id=f"message/{message_id(message)}", ask_id=about, place="Slack", channel=channel)
        copy, done = await self._copies.plan(copy), Done()
        posted = await self._poster.bring(copy, shown, 0, done, urgent=True)
        if posted is None or posted.ts is None:
            if done.retry_after is not None:
                raise Busy("; ".join(done.failed), done.retry_after)
            raise Refused("; ".join(done.failed)) if done.failed else Busy("another attempt is at it")
        await self._rooms.said(message, posted.ts)
        return Taken(provider_id=f"{posted.channel}/{posted.ts}")
