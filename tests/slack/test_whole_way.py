"""From the request in Slack to the revert that starts, and what happens when Slack is dark: on the real server."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import uvicorn
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment

from activities.adopting import Adoptions
from activities.fence import PRODUCTION
from adapters.accounts import Accounts
from adapters.alerts import SqlAlerts
from adapters.catalogue import SqlCatalogue
from adapters.channel_attempts import MessageAttempts
from adapters.channel_route import RoutedChannel
from adapters.channel_settings import SmtpSettings
from adapters.channel_smtp import SmtpSender
from adapters.database import Database, utc_now
from adapters.erasure import SqlErasure
from adapters.ledger import SqlLedger
from adapters.migrate import upgrade
from adapters.outbox import Outbox
from adapters.security_keys import SecurityKeys
from adapters.settings import Settings
from adapters.shown import ShownViews
from adapters.signals import SqlSignals
from adapters.slack_cards import SlackCards
from adapters.slack_links import SlackLinks, SlackUser
from adapters.slack_posting import EVENT
from adapters.slack_settings import SlackSettings
from adapters.slack_web import SlackWeb
from adapters.step_ups import SqlStepUps
from adapters.webhook_deliveries import WebhookDeliveries
from console.app import create_app
from console.decide import Gate
from console.deps import Console
from console.slack_http import mount
from console.temporal import TemporalWorkflows
from countermand import ids
from countermand.governance.decision import DecisionKind
from countermand.ledger.record import Kind
from countermand.playbook.model import Audience
from tests import cases
from tests.adapters.channels.servers import MailServer
from tests.console.world import renderer
from tests.fakes import FakeAdoptionKey, FakeDuties
from tests.payloads import codec
from tests.slack.human import SECRET, Human, buttons, words
from tests.slack.proxy import Proxy
from tests.slack.workspace import BOT_TOKEN, TEAM, Workspace
from tests.vaults import vault
from tests.waiting import until
from tests.workflows.conftest import World, environment

__all__ = ["environment"]

REASON = "Answers about prices are wrong; three transcripts confirm it."
WRONG = "The judge is wrong, we checked twenty by hand."
_NAMES = itertools.count(1)


@dataclass
class Whole:
    """A worker's ports on a real store, Slack and a mail server, and a console before the same workflows."""

    workflows: World
    workspace: Workspace
    proxy: Proxy
    channel: str
    url: str
    http: httpx.AsyncClient
    mail: MailServer
    _seen: dict[str, Human] = field(default_factory=dict)

    @property
    def world(self) -> SimpleNamespace:
        return SimpleNamespace(deps=SimpleNamespace(clock=utc_now))

    def human(self, name: str) -> Human:
        if name not in self._seen:
            self._seen[name] = Human(self, name, self.workspace.users[name])  # type: ignore[arg-type]
        return self._seen[name]

    def cards(self) -> list[dict[str, Any]]:
        """Cards in the channel, oldest first."""
        found = self.workspace.call("conversations.history", channel=self.channel)["messages"]
        cards = [one for one in reversed(found) if (one.get("metadata") or {}).get("event_type") == EVENT]
        return [{**card, "channel": self.channel} for card in cards]

    async def card(self, says: str) -> dict[str, Any]:
        """The first card, once it says this."""

        async def there() -> dict[str, Any] | None:
            return next((card for card in self.cards()[:1] if says.lower() in words(card["blocks"]).lower()), None)

        return await until(there, f"the card says {says!r}", within=40)

    async def mailed(self, step: str) -> list[str]:
        """The steps that approvers had mails about, in order, once this one is among them; within a minute."""

        async def there() -> list[str] | None:
            texts = [bytes(mail.content or b"").decode() for mail in self.mail.mails]
            heads = [line for text in texts for line in text.splitlines() if line.startswith("Subject: ")]
            steps = [line.removeprefix("Subject: ").partition(" for ")[0] for line in heads]
            return steps if step in steps else None

        return await until(there, f"the approvers have a mail about {step}", within=60)


@pytest.fixture
async def whole(
    environment: WorkflowEnvironment, workspace: Workspace, proxy: Proxy, tmp_path: Path
) -> AsyncIterator[Whole]:
    url = f"sqlite+aiosqlite:///{tmp_path}/whole.db"
    upgrade(url)
    database = Database(url)
    world = World(environment, cases.playbook())
    channel = workspace.new_channel(f"whole-{next(_NAMES)}", ("maria", "jonas", "amira", "lena"))
    settings = _settings(tmp_path, proxy, channel)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    console_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    world.ledger = SqlLedger(database, vault=vault(database))  # type: ignore[assignment]  # the real store instead of the fake one
    web = SlackWeb(BOT_TOKEN, proxy.url, timeout=6, pace=0)
    world.cards = SlackCards(database, web, settings, world.people, console_url, utc_now, look_back=0.3)  # type: ignore[assignment]
    links = SlackLinks(database, utc_now)
    for name, subject in (("maria", cases.MARIA), ("jonas", cases.JONAS)):
        await links.confirm(await links.offer(SlackUser(team_id=TEAM, user_id=workspace.users[name])), subject)
    deps = _console(database, world, console_url, tmp_path)
    app = create_app(deps)
    mount(app, deps, settings)
    config = uvicorn.Config(app, log_level="error", lifespan="off", ws="none")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    async with MailServer() as mail, httpx.AsyncClient(timeout=30, trust_env=False) as http:
        sender = SmtpSender(
            SmtpSettings(
                kind="smtp",
                host="127.0.0.1",
                port=mail.port,
                security="none",
                sender="countermand@example.com",
                recipients={Audience.approver: ("approvers@example.com",)},
            )
        )
        routes = {Audience.approver: ("mail",)}
        world.channel = RoutedChannel(PRODUCTION, Outbox(database), MessageAttempts(database), {"mail": sender}, routes)  # type: ignore[assignment]
        yield Whole(world, workspace, proxy, channel, console_url, http, mail)
    for listening in server.servers:
        listening.close()
    for connection in tuple(server.server_state.connections):
        connection.transport.abort()  # type: ignore[union-attr]  # every HTTP protocol has one
    await asyncio.sleep(0)
    await database.close()


def _settings(folder: Path, proxy: Proxy, channel: str) -> SlackSettings:
    (folder / "signing").write_text(SECRET)
    (folder / "token").write_text(BOT_TOKEN)
    return SlackSettings(
        bot_token_file=folder / "token",
        signing_secret_files=(folder / "signing",),
        teams=(TEAM,),
        channel=channel,
        api_url=proxy.url,
    )


def _console(database: Database, world: World, url: str, folder: Path) -> Console:
    shown, workflows = (
        ShownViews(database, SqlLedger(database, vault=vault(database))),
        TemporalWorkflows(world.env.client),
    )
    step_ups = SqlStepUps(database)
    return Console(
        settings=Settings.from_environment({"COUNTERMAND_DATA": str(folder), "COUNTERMAND_CONSOLE_URL": url}),
        database=database,
        ledger=world.ledger,
        erasure=SqlErasure(database, SqlLedger(database, vault=vault(database)), vault(database)),
        catalogue=SqlCatalogue(database),
        signals=SqlSignals(database),
        sources={},
        alerts=SqlAlerts(database),
        deliveries=WebhookDeliveries(database),
        accounts=Accounts(database),
        outbox=Outbox(database),
        people=world.people,
        shown=shown,
        keys=world.keys,
        security_keys=SecurityKeys(database, step_ups, None),
        gate=Gate(world.ledger, world.people, shown, world.keys, workflows, utc_now, step_ups, FakeDuties()),
        workflows=workflows,
        renderer=renderer(),
        codec=codec(),
        duties=FakeDuties(),
        adoptions=Adoptions(world.ledger, SqlCatalogue(database), FakeAdoptionKey()),
        clock=utc_now,
    )


async def test_two_people_approve_in_slack_and_the_revert_starts(whole: Whole) -> None:
    world = whole.workflows
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        maria, jonas = whole.human("maria"), whole.human("jonas")
        assert "1 of 2 people approved" in await maria.decides(await whole.card("0 of 2"), "approve", REASON)
        assert world.target.effects == [], "one of two is not enough"
        assert "2 of 2 people approved" in await jonas.decides(await whole.card("1 of 2"), "approve", REASON)
        assert (await handle.result()).outcome == "reverted"
        assert buttons(await whole.card("approved by Maria Keller and Jonas Weber")) == []
    assert [share for _, share in world.target.effects] == [4_500, 2_500, 0]
    votes = await world.ledger.records(kinds=[Kind.ask_vote])
    assert [record.body["channel"] for record in votes] == ["slack", "slack"]


async def test_a_rejection_in_slack_ends_it_without_any_effect(whole: Whole) -> None:
    world = whole.workflows
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        said = await whole.human("maria").decides(
            await whole.card("0 of 2"), "reject", "The judge is wrong, I checked."
        )
        assert "Recorded" in said
        assert (await handle.result()).outcome == "rejected"
        assert buttons(await whole.card("rejected by Maria Keller")) == []
    assert world.target.effects == []


async def test_slack_dark_for_the_whole_window_people_are_reached_by_mail_and_the_declared_default_is_taken(
    whole: Whole, environment: WorkflowEnvironment
) -> None:
    world = whole.workflows
    whole.proxy.dark = True
    async with world.worker():
        await world.open_incident()
        view = await world.reaches("asking")
        asked_at = time.monotonic()

        await whole.mailed("approval_asked")
        assert time.monotonic() - asked_at <= 60
        assert view.ask is not None
        await environment.fast_forward(environment.client.get_workflow_handle(view.ask.opened.workflow_id), 31 * 60)
        held = await world.reaches("held")
        assert held.ask is not None
        assert held.ask.status == "expired"
        assert [rung.do for rung in held.ask.rungs] == ["remind", "escalate", "hold"]
        assert (await whole.mailed("default_taken")).count("approval_reminded") == 2
        assert whole.cards() == []
        failed = await world.ledger.records(incident_id=world.incident_id, kinds=[Kind.comms_failed])
        assert any("channel" in str(record.body["why"]) for record in failed), "that Slack was dark is on the record"
        whole.proxy.dark = False
        await world.decide(DecisionKind.ask_again, cases.JONAS)
        card = await whole.card("0 of 2")
        assert "approve" in buttons(card), "the next request finds Slack again"
    assert world.target.effects == []


async def test_slack_that_comes_back_after_the_end_is_told_how_it_ended(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card was there, then Slack went dark, and the decision fell in the console."""
    monkeypatch.setattr("activities.showing._SILENCE", timedelta(milliseconds=500))
    world = whole.workflows
    async with world.worker():
        await world.open_incident()
        await world.reaches("asking")
        await whole.card("0 of 2")
        whole.proxy.dark = True
        await world.decide(DecisionKind.reject, cases.MARIA, reason="the judge is wrong, looked at ten samples")
        await world.reaches("rejected")

        ask = (await world.view()).asks[0].opened
        cards = world.env.client.get_workflow_handle(ids.cards_workflow(ask.workflow_id))

        async def tried() -> bool:
            seen = await cards.describe()
            again = any(activity.attempt > 1 for activity in seen.raw_description.pending_activities)
            return again or seen.status is not WorkflowExecutionStatus.RUNNING

        await until(tried, "the end could not be shown", within=30)
        assert "approve" in buttons(whole.cards()[0])
        whole.proxy.dark = False
        assert buttons(await whole.card("rejected by Maria Keller")) == []
