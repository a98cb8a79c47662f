"""Composition root of the worker: `python worker.py` runs workflows, effects and watches until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
from datetime import timedelta

from temporalio.worker import Worker

from activities.briefing import BriefingActivities
from activities.checking import CheckingActivities
from activities.communicating import CommunicatingActivities
from activities.emergencies import EmergencyActivities
from activities.freezing import FreezingActivities
from activities.gating import GatingActivities
from activities.guarding import GuardingActivities
from activities.marking import MarkingActivities
from activities.planning import PlanningActivities
from activities.ports import AskCards
from activities.readying import ReadyingActivities
from activities.recording import RecordingActivities
from activities.recurring import RecurringActivities
from activities.reviewing import ReviewingActivities
from activities.rolling import RollingActivities
from activities.rolling_watch import StepWatching
from activities.rolling_words import RolloutWords
from activities.sealing import Sealer
from activities.showing import ShowingActivities
from activities.staging import StagingActivities
from activities.traffic import TrafficActivities
from activities.verifying import VerifyingActivities
from activities.watching import WatchingActivities
from adapters.alerts import SqlAlerts
from adapters.catalogue import SqlCatalogue
from adapters.channel_sending import Sender
from adapters.channel_settings import channel_settings
from adapters.channels import routed_channel
from adapters.data_settings import data_source_settings
from adapters.data_sources import ConfiguredDataSources
from adapters.database import Database, utc_now
from adapters.directory_sources import SourcedDirectory, role_directory
from adapters.ledger import SqlLedger
from adapters.schedules import TemporalSchedules
from adapters.settings import Settings
from adapters.signals import SqlSignals
from adapters.signing import GatewayKey
from adapters.slack_cards import NoCards, SlackCards
from adapters.slack_copies import SlackCopies
from adapters.slack_links import SlackLinks
from adapters.slack_posting import SlackPoster
from adapters.slack_rooms import SlackRooms
from adapters.slack_sender import SlackSender
from adapters.slack_settings import slack_settings
from adapters.slack_web import SlackWeb
from adapters.source_settings import source_settings
from adapters.source_trust import ConfiguredTrust
from adapters.sources import ConfiguredSources
from adapters.target_settings import target_settings
from adapters.targets import ConfiguredTargets
from adapters.templates import JinjaRenderer
from runtime import WORKFLOWS, connect
from workflows.policies import EFFECTS_QUEUE, OBSERVE_QUEUE


async def run(settings: Settings) -> None:
    """Run both workers until SIGTERM or SIGINT; a rollback under way goes on in the next worker."""
    database = Database(settings.database_url)
    ledger, catalogue, signals = SqlLedger(database), SqlCatalogue(database), SqlSignals(database)
    people, renderer = role_directory(settings, database), JinjaRenderer(settings.templates)
    targets = ConfiguredTargets(target_settings(settings.targets), ledger.put_blob)
    sources = ConfiguredSources(source_settings(settings.sources), SqlAlerts(database))
    sealer = Sealer(signals, sources)
    briefing = BriefingActivities(catalogue, people, GatewayKey(settings.gateway_key))
    cards, joined = _slack(settings, database, people)
    channel = routed_channel(channel_settings(settings.channels), database, joined=joined)
    communicating = CommunicatingActivities(ledger, renderer, channel, settings.console_url)
    planning = PlanningActivities(targets, ledger, GatewayKey(settings.gateway_key), utc_now)
    staging = StagingActivities(targets, ledger, people, GatewayKey(settings.gateway_key), utc_now)
    data = ConfiguredDataSources(data_source_settings(settings.data_sources), ledger.put_blob)
    emergencies = EmergencyActivities(targets, ledger, people, GatewayKey(settings.gateway_key), utc_now)
    trust = ConfiguredTrust(source_settings(settings.sources))
    gating = GatingActivities(targets, ledger, GatewayKey(settings.gateway_key), trust, utc_now)
    verifying = VerifyingActivities(signals, sealer, catalogue, ledger, targets, utc_now)
    reviewing = ReviewingActivities(ledger, renderer, catalogue, utc_now)
    showing = ShowingActivities(ledger, cards, people, utc_now)
    guarding = GuardingActivities(targets, ledger, people, GatewayKey(settings.gateway_key), utc_now)
    rolling = RollingActivities(targets, ledger, catalogue, people, GatewayKey(settings.gateway_key), utc_now)
    client = await connect()
    effects = Worker(
        client,
        task_queue=EFFECTS_QUEUE,
        workflows=WORKFLOWS,
        activities=[
            RecordingActivities(ledger).record,
            briefing.brief,
            FreezingActivities(ledger, catalogue, signals, targets, people, utc_now).freeze,
            planning.make_plan,
            planning.open_ask,
            planning.name_alternative,
            gating.decide_gate,
            gating.decide_default,
            staging.recheck,
            staging.set_stage,
            TrafficActivities(targets, ledger, utc_now).verify_traffic,
            CheckingActivities(targets, data, ledger, utc_now).run_checks,
            emergencies.confirm_declared,
            emergencies.eligible,
            emergencies.break_glass,
            verifying.verify_health,
            verifying.watch_health,
            communicating.communicate,
            communicating.correct,
            showing.show_ask,
            reviewing.draft_review,
            reviewing.close_release,
            MarkingActivities(targets, ledger).mark_version,
            ReadyingActivities(targets, catalogue, ledger).look_at_destination,
            rolling.plan_rollout,
            rolling.set_share,
            rolling.end_rollout,
            RecurringActivities(TemporalSchedules(client), catalogue, ledger).end_if_closed,
            StepWatching(signals, sealer, catalogue, ledger, targets, utc_now).watch_step,
            RolloutWords(ledger, renderer, channel, settings.console_url).tell_rollout,
        ],
        # A killed worker's sticky queue delays the next Update by this long (temporal.md §1).
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=2),
        max_cached_workflows=5_000,
        graceful_shutdown_timeout=timedelta(seconds=2),
    )
    observing = Worker(
        client,
        task_queue=OBSERVE_QUEUE,
        activities=[WatchingActivities(signals, sealer, catalogue, utc_now).observe, guarding.guard],
        max_concurrent_activities=5_000,
        graceful_shutdown_timeout=timedelta(seconds=1),
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with effects, observing:
        print("worker ready", flush=True)
        await stop.wait()
    await targets.close()
    await sources.close()
    await database.close()


def _slack(settings: Settings, database: Database, people: SourcedDirectory) -> tuple[AskCards, dict[str, Sender]]:
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
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # one line per call of a target says nothing
    asyncio.run(run(Settings.from_environment()))
