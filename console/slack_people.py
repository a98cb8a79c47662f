"""Which person stands behind a click in Slack, looked up anew for every decision (SLK-27, SLK-28).

Ids decide, names never do. Whoever is not certainly one person of ours is turned away with a reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.directory_slack import NOT_PEOPLE, OUTSIDERS
from adapters.slack_links import SlackLinks, SlackUser
from adapters.slack_settings import SlackSettings
from adapters.slack_web import Json, SlackBusy, SlackRefused, SlackUnclear, SlackWeb
from console.decide import Person
from countermand.governance.decision import Refused

_CONSOLE = "Decide in the console instead."


class TurnedAway(Exception):
    """A click that counts for nothing. `code` is a reason code, `next` what to do, `buttons` a way on.

    `subject` is None for somebody who is not certainly a person of ours.
    """

    def __init__(
        self, code: str, detail: str, next_: str, subject: str | None = None, buttons: Sequence[Json] = ()
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.next = next_
        self.subject = subject
        self.buttons = buttons

    @classmethod
    def of(cls, refusal: Refused, subject: str, buttons: Sequence[Json] = ()) -> TurnedAway:
        """A refusal by our own rules, of a person we know."""
        return cls(refusal.code.value, refusal.detail, refusal.next, subject, buttons)


class SlackPeople:
    """Raises TurnedAway from every method."""

    def __init__(self, settings: SlackSettings, web: SlackWeb, links: SlackLinks) -> None:
        self._settings = settings
        self._web = web
        self._links = links

    async def person(self, user: SlackUser, home_team: str) -> Person:
        """The person this Slack user is, as Slack and our links know it now."""
        await self.colleague(user, home_team)
        subject = await self._links.subject(user)
        if subject is None:
            raise TurnedAway(
                "not_linked",
                "nobody knows yet which account this Slack user is.",
                "Type `/countermand link`, open the address and confirm; then click again.",
            )
        return Person(subject=subject, name=subject)

    async def colleague(self, user: SlackUser, home_team: str) -> Json:
        """What Slack knows about a full member of an allowed workspace, linked or not."""
        self._allow(user.team_id, home_team)
        try:
            known = await self._web.user(user.user_id)
        except SlackRefused as refused:
            raise TurnedAway("external_account", f"Slack does not know this user ({refused.code}).", _CONSOLE) from None
        except (SlackBusy, SlackUnclear):
            raise TurnedAway(
                "directory_unavailable", "Slack does not say now who this user is.", f"Try again. {_CONSOLE}"
            ) from None
        if any(known.get(flag) for flag in NOT_PEOPLE):
            raise TurnedAway("actor_not_a_person", "bots and workflows never decide.", "A person has to click.")
        for flag, words in OUTSIDERS.items():
            if known.get(flag):
                raise TurnedAway("external_account", f"{words}.", _CONSOLE)
        self._allow(str(known.get("team_id", "")), home_team)
        return known

    def _allow(self, *teams: str) -> None:
        for team in teams:
            if team not in self._settings.teams:
                raise TurnedAway(
                    "external_account",
                    f"the workspace {team or 'of this user'} is not one of those that may decide.",
                    f"{_CONSOLE} Workspaces are listed under `teams` in slack.yaml.",
                )
