"""The cards of requests in Slack: one in the channel, one for each person asked, notes in the thread.

Implements AskCards. What copies there are is known from the table `slack_card`, what they have to show from the
Ledger; nothing is kept in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from activities.fence import PRODUCTION, Production
from activities.ports import CardCopy, CardsShown, RoleDirectory
from adapters.database import Database, utc_now
from adapters.directory_file import GovernanceInvalid
from adapters.slack_check import message_problems
from adapters.slack_copies import Copy, SlackCopies
from adapters.slack_links import SlackLinks, SlackUser
from adapters.slack_posting import LOOK_BACK, Done, SlackPoster
from adapters.slack_rooms import FAILURES, unfit
from adapters.slack_settings import SlackSettings
from adapters.slack_web import SlackUnclear, SlackWeb
from countermand.governance.directory import Directory, Member
from countermand.messages.ask_card import ask_card
from countermand.messages.block_kit import SlackMessage
from countermand.messages.incident import AskView, IncidentView
from countermand.messages.slack_card import minimal_card, slack_card
from countermand.messages.slack_notes import Note, calling, notes


class NoCards:
    """Implements AskCards where Slack is not configured: the console, the command line and messages remain."""

    environment: Production = PRODUCTION

    async def asked(self, view: IncidentView, ask_id: str) -> tuple[tuple[str, str], ...]:  # noqa: ARG002
        return ()

    async def show(self, view: IncidentView, ask_id: str, revision: int) -> CardsShown:  # noqa: ARG002
        return CardsShown()


@dataclass(frozen=True)
class _Round:
    """One call of `show`: what every copy has to say, what is there, and what has happened so far."""

    ask: AskView
    message: SlackMessage
    revision: int
    known: dict[str, Copy]
    done: Done

    @property
    def over(self) -> bool:
        return self.ask.closed is not None

    @property
    def urgent(self) -> bool:
        """Shown at once: the end, and the vote that brings it, however short before something else was shown."""
        if self.over or not self.ask.votes:
            return self.over
        newest = self.ask.votes[-1]
        return newest.vote == "reject" or (newest.have >= newest.need and not newest.missing)

    def id(self, name: str) -> str:
        return f"{self.ask.opened.ask_id}/{name}"

    def new(self, name: str, place: str, channel: str, thread_ts: str | None = None) -> Copy:
        ask_id = self.ask.opened.ask_id
        return Copy(card_id=self.id(name), ask_id=ask_id, place=place, channel=channel, thread_ts=thread_ts)


class SlackCards:
    """Ports: RoleDirectory. `console_url` is where links point."""

    environment: Production = PRODUCTION

    def __init__(
        self,
        db: Database,
        web: SlackWeb,
        settings: SlackSettings,
        people: RoleDirectory,
        console_url: str,
        clock: Callable[[], datetime] = utc_now,
        look_back: float = LOOK_BACK,
    ) -> None:
        self._web = web
        self._settings = settings
        self._people = people
        self._console_url = console_url
        self._links = SlackLinks(db, clock)
        self._copies = SlackCopies(db, clock)
        self._poster = SlackPoster(web, self._copies, clock, look_back)

    async def asked(self, view: IncidentView, ask_id: str) -> tuple[tuple[str, str], ...]:
        members = _members(_found(view, ask_id), await self._directory(Done()))
        return tuple([(one.subject, one.name) for one in members if await self._users(one.subject)])

    async def show(self, view: IncidentView, ask_id: str, revision: int) -> CardsShown:
        ask = _found(view, ask_id)
        done = Done()
        message = self._checked(view, ask, done)
        now = _Round(ask, message, revision, await self._copies.of(ask_id), done)
        directory = await self._directory(done)
        people, unreached = await self._asked(ask, directory)
        await asyncio.gather(
            self._channel(now, view, directory),
            *[self._directly(now, name, user) for name, user in people],
            *[self._renew(now, copy) for copy in now.known.values() if "/direct/" in copy.card_id],
        )
        title = ask_card(view, ask).title
        return CardsShown(
            posted=tuple(done.posted),
            edited=tuple(done.edited),
            failed=tuple(done.failed),
            unreached=tuple(unreached),
            standing=tuple(
                CardCopy(key=copy.card_id, place=copy.place, subject=title, text_sha256=copy.posted or copy.shown or "")
                for copy in (await self._copies.of(ask_id)).values()
                if copy.ts is not None
            ),
            retry_after=done.retry_after,
            silent=done.silent,
        )

    # --- the channel ----------------------------------------------------------------------------------------

    async def _channel(self, now: _Round, view: IncidentView, directory: Directory | None) -> None:
        card = await self._channel_card(now)
        if card is None or card.ts is None or directory is None:
            return
        quiet = directory.governance.limits.ack_quiet
        for note in notes(view, now.ask, lambda roles: tuple(one.subject for one in directory.holders(*roles)), quiet):
            copy = now.known.get(now.id(f"note/{note.key}"))
            if copy is None or copy.ts is None:
                await self._note(now, note, card)

    async def _channel_card(self, now: _Round) -> Copy | None:
        """The one card in the channel, or in the second channel when the first cannot take it."""
        there = [now.known[now.id(name)] for name in ("channel", "fallback") if now.id(name) in now.known]
        standing = [copy for copy in [await self._renew(now, copy) for copy in there] if copy is not None]
        if standing:
            return standing[0]
        for name, channel in (("channel", self._settings.channel), ("fallback", self._settings.fallback_channel)):
            if channel is None:
                continue
            place = f"channel {channel}" + (" (second channel)" if name == "fallback" else "")
            why = await unfit(self._web, self._settings, channel)
            if why:
                now.done.failed.append(f"{place}: {why}")
                continue
            copy = await self._copies.plan(now.new(name, place, channel))
            posted = await self._poster.bring(copy, now.message, now.revision, now.done, urgent=now.urgent)
            if posted is not None:
                return posted
        return None

    async def _note(self, now: _Round, note: Note, card: Copy) -> None:
        """Notes are posted once and never changed."""
        users = [user.user_id for subject in note.to for user in await self._users(subject)]
        message = calling(note.message, tuple(users))
        problems = message_problems(message)
        if problems:
            now.done.failed.append(f"note {note.key}: {'; '.join(problems)}")
            return
        planned = now.new(f"note/{note.key}", f"note in {card.place}", card.channel, card.thread_ts or card.ts)
        copy = await self._copies.plan(planned)
        await self._poster.bring(copy, message, now.revision, now.done, urgent=True)

    # --- people ---------------------------------------------------------------------------------------------

    async def _asked(self, ask: AskView, directory: Directory | None) -> tuple[list[tuple[str, SlackUser]], list[str]]:
        """Everybody asked so far: Slack users with their person's name, and who gets no card and why."""
        found: list[tuple[str, SlackUser]] = []
        lacking: list[str] = []
        for member in _members(ask, directory):
            users = await self._users(member.subject)
            if not users:
                lacking.append(f"{member.name} has no linked Slack user")
            elif ask.lanes.get(member.subject) == "batch":
                lacking.append(f"{member.name} had their share of requests in the last hour; it is in their list")
            else:
                found += [(member.name, user) for user in users]
        return found, lacking

    async def _users(self, subject: str) -> list[SlackUser]:
        return [user for user in await self._links.users(subject) if user.team_id in self._settings.teams]

    async def _directly(self, now: _Round, name: str, user: SlackUser) -> None:
        """The card in somebody's direct messages, unless it is there; `_renew` keeps it true."""
        part = f"direct/{user.team_id}.{user.user_id}"
        copy = now.known.get(now.id(part))
        if copy is not None and copy.ts is not None:
            return
        place = f"direct message to {name}"
        try:
            channel = await self._web.direct(user.user_id)
        except FAILURES as error:
            now.done.failed.append(f"{place}: {error}")
            return
        copy = await self._copies.plan(now.new(part, place, channel))
        await self._poster.bring(copy, now.message, now.revision, now.done, urgent=False)

    # --- every copy -----------------------------------------------------------------------------------------

    async def _renew(self, now: _Round, copy: Copy) -> Copy | None:
        """Make a copy that is there say what it has to; None when it is not there. Posts nothing."""
        if copy.ts is None and "/direct/" in copy.card_id and not now.over:
            return None  # `_directly` posts it
        if copy.ts is None:
            try:
                found = await self._poster.adopt(copy)
            except FAILURES as error:
                now.done.silent = now.done.silent or isinstance(error, SlackUnclear)
                now.done.failed.append(f"{copy.place}: {error}")
                return None
            if found is None:
                return None
            copy = found
        return await self._poster.bring(copy, now.message, now.revision, now.done, urgent=now.urgent)

    async def _directory(self, done: Done) -> Directory | None:
        try:
            return await self._people.snapshot()
        except GovernanceInvalid as error:
            done.failed.append(f"people: {error}")
            return None

    def _checked(self, view: IncidentView, ask: AskView, done: Done) -> SlackMessage:
        """The card, or the smallest one that still says what is asked when Slack would not take it (SLK-18)."""
        message = slack_card(view, ask, self._console_url)
        problems = message_problems(message)
        if not problems:
            return message
        done.failed.append(f"the card was replaced by a minimal one: {'; '.join(problems)}")
        return minimal_card(view, ask, self._console_url)


def _found(view: IncidentView, ask_id: str) -> AskView:
    ask = next((one for one in view.asks if one.opened.ask_id == ask_id), None)
    if ask is None:
        raise KeyError(f"incident {view.incident_id!r} has no request {ask_id!r}")
    return ask


def _members(ask: AskView, directory: Directory | None) -> list[Member]:
    """Everybody asked so far. Nobody once it is over, or while nobody knows who holds which role."""
    if directory is None or ask.closed is not None:
        return []
    out = {ask.opened.requester, *ask.opened.excluded}
    roles = [*ask.opened.need_roles, *(role for rung in ask.rungs if rung.do == "escalate" for role in rung.to)]
    return [member for member in directory.holders(*roles) if member.subject not in out]
