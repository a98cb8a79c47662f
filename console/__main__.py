"""Composition root of the console: `python -m console` serves until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
from contextlib import nullcontext

import uvicorn

from adapters import log_lines
from adapters.anchor_settings import anchor_settings
from adapters.checkpoints import SqlCheckpoints
from adapters.database import Database
from adapters.erasure import SqlErasure
from adapters.head_keeping import configured_anchors
from adapters.keys import announce_all
from adapters.ledger import SqlLedger
from adapters.oidc import OidcProvider
from adapters.oidc_settings import oidc_settings, refuse_open_door
from adapters.outside import refuse_older
from adapters.payload_codec import CodecKeys, EncryptingCodec
from adapters.settings import Settings
from adapters.signing import LedgerKey
from adapters.slack_settings import slack_settings
from adapters.vault import SqlVault
from adapters.vault_key import MasterKey
from console.app import create_app
from console.composition import Kept, put_together
from console.pages_provider import RETURN
from console.slack_http import mount
from runtime import connect


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    settings.refuse_rehearsals()
    oidc = oidc_settings(settings.oidc)
    refuse_open_door(settings, oidc)
    codec = EncryptingCodec(CodecKeys(settings.codec_keys))
    database = Database(settings.database_url)
    vault = SqlVault(database, MasterKey(settings.vault_key))
    ledger = SqlLedger(database, vault=vault)
    ledger_key = LedgerKey(settings.ledger_key)
    anchors = configured_anchors(anchor_settings(settings.anchors), database)
    heads = SqlCheckpoints(database, ledger_key, settings.deployment)
    await refuse_older(ledger, heads, anchors)
    await announce_all(ledger, settings)
    erasure = SqlErasure(database, ledger, vault)
    await erasure.replay()  # what a restored copy brought back is gone before any traffic
    console = put_together(
        Kept(settings, database, ledger, vault, heads, erasure, codec),
        await connect(codec),
        OidcProvider(oidc, settings.console_url + RETURN) if oidc else None,
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
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    async with listening:
        await uvicorn.Server(config).serve()
    await database.close()


if __name__ == "__main__":
    log_lines.begin()
    asyncio.run(serve(Settings.from_environment()))
