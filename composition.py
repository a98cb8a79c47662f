"""What a worker does, put together from its settings and its reach: the same for production and for rehearsals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker

from activities.adopting import AdoptingActivities, Adoptions
from activities.auditing import AuditingActivities, RecordedAudits
from activities.backtesting import BacktestingActivities
from activities.briefing import BriefingActivities
from activities.cadence import CadenceActivities
from activities.checking import CheckingActivities
from activities.communicating import CommunicatingActivities
from activities.emergencies import EmergencyActivities
from activities.fence import E, Reach
from activities.freezing import FreezingActivities
from activities.gating import GatingActivities
from activities.guarding import GuardingActivities
from activities.investigating import InvestigatingActivities
from activities.keeping import KeepingActivities
from activities.marking import MarkingActivities
from activities.planning import PlanningActivities
from activities.readying import ReadyingActivities
from activities.recording import RecordingActivities
from activities.recurring import RecurringActivities
from activities.retaining import RetentionActivities
from activities.review_keeping import ReviewKeepingActivities
from activities.reviewing import ReviewingActivities
from activities.rolling import RollingActivities
from activities.rolling_watch import StepWatching
from activities.rolling_words import RolloutWords
from activities.sealing import Sealer
from activities.showing import ShowingActivities
from activities.staging import StagingActivities
from activities.threshold_watch import ThresholdWatching
from activities.thresholds import ThresholdActivities
from activities.traffic import TrafficActivities
from activities.verifying import VerifyingActivities
from activities.watching import WatchingActivities
from adapters.backtest_run import run_backtest
from adapters.cadence_audits import StoredAudits
from adapters.cadence_file import FileCadence
from adapters.catalogue import SqlCatalogue
from adapters.channel_attempts import MessageAttempts
from adapters.checkpoints import SqlCheckpoints
from adapters.database import Database
from adapters.directory_sources import SourcedDirectory
from adapters.episodes import LedgerEpisodes
from adapters.ledger import SqlLedger
from adapters.obligation_files import FileDuties
from adapters.outbox import Outbox
from adapters.retention_run import SqlRetentionRun
from adapters.schedules import TemporalSchedules
from adapters.settings import Settings
from adapters.signals import SqlSignals
from adapters.signing import AdoptionKey, GatewayKey, LedgerKey
from adapters.source_settings import source_settings
from adapters.source_trust import ConfiguredTrust
from adapters.templates import JinjaRenderer
from console.restore_drill import RestoreDrill
from runtime import WORKFLOWS
from workflows.policies import EFFECTS_QUEUE, OBSERVE_QUEUE


@dataclass(frozen=True)
class Stores:
    """What a worker keeps and reads by itself; none of it reaches anybody outside."""

    settings: Settings
    database: Database
    ledger: SqlLedger
    people: SourcedDirectory
    renderer: JinjaRenderer
    clock: Callable[[], datetime]

    @property
    def outbox(self) -> Outbox:
        """Messages where nothing else takes them."""
        return Outbox(self.database)

    @property
    def attempts(self) -> MessageAttempts:
        """What was tried to send."""
        return MessageAttempts(self.database)

    @property
    def heads(self) -> SqlCheckpoints:
        """Signed heads of the Ledger."""
        return SqlCheckpoints(self.database, LedgerKey(self.settings.ledger_key), self.settings.deployment)


def workers(stores: Stores, reach: Reach[E], client: Client) -> tuple[Worker, Worker]:
    """The worker of effects, and the one of watches with a queue of its own."""
    effects = Worker(
        client,
        task_queue=EFFECTS_QUEUE,
        workflows=WORKFLOWS,
        activities=effects_of(stores, reach, client),
        # A killed worker's sticky queue delays the next Update by this long (temporal.md §1).
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=2),
        max_cached_workflows=5_000,
        graceful_shutdown_timeout=timedelta(seconds=2),
    )
    observing = Worker(
        client,
        task_queue=OBSERVE_QUEUE,
        activities=watches_of(stores, reach),
        max_concurrent_activities=5_000,
        graceful_shutdown_timeout=timedelta(seconds=1),
    )
    return effects, observing


def watches_of(stores: Stores, reach: Reach[E]) -> Sequence[Callable[..., Any]]:
    """Activities that last as long as what they look at."""
    signals, key, clock = SqlSignals(stores.database), GatewayKey(stores.settings.gateway_key), stores.clock
    guarding = GuardingActivities(reach.targets, stores.ledger, stores.people, key, clock)
    watching = WatchingActivities(signals, Sealer(signals, reach.sources), SqlCatalogue(stores.database), clock)
    return [watching.observe, guarding.guard]


def effects_of(stores: Stores, reach: Reach[E], client: Client) -> Sequence[Callable[..., Any]]:
    """Every other activity."""
    settings, database, ledger, people, clock = (
        *(stores.settings, stores.database, stores.ledger, stores.people, stores.clock),
    )
    targets, channel, url = reach.targets, reach.channel, settings.console_url
    key, adoption, heads = GatewayKey(settings.gateway_key), AdoptionKey(settings.adoption_key), stores.heads
    catalogue, signals, renderer = SqlCatalogue(database), SqlSignals(database), stores.renderer
    sealer = Sealer(signals, reach.sources)
    duties = FileDuties(settings.obligations, settings.profile)
    trust = ConfiguredTrust(source_settings(settings.sources))
    communicating = CommunicatingActivities(ledger, renderer, channel, url)
    planning = PlanningActivities(targets, ledger, key, clock)
    staging = StagingActivities(targets, ledger, people, key, clock, heads)
    emergencies = EmergencyActivities(targets, ledger, people, key, clock)
    gating = GatingActivities(targets, ledger, key, trust, duties, clock)
    verifying = VerifyingActivities(signals, sealer, catalogue, ledger, targets, clock)
    reviewing = ReviewingActivities(ledger, renderer, catalogue, clock)
    reviews = ReviewKeepingActivities(ledger, people, key, channel, url)
    investigating = InvestigatingActivities(ledger, signals, clock)
    retaining = RetentionActivities(SqlRetentionRun(database, ledger, duties), ledger, people, key)
    cadence = FileCadence(settings.cadence)
    dutiful = CadenceActivities(ledger, cadence, catalogue, people, key, channel, url)
    audits = {
        **RecordedAudits(ledger, catalogue, people, key, duties).by_duty(),
        **StoredAudits(database, ledger, heads, catalogue, cadence, settings).by_duty(),
        "restore_drill": RestoreDrill(database, settings, clock).drill,
    }
    keeping = KeepingActivities(ledger, duties, people, key, channel, url, clock)
    rolling = RollingActivities(targets, ledger, catalogue, people, key, clock)
    adoptions = Adoptions(ledger, catalogue, adoption)
    episodes = LedgerEpisodes(ledger, catalogue, signals, settings.episodes)
    thresholds = ThresholdActivities(ledger, catalogue, people, key, adoptions)
    threshold_watching = ThresholdWatching(ledger, catalogue, signals)
    return [
        RecordingActivities(ledger, heads).record,
        BriefingActivities(catalogue, people, key, adoptions).brief,
        AdoptingActivities(ledger, catalogue, people, key, adoption).adopt_playbook,
        BacktestingActivities(ledger, catalogue, episodes, run_backtest).backtest,
        thresholds.propose_threshold,
        thresholds.judge_threshold,
        thresholds.put_up_threshold,
        thresholds.settle_threshold,
        thresholds.decide_threshold,
        threshold_watching.shadow_threshold,
        threshold_watching.compare_threshold,
        FreezingActivities(ledger, catalogue, signals, targets, people, clock).freeze,
        planning.make_plan,
        planning.open_ask,
        planning.name_alternative,
        gating.decide_gate,
        gating.decide_default,
        staging.recheck,
        staging.set_stage,
        TrafficActivities(targets, ledger, clock).verify_traffic,
        CheckingActivities(targets, reach.data, ledger, clock).run_checks,
        emergencies.confirm_declared,
        emergencies.eligible,
        emergencies.break_glass,
        investigating.measure_slices,
        investigating.registered_since,
        verifying.verify_health,
        verifying.watch_health,
        communicating.communicate,
        communicating.correct,
        ShowingActivities(ledger, reach.cards, people, clock).show_ask,
        reviewing.draft_review,
        reviews.look_at_review,
        reviews.call_for_review,
        reviews.keep_review,
        keeping.look_at_clocks,
        keeping.warn_owner,
        keeping.keep_obligation,
        reviewing.close_release,
        MarkingActivities(targets, ledger).mark_version,
        ReadyingActivities(targets, catalogue, ledger).look_at_destination,
        dutiful.look_at_duty,
        dutiful.ask_for_duty,
        dutiful.close_duty,
        dutiful.miss_duty,
        AuditingActivities(ledger, audits).audit,
        retaining.purge_batch,
        retaining.release_hold,
        rolling.plan_rollout,
        rolling.set_share,
        rolling.end_rollout,
        RecurringActivities(TemporalSchedules(client), catalogue, ledger).end_if_closed,
        StepWatching(signals, sealer, catalogue, ledger, targets, clock).watch_step,
        RolloutWords(ledger, renderer, channel, url).tell_rollout,
    ]
