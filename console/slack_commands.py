"""`/countermand`: look, link, and open forms. It never decides from what was typed (SLK-25)."""

from __future__ import annotations

from adapters.slack_links import CODE_LIFE, SlackUser
from console import views
from console.slack_desk import SlackDesk
from console.slack_people import TurnedAway
from console.slack_starting import starts
from countermand.messages.block_kit import Block, context, cut, esc, link, listed, section
from countermand.messages.facts import in_words, utc
from countermand.messages.incident import IncidentView

_HELP = (
    "status: what is running and what waits",
    "mine: requests that wait for your vote",
    "incident <id>: one incident in short",
    "emergency: a form to declare an emergency; everybody is told at once",
    "propose: a form to propose a rollback",
    "unfairness: a form to report that some people are served worse than others",
    "concern: a form to say that a release is bad",
    "link: say which account of the console you are, once",
    "help: this list",
)
_MOST = 8

Said = tuple[str, list[Block]]


class SlackCommands:
    """Answers for the person who typed; nobody else sees them."""

    def __init__(self, desk: SlackDesk) -> None:
        self._desk = desk

    async def answer(
        self, user: SlackUser, home_team: str, typed: str, trigger_id: str = "", channel: str | None = None
    ) -> Said:
        """(text, blocks). Never raises for what a person can do something about."""
        word, _, rest = typed.strip().partition(" ")
        try:
            if kind := starts(word):
                return _lines(await self._desk.starting.open(kind, user, home_team, trigger_id, channel), ())
            match word.lower():
                case "" | "help":
                    return _lines("You can type after /countermand", _HELP)
                case "link":
                    await self._desk.people.colleague(user, home_team)
                    return await self._link(user)
                case "status":
                    await self._desk.people.person(user, home_team)
                    return await self._status()
                case "mine":
                    person = await self._desk.people.person(user, home_team)
                    return await self._mine(person.subject)
                case "incident":
                    await self._desk.people.person(user, home_team)
                    return await self._incident(rest.strip())
                case _:
                    return _lines(f"There is no {cut(word, 40)!r}. You can type after /countermand", _HELP)
        except TurnedAway as away:
            return _lines(f"Not done: {away.detail}", (away.next,))

    async def _link(self, user: SlackUser) -> Said:
        code = await self._desk.links.offer(user)
        address = f"{self._desk.console_url}/slack/link/{code}"
        text = f"Open this address, sign in and confirm. It works once, for {in_words(CODE_LIFE)}, and only for you."
        blocks = [section("link", f"*{text}*\n{link(address, 'Link this Slack user to my account')}")]
        blocks.append(context("warning", "Never send it to others: whoever confirms it lets you decide as them."))
        return text, blocks

    async def _status(self) -> Said:
        running = [view for view in await views.recent_incidents(self._desk.deps) if view.closed is None]
        if not running:
            return _lines("All calm. No incident is running.", ())
        return _lines(f"{len(running)} running", [_short(view) for view in running[:_MOST]])

    async def _mine(self, subject: str) -> Said:
        roles = set((await self._desk.deps.people.snapshot()).roles_of(subject))
        mine = [
            f"{ask.opened.ask_id}: roll back {view.opened.candidate_name} to {view.opened.baseline_name}? "
            f"Decide by {utc(ask.expires_at)}; {ask.have} of {ask.opened.need_people} people approved"
            for view in await views.recent_incidents(self._desk.deps)
            for ask in view.asks
            if view.closed is None and views.waits_for(ask, subject, roles)
        ]
        return _lines("Waiting for your vote" if mine else "Nothing waits for you.", mine[:_MOST])

    async def _incident(self, incident_id: str) -> Said:
        view = await views.one_incident(self._desk.deps, incident_id) if incident_id else None
        if view is None:
            return _lines(f"There is no incident {cut(incident_id, 60)!r}.", ("Type status to see what is running.",))
        text, blocks = _lines(f"{view.opened.service} in {view.opened.environment}", (_short(view),))
        address = f"{self._desk.console_url}/incidents/{view.incident_id}"
        return text, [*blocks, context("open", link(address, "Open the incident"))]


def _short(view: IncidentView) -> str:
    name = cut(view.opened.candidate_name, 100)
    return f"{view.incident_id} ({view.opened.severity}) {name}: {view.status.replace('_', ' ')}. {view.sentence}"


def _lines(title: str, lines: tuple[str, ...] | list[str]) -> Said:
    short = [cut(line, 300) for line in lines]
    return esc(title), [section("said", listed(title, short))]
