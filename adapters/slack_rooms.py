"""Where messages about an incident are said in Slack: in a channel of its own where that is switched on (SLK-24).

A channel of its own is private, people are invited by role, its first message is pinned, and a bookmark leads to the
console. Whatever of this Slack refuses is logged; the message goes to the app's channel when there is no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable

from activities.ports import Message, RoleDirectory
from adapters.directory_file import GovernanceInvalid
from adapters.slack_copies import Copy, SlackCopies
from adapters.slack_links import SlackLinks
from adapters.slack_settings import SlackSettings
from adapters.slack_web import SlackBusy, SlackRefused, SlackUnclear, SlackWeb
from countermand.messages.block_kit import cut
from countermand.messages.fencing import shown

_log = logging.getLogger(__name__)

FAILURES = (SlackRefused, SlackBusy, SlackUnclear)
#: Kinds of channels in which people of other organisations read along and can press buttons (SLK-29).
_SHARED = ("is_ext_shared", "is_pending_ext_shared")
#: Slack cuts longer topics.
_TOPIC = 250


async def unfit(web: SlackWeb, settings: SlackSettings, channel: str) -> str:
    """Why nothing may be posted there; empty when it may. What cannot be asked is not taken for fit."""
    try:
        info = await web.channel(channel)
    except FAILURES as error:
        return str(error)
    if any(info.get(kind) for kind in _SHARED):
        return "it is shared with another organisation, so no request is shown there"
    if info.get("is_org_shared") and not settings.allow_org_shared:
        return "it is shared between workspaces; set allow_org_shared to allow that"
    return ""


class SlackRooms:
    """Ports: RoleDirectory. `console_url` is where the bookmark points."""

    def __init__(
        self,
        web: SlackWeb,
        settings: SlackSettings,
        copies: SlackCopies,
        links: SlackLinks,
        people: RoleDirectory,
        console_url: str,
    ) -> None:
        self._web = web
        self._settings = settings
        self._copies = copies
        self._links = links
        self._people = people
        self._console_url = console_url
        self._one_at_a_time: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def channel(self, message: Message) -> str:
        """The channel for a message; the incident's own one is made when the first message comes.

        A message that belongs to no incident goes to the app's channel.
        """
        if not (self._settings.incident_channels and message.incident_id):
            return self._settings.channel
        async with self._one_at_a_time[message.incident_id]:
            room = await self._room(message.incident_id)
            if room is not None:
                return room.channel
            try:
                channel = await self._made(message.incident_id)
            except FAILURES as error:
                _log.warning("no channel for %s: %s", message.incident_id, error)
                return self._settings.channel
            await self._copies.plan(_room(message.incident_id, channel))
            await self._try(self._web.set_topic(channel, cut(shown(message.subject), _TOPIC)))
            users = await self._invited()
            if users:
                await self._try(self._web.invite(channel, users))
            return channel

    async def said(self, message: Message, ts: str) -> None:
        """Pin the first message of an incident's own channel, and put the bookmark there."""
        room = await self._room(message.incident_id) if message.incident_id else None
        if room is None or room.ts is not None:
            return
        await self._try(self._web.pin(room.channel, ts))
        url = f"{self._console_url}{message.path}"
        await self._try(self._web.bookmark(room.channel, "The incident in the console", url))
        await self._copies.was_posted(room, ts, None)

    async def _room(self, incident_id: str) -> Copy | None:
        return (await self._copies.of(incident_id)).get(_room(incident_id, "").card_id)

    async def _made(self, incident_id: str) -> str:
        """Create the channel; one that is there by a cut-off attempt is taken."""
        try:
            return await self._web.create_private(incident_id)
        except SlackRefused as refused:
            if refused.code != "name_taken":
                raise
            found = await self._web.private_named(incident_id)
            if found is None:
                raise
            return found

    async def _invited(self) -> tuple[str, ...]:
        """Linked Slack users of everybody who holds one of the roles."""
        try:
            directory = await self._people.snapshot()
        except GovernanceInvalid as error:
            _log.warning("nobody is invited: %s", error)
            return ()
        found: list[str] = []
        for member in directory.holders(*self._settings.incident_channel_roles):
            users = await self._links.users(member.subject)
            found += [user.user_id for user in users if user.team_id in self._settings.teams]
        return tuple(found)

    async def _try(self, call: Awaitable[None]) -> None:
        try:
            await call
        except FAILURES as error:
            _log.info("left out: %s", error)


def _room(incident_id: str, channel: str) -> Copy:
    """The row that remembers the channel; its `ts` is the pinned message."""
    return Copy(card_id=f"{incident_id}/room", ask_id=incident_id, place="channel of the incident", channel=channel)
