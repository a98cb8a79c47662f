"""Labelled outputs through the intake of one console process, in batches of 1,000, beside bare bulk inserts.

The console is the real application in a process of its own, asked over HTTP on loopback; a batch is answered after its
durable commit. The floor writes the same rows into the plainest table that is as durable, from one connection.
"""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import socket
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import uvicorn
from temporalio.client import Client

from activities.adopting import Adoptions
from adapters.accounts import Accounts
from adapters.alerts import SqlAlerts
from adapters.catalogue import SqlCatalogue
from adapters.database import Database
from adapters.directory_file import FileDirectory
from adapters.erasure import SqlErasure
from adapters.ledger import SqlLedger
from adapters.migrate import upgrade
from adapters.obligation_files import FileDuties
from adapters.outbox import Outbox
from adapters.payload_codec import CodecKeys, EncryptingCodec
from adapters.security_keys import SecurityKeys
from adapters.settings import Settings
from adapters.shown import ShownViews
from adapters.signals import SqlSignals
from adapters.signing import AdoptionKey, GatewayKey
from adapters.step_ups import SqlStepUps
from adapters.templates import JinjaRenderer
from adapters.vault import SqlVault
from adapters.vault_key import MasterKey
from adapters.webhook_deliveries import WebhookDeliveries
from console.app import create_app
from console.decide import Gate
from console.deps import Console
from console.temporal import TemporalWorkflows
from countermand.plan.model import Bundle, Release
from tests.adapters import postgres

ROOT = Path(__file__).parent.parent
PLAYBOOK = (ROOT / "playbooks" / "conversational-agent.yaml").read_bytes()
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
BATCH, BATCHES, CONNECTIONS = 1_000, 200, 8


def measured() -> list[tuple[str, str, str, str]]:
    """One row of the table of `make bench` per database; PostgreSQL only where it is installed."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{folder}/bench.db"
        upgrade(url)
        rows = [_row("SQLite", url, Path(folder), _sqlite_floor(Path(folder) / "floor.db"))]
        if (programs := postgres.installed()) is None:
            return [*rows, ("take in labelled outputs, PostgreSQL", "not run", "PostgreSQL is not installed", "")]
        with _cluster(programs) as server:
            name = server.new_database()
            floor = _postgresql_floor(server.url(name, postgres.OWNER))
            return [*rows, _row("PostgreSQL", server.url(name), Path(folder), floor)]


def _row(name: str, url: str, folder: Path, floor: float) -> tuple[str, str, str, str]:
    ours = asyncio.run(_through_the_console(url, folder))
    return (
        f"take in labelled outputs over HTTP, {name}, batches of {BATCH:,}",
        f"{ours:,.0f}/s",
        f"bare durable bulk insert: {floor:,.0f}/s",
        f"{ours / floor:.2f} ×",
    )


async def _through_the_console(url: str, folder: Path) -> float:
    """Outputs a second, from the first request to the last answer."""
    database = Database(url)
    signal, token = await _registered(database)
    await database.close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(url, port, str(folder)), daemon=True)
    server.start()
    bodies = [_body(number, signal) for number in range(BATCHES)]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False, timeout=60
        ) as client:
            await _ready(client)
            (await client.post("/api/v1/signals", content=_body(BATCHES, signal))).raise_for_status()
            left = iter(bodies)

            async def sender() -> None:
                for body in left:
                    answer = (await client.post("/api/v1/signals", content=body)).raise_for_status().json()
                    if answer["accepted"] != BATCH:
                        raise ValueError(f"{answer['accepted']} of {BATCH} were accepted")

            began = time.perf_counter()
            await asyncio.gather(*(sender() for _ in range(CONNECTIONS)))
            return BATCHES * BATCH / (time.perf_counter() - began)
    finally:
        server.terminate()
        server.join()


async def _registered(database: Database) -> tuple[str, str]:
    """(a rate signal of the playbook, a token of its source) with the release `bench`."""
    catalogue = SqlCatalogue(database)
    digest = await catalogue.put_playbook(PLAYBOOK)
    playbook = await catalogue.playbook(digest)
    signal, spec = next((name, one) for name, one in sorted(playbook.detection.signals.items()) if one.kind == "rate")
    bundle = Bundle(**{name: f"sha256:{name}" for name in Bundle.model_fields})
    release = Release(
        release_id="bench", environment="bench", service=playbook.service, candidate=bundle, baseline=bundle,
        playbook_digest=digest, registered_by="local|bench", owner="local|bench",
    )  # fmt: skip
    await catalogue.put_release(release, BEGIN)
    return signal, (await Accounts(database).issue_source_token(spec.source)).token


def _body(number: int, signal: str) -> bytes:
    items = [
        {
            "observation_id": f"{number:06}-{item:04}",
            "release_id": "bench",
            "arm": "candidate" if item % 2 else "baseline",
            "signal": signal,
            "event_time": (BEGIN + timedelta(seconds=number)).isoformat(),
            "outcome": "bad" if item % 50 == 0 else "ok",
        }
        for item in range(BATCH)
    ]
    return json.dumps({"schema": "countermand.signals/v1", "batch_id": f"b-{number}", "items": items}).encode()


async def _ready(client: httpx.AsyncClient) -> None:
    for _ in range(200):
        try:
            if (await client.get("/healthz")).is_success:
                return
        except httpx.TransportError:
            await asyncio.sleep(0.1)
    raise TimeoutError("the console did not start within 20 s")


def _serve(url: str, port: int, folder: str) -> None:
    asyncio.run(_console(url, port, Path(folder)))


async def _console(url: str, port: int, folder: Path) -> None:
    """The application as `python -m console` has it; Temporal is never asked here, so it is not connected to."""
    settings = Settings.from_environment({"COUNTERMAND_DATA": str(folder)})
    database = Database(url)
    vault = SqlVault(database, MasterKey(settings.vault_key))
    ledger = SqlLedger(database, vault=vault)
    people, shown = FileDirectory(settings.governance), ShownViews(database, ledger)
    workflows = TemporalWorkflows(await Client.connect("127.0.0.1:7233", lazy=True))
    key = GatewayKey(settings.gateway_key)

    codec_keys = CodecKeys(settings.codec_keys)
    codec_keys.create_if_missing()
    codec = EncryptingCodec(codec_keys)
    step_ups, duties = SqlStepUps(database), FileDuties(settings.obligations, settings.profile)

    def clock() -> datetime:
        return BEGIN + timedelta(minutes=5)

    app = create_app(
        Console(
            settings=settings, database=database, ledger=ledger,
            erasure=SqlErasure(database, ledger, vault), catalogue=SqlCatalogue(database),
            signals=SqlSignals(database), accounts=Accounts(database), outbox=Outbox(database), people=people,
            shown=shown, keys=key, gate=Gate(ledger, people, shown, key, workflows, clock, step_ups, duties),
            security_keys=SecurityKeys(database, step_ups, None),
            workflows=workflows, renderer=JinjaRenderer(settings.templates), duties=duties, sources={},
            alerts=SqlAlerts(database),
            deliveries=WebhookDeliveries(database), codec=codec,
            adoptions=Adoptions(ledger, SqlCatalogue(database), AdoptionKey(settings.adoption_key)), clock=clock,
        )
    )  # fmt: skip
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    await uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", access_log=False)).serve()


# --- floors -------------------------------------------------------------------------------------------------------

_TABLE = (
    "CREATE TABLE floor (source_id TEXT, observation_id TEXT, batch_id TEXT, release_id TEXT, signal TEXT, arm TEXT,"
    " event_us BIGINT, value INTEGER, segments TEXT, late BOOLEAN, PRIMARY KEY (source_id, observation_id))"
)


def _rows(number: int) -> list[tuple[object, ...]]:
    return [
        ("judge", f"{number:06}-{item:04}", f"b-{number}", "bench", "signal", "candidate", number, 0, None, False)
        for item in range(BATCH)
    ]


def _sqlite_floor(path: Path) -> float:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(_TABLE)
    prepared = [_rows(number) for number in range(BATCHES)]
    began = time.perf_counter()
    for rows in prepared:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO floor VALUES (?,?,?,?,?,?,?,?,?,?)", rows)
        connection.execute("COMMIT")
    elapsed = time.perf_counter() - began
    connection.close()
    return BATCHES * BATCH / elapsed


def _postgresql_floor(url: str) -> float:
    """COPY, the fastest way in."""
    prepared = [_rows(number) for number in range(BATCHES)]
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), autocommit=True) as connection:
        connection.execute(_TABLE)
        began = time.perf_counter()
        for rows in prepared:
            with connection.transaction(), connection.cursor().copy("COPY floor FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        elapsed = time.perf_counter() - began
        connection.execute("DROP TABLE floor")
    return BATCHES * BATCH / elapsed


@contextmanager
def _cluster(programs: Path) -> Iterator[postgres.Postgres]:
    # On a real disk: the tests' cluster may lie in memory, where durability costs nothing.
    server = postgres.Postgres(programs, _directory=Path(tempfile.mkdtemp(prefix="countermand-bench-")))
    server.start()
    try:
        yield server
    finally:
        server.stop()
