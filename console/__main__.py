"""Composition root of the console: `python -m console` serves until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
from contextlib import nullcontext

import uvicorn

from adapters.accounts import Accounts
from adapters.alerts import SqlAlerts
from adapters.catalogue import SqlCatalogue
from adapters.database import Database, utc_now
from adapters.directory_sources import role_directory
from adapters.ledger import SqlLedger
from adapters.oidc import OidcProvider
from adapters.oidc_settings import oidc_settings, refuse_open_door
from adapters.outbox import Outbox
from adapters.security_keys import SecurityKeys
from adapters.settings import Settings
from adapters.shown import ShownViews
from adapters.signals import SqlSignals
from adapters.signing import GatewayKey
from adapters.slack_settings import slack_settings
from adapters.source_settings import source_settings
from adapters.step_ups import SqlStepUps, site
from adapters.templates import JinjaRenderer
from adapters.webhook_deliveries import WebhookDeliveries
from console.app import create_app
from console.decide import Gate
from console.deps import Console
from console.pages_provider import RETURN
from console.slack_http import mount
from console.temporal import TemporalWorkflows
from runtime import connect


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    oidc = oidc_settings(settings.oidc)
    refuse_open_door(settings, oidc)
    database = Database(settings.database_url)
    ledger, people = SqlLedger(database), role_directory(settings, database)
    shown, workflows = ShownViews(database), TemporalWorkflows(await connect())
    key, step_ups = GatewayKey(settings.gateway_key), SqlStepUps(database)
    gate = Gate(ledger, people, shown, key, workflows, utc_now, step_ups)
    console = Console(
        settings=settings,
        database=database,
        ledger=ledger,
        catalogue=SqlCatalogue(database),
        signals=SqlSignals(database),
        sources=source_settings(settings.sources),
        alerts=SqlAlerts(database),
        deliveries=WebhookDeliveries(database),
        accounts=Accounts(database),
        security_keys=SecurityKeys(database, step_ups, site(settings.console_url)),
        outbox=Outbox(database),
        people=people,
        keys=key,
        shown=shown,
        gate=gate,
        workflows=workflows,
        renderer=JinjaRenderer(settings.templates),
        clock=utc_now,
        provider=OidcProvider(oidc, settings.console_url + RETURN) if oidc else None,
    )
    app = create_app(console)
    slack = slack_settings(settings.data / "slack.yaml")
    listening = mount(app, console, slack).running() if slack else nullcontext()
    # What was made so far lives as long as the process, and a batch of a thousand outputs is no reason to look for
    # garbage: the collector need not walk either after every batch.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    config = uvicorn.Config(
        app,
        host=settings.console_host,
        port=settings.console_port,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    async with listening:
        await uvicorn.Server(config).serve()
    await database.close()


if __name__ == "__main__":
    asyncio.run(serve(Settings.from_environment()))
