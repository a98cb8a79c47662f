"""The product with Slack: a real console and a real card writer, against an emulated workspace behind a fault proxy."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from activities.ports import CardsShown
from activities.showing import ShowingActivities, ShowRequest
from adapters import slack_posting
from adapters.slack_cards import SlackCards
from adapters.slack_links import SlackLinks, SlackUser
from adapters.slack_settings import SlackSettings
from adapters.slack_web import SlackWeb
from console import slack_desk
from console.slack_http import SlackInbound, mount
from countermand.ledger.record import Kind
from tests import cases
from tests.console.conftest import Moment, Served, quick_polls, serve, template
from tests.console.world import INCIDENT, RELEASE, Story, World
from tests.slack.human import SECRET, Human, words
from tests.slack.proxy import Proxy
from tests.slack.workspace import BOT_TOKEN, TEAM, Workspace, installed

__all__ = ["quick_polls", "serve", "template"]

Json = dict[str, Any]
ASK = f"{INCIDENT}-ask-1"
LINKED = {"maria": cases.MARIA, "jonas": cases.JONAS, "amira": cases.AMIRA}
_NAMES = itertools.count(1)


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    program = installed()
    if program is None:
        pytest.skip("the Slack emulator is not installed: npm ci --ignore-scripts --prefix tests/slack/emulator")
    running = Workspace.start(program, tmp_path_factory.mktemp("emulator"))
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def quick_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack_desk, "SETTLE", 0.01)
    monkeypatch.setattr(slack_posting, "PROGRESS_EVERY", slack_posting.PROGRESS_EVERY * 0)


@dataclass
class Bench:
    """One console with Slack, one channel, and everybody in it."""

    served: Served
    workspace: Workspace
    proxy: Proxy
    channel: str
    http: httpx.AsyncClient
    settings: SlackSettings
    inbound: SlackInbound
    cards: SlackCards
    revision: int = 0
    _seen: dict[str, Human] = field(default_factory=dict)

    @property
    def world(self) -> World:
        return self.served.world

    @property
    def showing(self) -> ShowingActivities:
        story = self.world.story
        return ShowingActivities(story.ledger, self.cards, story.people, story.clock)

    @property
    def url(self) -> str:
        return self.served.url

    def human(self, name: str) -> Human:
        if name not in self._seen:
            self._seen[name] = Human(self, name, self.workspace.users[name])
        return self._seen[name]

    async def show(self, ask_id: str = ASK, revision: int | None = None) -> CardsShown:
        """What the workflow does after every change of the request."""
        self.revision += 1
        request = ShowRequest(
            incident_id=INCIDENT, release_id=RELEASE, ask_id=ask_id, revision=revision or self.revision
        )
        return await self.showing.show_ask(request)

    def messages(self, channel: str | None = None) -> list[Json]:
        """What people see in a channel, oldest first."""
        channel = channel or self.channel
        found = self.workspace.call("conversations.history", channel=channel)["messages"]
        return [{**message, "channel": channel} for message in reversed(found) if message["user"] == "U0BOT"]

    def card(self) -> Json:
        """The one card in the channel."""
        cards = [message for message in self.messages() if message.get("metadata")]
        assert len(cards) == 1, f"{len(cards)} cards in the channel"
        return cards[0]

    def thread(self) -> list[Json]:
        """The notes below the card."""
        ts = self.card()["ts"]
        found = self.workspace.call("conversations.replies", channel=self.channel, ts=ts)["messages"]
        return [message for message in found if message["ts"] != ts]

    def direct(self, name: str) -> list[Json]:
        """The cards in somebody's direct messages."""
        opened = self.workspace.call("conversations.open", BOT_TOKEN, users=self.workspace.users[name])
        channel = opened["channel"]["id"]
        # Direct messages of earlier tests are still there; every console has an address of its own.
        return [message for message in self.messages(channel) if self.url in json.dumps(message["blocks"])]

    async def bodies(self, kind: Kind) -> list[Json]:
        return [record.body for record in await self.world.story.ledger.records(kinds=[kind])]

    async def codes(self) -> list[str]:
        """Reason codes of every refusal in the Ledger."""
        return [body["code"] for body in await self.bodies(Kind.decision_refused)]


@pytest.fixture
async def proxy(workspace: Workspace) -> AsyncIterator[Proxy]:
    made = Proxy(workspace.url)
    await made.start()
    yield made
    await made.stop()


Start = Callable[..., Awaitable[Bench]]


@pytest.fixture
async def slack(
    serve: Callable[..., Awaitable[Served]], workspace: Workspace, proxy: Proxy, tmp_path: Path
) -> AsyncIterator[Start]:
    """`await slack()`: a console whose request for approval is open, and people whose Slack users are linked."""
    async with httpx.AsyncClient(timeout=30) as http:

        async def start(moment: Moment = Story.asked, *, linked: bool = True, **changes: Any) -> Bench:
            served = await serve(moment)
            channel = workspace.new_channel(f"releases-{next(_NAMES)}", ("maria", "jonas", "amira", "lena"))
            secrets = tmp_path / "signing"
            secrets.write_text(SECRET)
            token = tmp_path / "token"
            token.write_text(BOT_TOKEN)
            given = {"teams": (TEAM,), "channel": channel, "api_url": proxy.url, **changes}
            settings = SlackSettings(bot_token_file=token, signing_secret_files=(secrets,), **given)
            inbound = mount(served.server.config.app, served.world.deps, settings)  # type: ignore[arg-type]
            web = SlackWeb(BOT_TOKEN, proxy.url, timeout=6, pace=0)
            world = served.world
            cards = SlackCards(
                world.deps.database, web, settings, world.story.people, served.url, world.deps.clock, look_back=0.3
            )
            bench = Bench(served, workspace, proxy, channel, http, settings, inbound, cards)
            links = SlackLinks(world.deps.database, world.deps.clock)
            for name, subject in LINKED.items() if linked else ():
                user = SlackUser(team_id=TEAM, user_id=workspace.users[name])
                await links.confirm(await links.offer(user), subject)
            return bench

        yield start


def text_of(message: Json) -> str:
    return words(message["blocks"])
