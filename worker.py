"""Composition root of the worker: `python worker.py` runs workflows, effects and watches until it is told to stop."""

from __future__ import annotations

import asyncio
import signal

from activities.cadence import duties_planned
from activities.fence import PRODUCTION, FencedCards, Production, Reach
from activities.reconciling import Reconciler
from adapters import log_lines
from adapters.alerts import SqlAlerts
from adapters.anchor_settings import anchor_settings
from adapters.cadence_file import FileCadence
from adapters.channel_sending import Sender
from adapters.channel_settings import channel_settings
from adapters.channels import routed_channel
from adapters.data_settings import data_source_settings
from adapters.data_sources import ConfiguredDataSources
from adapters.database import Database, utc_now
from adapters.directory_sources import SourcedDirectory, role_directory
from adapters.erasure import SqlErasure
from adapters.executions import TemporalExecutions
from adapters.head_keeping import HeadKeeper, configured_anchors
from adapters.keys import announce_all
from adapters.ledger import SqlLedger
from adapters.outside import refuse_older
from adapters.payload_codec import CodecKeys, EncryptingCodec
from adapters.settings import Settings
from adapters.slack_cards import NoCards, SlackCards
from adapters.slack_copies import SlackCopies
from adapters.slack_links import SlackLinks
from adapters.slack_posting import SlackPoster
from adapters.slack_rooms import SlackRooms
from adapters.slack_sender import SlackSender
from adapters.slack_settings import slack_settings
from adapters.slack_web import SlackWeb
from adapters.source_settings import source_settings
from adapters.sources import ConfiguredSources
from adapters.target_settings import target_settings
from adapters.targets import ConfiguredTargets
from adapters.template_record import record_templates
from adapters.templates import JinjaRenderer
from adapters.vault import SqlVault
from adapters.vault_key import MasterKey
from composition import Stores, workers
from runtime import connect, keep_duties, purge_daily


async def run(settings: Settings) -> None:
    """Run both workers until SIGTERM or SIGINT; a rollback under way goes on in the next worker."""
    settings.refuse_rehearsals()
    database = Database(settings.database_url)
    vault = SqlVault(database, MasterKey(settings.vault_key))
    ledger = SqlLedger(database, vault=vault)
    people, renderer = role_directory(settings, database), JinjaRenderer(settings.templates)
    stores = Stores(settings, database, ledger, people, renderer, utc_now)
    anchors = configured_anchors(anchor_settings(settings.anchors), database)
    await refuse_older(ledger, stores.heads, anchors)
    await announce_all(ledger, settings)
    await SqlErasure(database, ledger, vault).replay()  # what a restored copy brought back is gone before any work
    await record_templates(ledger, renderer.digests)
    targets = ConfiguredTargets(target_settings(settings.targets), ledger.put_blob)
    sources = ConfiguredSources(source_settings(settings.sources), SqlAlerts(database))
    data = ConfiguredDataSources(data_source_settings(settings.data_sources), ledger.put_blob)
    cards, joined = _slack(settings, database, people)
    channel = routed_channel(channel_settings(settings.channels), database, joined=joined)
    reach: Reach[Production] = Reach(PRODUCTION, targets, data, channel, cards, sources)
    client = await connect(EncryptingCodec(CodecKeys(settings.codec_keys)))
    effects, observing = workers(stores, reach, client)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await purge_daily(client)
    await keep_duties(client, await duties_planned(ledger, FileCadence(settings.cadence)))
    reconciler = Reconciler(ledger, TemporalExecutions(client), channel, settings.console_url)
    async with effects, observing, HeadKeeper(database, stores.heads, anchors).running():
        comparing = asyncio.create_task(reconciler.keep())
        print("worker ready", flush=True)
        await stop.wait()
        comparing.cancel()
    await targets.close()
    await sources.close()
    await database.close()


def _slack(
    settings: Settings, database: Database, people: SourcedDirectory
) -> tuple[FencedCards[Production], dict[str, Sender[Production]]]:
    """Cards and the channel `slack` of routes; nothing of both where Slack is not configured."""
    slack = slack_settings(settings.data / "slack.yaml")
    if slack is None:
        return NoCards(), {}
    web, copies = SlackWeb(slack.bot_token(), slack.api_url), SlackCopies(database)
    rooms = SlackRooms(web, slack, copies, SlackLinks(database), people, settings.console_url)
    poster = SlackPoster(web, copies, utc_now)
    cards = SlackCards(database, web, slack, people, settings.console_url)
    return cards, {"slack": SlackSender(web, slack, copies, poster, rooms, settings.console_url)}


if __name__ == "__main__":
    log_lines.begin()
    asyncio.run(run(Settings.from_environment()))
