"""The role source `slack_user_group`: members of a user group who are linked to people (GOV-3, SLK-30)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from adapters.database import utc_now
from adapters.group_source import GroupMembers, SourceUnavailable
from adapters.slack_links import SlackLinks, SlackUser
from adapters.slack_web import Json, SlackBusy, SlackRefused, SlackUnclear, SlackWeb

#: What was read is used again for so long: pages ask often, Slack allows about 20 questions a minute.
READ_EVERY = timedelta(seconds=30)
#: Slack is not asked again for so long after it did not answer; nobody waits for it in vain twice.
TRY_AGAIN = timedelta(seconds=10)
#: Seconds for one group with all its members.
DEADLINE = 8.0

#: Flags of `users.info` that make a user no person, or none of ours (SLK-28), and what that means.
NOT_PEOPLE = ("is_bot", "is_workflow_bot", "is_connector_bot")
OUTSIDERS = {
    "is_stranger": "this Slack user belongs to another organisation",
    "is_restricted": "guests of this workspace cannot decide",
    "is_ultra_restricted": "guests of this workspace cannot decide",
    "deleted": "this Slack user is deactivated",
}


class SlackGroups:
    """Implements GroupSource. `teams`: workspaces whose people may decide."""

    def __init__(
        self, web: SlackWeb, links: SlackLinks, teams: Collection[str], clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._web = web
        self._links = links
        self._teams = frozenset(teams)
        self._clock = clock
        self._read: dict[str, GroupMembers] = {}
        self._failed: dict[str, tuple[datetime, str]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def members(self, group: str) -> GroupMembers:
        """Subjects of linked, active, full members. Raises SourceUnavailable when Slack does not say all of it."""
        async with self._locks.setdefault(group, asyncio.Lock()):
            now = self._clock()
            known = self._read.get(group)
            if known is not None and now - known.as_of < READ_EVERY:
                return known
            failed_at, why = self._failed.get(group, (now - TRY_AGAIN, ""))
            if now - failed_at < TRY_AGAIN:
                raise SourceUnavailable(why)
            try:
                async with asyncio.timeout(DEADLINE):
                    found = await self._ask(group, now)
            except (SlackRefused, SlackBusy, SlackUnclear) as error:
                self._failed[group] = now, str(error)
                raise SourceUnavailable(str(error)) from error
            except TimeoutError as error:
                self._failed[group] = now, f"Slack did not answer within {DEADLINE:g} s"
                raise SourceUnavailable(self._failed[group][1]) from error
            self._read[group] = found
            return found

    async def _ask(self, group: str, now: datetime) -> GroupMembers:
        users = await self._web.group(group)
        members: dict[str, datetime] = {}
        left_out = []
        for user, known in zip(users, await asyncio.gather(*map(self._web.user, users)), strict=True):
            team = str(known.get("team_id", ""))
            why = self._not_counted(known, team)
            subject = None if why else await self._links.subject(SlackUser(team_id=team, user_id=user))
            if subject is None:
                left_out.append(f"{user}: {why or 'not linked to a person'}")
            else:
                members[subject] = now
        return GroupMembers(members=members, as_of=now, left_out=tuple(left_out))

    def _not_counted(self, known: Json, team: str) -> str:
        if any(known.get(flag) for flag in NOT_PEOPLE):
            return "bots and workflows never decide"
        outside = next((words for flag, words in OUTSIDERS.items() if known.get(flag)), "")
        return outside or ("" if team in self._teams else f"the workspace {team!r} is not one of `teams`")
