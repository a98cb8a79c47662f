"""What the console works with, put together from its settings: the same for production and for rehearsals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from temporalio.client import Client

from activities.adopting import Adoptions
from adapters.accounts import Accounts
from adapters.alerts import SqlAlerts
from adapters.catalogue import SqlCatalogue
from adapters.checkpoints import SqlCheckpoints
from adapters.database import Database, utc_now
from adapters.directory_sources import role_directory
from adapters.erasure import SqlErasure
from adapters.ledger import SqlLedger
from adapters.obligation_files import FileDuties
from adapters.oidc import OidcProvider
from adapters.outbox import Outbox
from adapters.payload_codec import EncryptingCodec
from adapters.security_keys import SecurityKeys
from adapters.settings import Settings
from adapters.shown import ShownViews
from adapters.signals import SqlSignals
from adapters.signing import AdoptionKey, GatewayKey, LedgerKey
from adapters.source_settings import source_settings
from adapters.step_ups import SqlStepUps, site
from adapters.templates import JinjaRenderer
from adapters.vault import SqlVault
from adapters.webhook_deliveries import WebhookDeliveries
from console.decide import Gate
from console.deps import Console
from console.packs import Packs
from console.temporal import TemporalWorkflows


@dataclass(frozen=True)
class Kept:
    """Stores and keys of one console."""

    settings: Settings
    database: Database
    ledger: SqlLedger
    vault: SqlVault
    heads: SqlCheckpoints
    erasure: SqlErasure
    codec: EncryptingCodec
    clock: Callable[[], datetime] = utc_now


def put_together(kept: Kept, client: Client, provider: OidcProvider | None = None) -> Console:
    """Ports and settings for `create_app`."""
    settings, database, ledger, clock = kept.settings, kept.database, kept.ledger, kept.clock
    people = role_directory(settings, database)
    shown, workflows = ShownViews(database, ledger), TemporalWorkflows(client)
    key, step_ups = GatewayKey(settings.gateway_key), SqlStepUps(database)
    duties = FileDuties(settings.obligations, settings.profile)
    gate = Gate(ledger, people, shown, key, workflows, clock, step_ups, duties)
    catalogue, signals, outbox = SqlCatalogue(database), SqlSignals(database), Outbox(database)
    packs = Packs(
        ledger=ledger,
        catalogue=catalogue,
        signals=signals,
        outbox=outbox,
        vault=kept.vault,
        checkpoints=kept.heads,
        key=LedgerKey(settings.ledger_key),
        directory=settings.data / "packs",
        templates=settings.templates,
    )
    return Console(
        settings=settings,
        database=database,
        ledger=ledger,
        erasure=kept.erasure,
        catalogue=catalogue,
        signals=signals,
        sources=source_settings(settings.sources),
        alerts=SqlAlerts(database),
        deliveries=WebhookDeliveries(database),
        accounts=Accounts(database),
        security_keys=SecurityKeys(database, step_ups, site(settings.console_url)),
        outbox=outbox,
        people=people,
        keys=key,
        shown=shown,
        gate=gate,
        workflows=workflows,
        renderer=JinjaRenderer(settings.templates),
        codec=kept.codec,
        duties=duties,
        adoptions=Adoptions(ledger, catalogue, AdoptionKey(settings.adoption_key)),
        clock=clock,
        provider=provider,
        packs=packs,
    )
