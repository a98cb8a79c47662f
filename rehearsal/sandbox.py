"""A whole Countermand of its own for one rehearsal: data directory, keys, ledger, Temporal server, worker and console.

Nothing of it is shared with production: another directory, another database, another server with another namespace,
other keys. It is built from a `Reach[Rehearsal]` and from nothing else (I20).
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

from activities.fence import REHEARSAL, FenceBroken, Reach, Rehearsal
from adapters.database import Database, utc_now
from adapters.directory_sources import role_directory
from adapters.erasure import SqlErasure
from adapters.keys import announce_all, key_files
from adapters.ledger import SqlLedger
from adapters.migrate import upgrade
from adapters.payload_codec import CodecKeys, EncryptingCodec
from adapters.settings import REHEARSAL_MARKER, Settings
from adapters.template_record import record_templates
from adapters.templates import JinjaRenderer
from adapters.vault import SqlVault
from adapters.vault_key import MasterKey
from composition import Stores, workers
from console.app import create_app
from console.composition import Kept, put_together
from console.deps import Console
from countermand.cli.demo_world import declare_profile
from rehearsal.hands import Hands
from runtime import plugin
from workflows.visibility import ALL

NAMESPACE = "rehearsal"
#: Credentials and addresses that a rehearsal must not find in its surroundings (LRN-20).
_FOREIGN = ("COUNTERMAND_", "TEMPORAL_", "SLACK_")
_DYNAMIC = (
    *(f"history.{kind}ProcessorMaxPollRPS=2000" for kind in ("transfer", "timer", "visibility")),
    'history.timerProcessorMaxTimeShift="1ms"',
    "frontend.WorkflowTimeSkippingEnabled=true",
)


@dataclass(frozen=True)
class Sandbox:
    """What a running rehearsal is played in."""

    settings: Settings
    stores: Stores
    console: Console
    app: FastAPI
    temporal: WorkflowEnvironment
    hands: Hands


def refuse_production(environment: Mapping[str, str], data: Path) -> None:
    """Raises FenceBroken when the surroundings name production's stores or credentials, or the directory is not one of
    rehearsals."""
    found = sorted(name for name in environment if name.startswith(_FOREIGN))
    if found:
        raise FenceBroken(
            f"a rehearsal does not start where production's settings are: {', '.join(found)}; "
            "accepted: a shell without COUNTERMAND_*, TEMPORAL_* and SLACK_* variables"
        )
    if data.exists() and any(data.iterdir()) and not (data / REHEARSAL_MARKER).exists():
        raise FenceBroken(f"{data} is not a directory of rehearsals; accepted: an empty or a new directory")


def clear(data: Path) -> None:
    """Remove what an earlier rehearsal left in this directory. Raises FenceBroken for any other one, and leaves it."""
    refuse_production({}, data)
    if data.is_symlink():
        raise FenceBroken(f"{data} is a link; accepted: the directory itself, so that nothing else is removed")
    if data.exists():
        shutil.rmtree(data)


def prepare(data: Path, governance: str, *, port: int | None = None) -> Settings:
    """A directory with a database at this version's schema, keys, and who holds which role. Raises FenceBroken.

    port: of this machine, where its console is served.
    """
    refuse_production(os.environ, data)
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    (data / REHEARSAL_MARKER).touch()
    said = {"COUNTERMAND_DATA": str(data), "COUNTERMAND_DEPLOYMENT": "rehearsal"}
    if port is not None:
        said |= {"COUNTERMAND_CONSOLE_PORT": str(port), "COUNTERMAND_CONSOLE_URL": f"http://localhost:{port}"}
    settings = Settings.from_environment(said)
    upgrade(settings.database_url)
    for key in key_files(settings):
        key.create_if_missing()
    MasterKey(settings.vault_key).create_if_missing()
    CodecKeys(settings.codec_keys).create_if_missing()
    for name in ("targets", "data_sources"):
        (data / f"{name}.yaml").write_text(f"{name}: {{}}\n")
    declare_profile(data)
    (data / "governance.yaml").write_text(governance)
    return settings


@asynccontextmanager
async def sandbox(settings: Settings, stores: Stores, reach: Reach[Rehearsal]) -> AsyncIterator[Sandbox]:
    """Run everything until the block ends. Raises FenceBroken when the reach is not a rehearsal's."""
    if reach.environment is not REHEARSAL:
        raise FenceBroken(f"a rehearsal was given the reach of {type(reach.environment).__name__.lower()}")
    vault = SqlVault(stores.database, MasterKey(settings.vault_key))
    await announce_all(stores.ledger, settings)
    await record_templates(stores.ledger, stores.renderer.digests)
    codec = EncryptingCodec(CodecKeys(settings.codec_keys))
    async with _server(codec) as temporal:
        erasure = SqlErasure(stores.database, stores.ledger, vault)
        kept = Kept(settings, stores.database, stores.ledger, vault, stores.heads, erasure, codec)
        console = put_together(kept, temporal.client)
        async with Hands(lambda: workers(stores, reach, temporal.client)) as hands:
            yield Sandbox(settings, stores, console, create_app(console), temporal, hands)


def stores(settings: Settings) -> Stores:
    """The stores of a prepared directory; every record says that it is of a rehearsal (EVD-6)."""
    database = Database(settings.database_url)
    vault = SqlVault(database, MasterKey(settings.vault_key))
    ledger = SqlLedger(database, vault=vault, rehearsal=True)
    people = role_directory(settings, database)
    return Stores(settings, database, ledger, people, JinjaRenderer(settings.templates), utc_now)


@asynccontextmanager
async def _server(codec: EncryptingCodec) -> AsyncIterator[WorkflowEnvironment]:
    """The real Temporal server in memory, on a free port; clocks of single workflows can be moved forward."""
    beside = Path(sys.executable).parent
    binary = shutil.which("temporal", path=str(beside)) or shutil.which("temporal")
    async with await WorkflowEnvironment.start_time_skipping_v2(
        namespace=NAMESPACE,
        ts_config=TimeSkippingConfig(enabled=False, disable_propagation=True),
        dev_server_existing_path=binary,
        plugins=[plugin(codec)],
        search_attributes=list(ALL),
        dev_server_extra_args=[f"--dynamic-config-value={setting}" for setting in _DYNAMIC],
    ) as environment:
        yield environment
