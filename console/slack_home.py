"""Publish the App Home of a person whenever they open it."""

from __future__ import annotations

import logging

from adapters.directory_file import GovernanceInvalid
from adapters.slack_check import view_problems
from adapters.slack_links import SlackUser
from adapters.slack_web import Json, SlackBusy, SlackRefused, SlackUnclear
from console import views
from console.slack_desk import SlackDesk
from console.slack_people import TurnedAway
from countermand.messages.slack_home import home, stranger_home

_log = logging.getLogger(__name__)


class SlackHome:
    """Reads as the overview page of the console does."""

    def __init__(self, desk: SlackDesk) -> None:
        self._desk = desk

    async def publish(self, user: SlackUser, seen: str | None) -> None:
        """Publish unless a newer view than `seen` is there already; what Slack refuses is logged."""
        try:
            view = await self._view(user)
        except TurnedAway as away:
            view = stranger_home(f"You cannot decide here: {away.detail}", away.next)
        except GovernanceInvalid as error:
            view = stranger_home(str(error), "Nobody can decide until this file is repaired.")
        problems = view_problems(view)
        if problems:
            _log.warning("the App Home is not published: %s", "; ".join(problems))
            return
        try:
            await self._desk.web.publish_home(user.user_id, view, seen)
        except (SlackRefused, SlackBusy, SlackUnclear) as error:
            _log.info("the App Home was not published: %s", error)

    async def _view(self, user: SlackUser) -> Json:
        person = await self._desk.people.person(user, user.team_id)
        deps = self._desk.deps
        roles = set((await deps.people.snapshot()).roles_of(person.subject))
        incidents = await views.recent_incidents(deps)
        asks = [(view, ask) for view in incidents for ask in reversed(view.asks)]
        return home(
            [one for one in asks if one[0].closed is None and views.waits_for(one[1], person.subject, roles)],
            [one for one in asks if one[1].opened.requester == person.subject],
            incidents,
            self._desk.console_url,
        )
