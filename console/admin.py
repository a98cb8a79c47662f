"""Server-side administration: `python -m console.admin …`. Needs the data directory, never a session."""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from pydantic import BaseModel, ConfigDict

from adapters.accounts import Accounts
from adapters.checkpoints import SqlCheckpoints
from adapters.database import Database
from adapters.keys import key_files, rotate
from adapters.ledger import SqlLedger
from adapters.migrate import upgrade
from adapters.payload_codec import CodecKeys
from adapters.settings import Settings
from adapters.signing import LedgerKey
from adapters.vault import SqlVault
from adapters.vault_key import MasterKey
from countermand.ledger.record import Kind

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
account = typer.Typer(no_args_is_help=True, help="Local accounts.")
source = typer.Typer(no_args_is_help=True, help="Signal sources.")
keys = typer.Typer(no_args_is_help=True, help="Signing keys.")
app.add_typer(keys, name="keys")
app.add_typer(account, name="account")
app.add_typer(source, name="source")


def _with_accounts(work: Callable[[Accounts], Awaitable[None]]) -> None:
    async def run() -> None:
        database = Database(Settings.from_environment().database_url)
        try:
            await work(Accounts(database))
        finally:
            await database.close()

    asyncio.run(run())


class NewAccount(BaseModel):
    """A local account."""

    model_config = ConfigDict(extra="forbid")

    subject: str
    name: str
    password: str


class Beginning(BaseModel):
    """What `setup` reads as JSON: the first accounts and signal sources."""

    model_config = ConfigDict(extra="forbid")

    accounts: list[NewAccount]
    sources: list[str]


@app.command()
def setup() -> None:
    """Migrate, create the keys, and add the accounts and sources that standard input names as JSON; prints
    the tokens of the sources as JSON."""
    beginning = Beginning.model_validate_json(sys.stdin.read())
    settings = Settings.from_environment()
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    upgrade(settings.database_url)
    for key in key_files(settings):
        key.create_if_missing()
    MasterKey(settings.vault_key).create_if_missing()
    CodecKeys(settings.codec_keys).create_if_missing()
    tokens = {}

    async def work(accounts: Accounts) -> None:
        for new in beginning.accounts:
            await accounts.add(new.subject, new.name, new.password)
        for name in beginning.sources:
            tokens[name] = (await accounts.issue_source_token(name)).token

    _with_accounts(work)
    typer.echo(json.dumps(tokens))


@app.command()
def migrate() -> None:
    """Bring the database schema to this version."""
    settings = Settings.from_environment()
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    upgrade(settings.database_url)
    typer.echo("database is at this version's schema")


@app.command()
def init() -> None:
    """Create every key that is missing: of signatures, of the vault, of payloads."""
    settings = Settings.from_environment()
    for key in key_files(settings):
        key.create_if_missing()
        typer.echo(f"{key.name} key {key.key_id}")
    MasterKey(settings.vault_key).create_if_missing()
    payloads = CodecKeys(settings.codec_keys)
    payloads.create_if_missing()
    typer.echo(f"payload key {list(payloads.read())[-1]}")


@app.command("rotate-payload-key")
def rotate_payload_key() -> None:
    """Make a new payload key. It encrypts from the next start of each process on; the old ones stay for reading."""
    key_id = CodecKeys(Settings.from_environment().codec_keys).add()
    typer.echo(f"payload key {key_id}; copy keys/codec/{key_id}.key to every machine, then start workers and consoles")


@keys.command("list")
def list_keys() -> None:
    """Every key that the Ledger names, oldest first; the last one of a purpose is in force."""

    async def work(database: Database, _: Settings) -> None:
        for record in await SqlLedger(database).records(kinds=[Kind.key_added, Kind.key_rotated]):
            typer.echo(f"{record.body['key_id']}  {record.at:%Y-%m-%d %H:%M} UTC  {record.body['public']}")

    _with_ledger(work)


@keys.command("rotate")
def rotate_key(purpose: Annotated[str, typer.Argument(help="gateway, ledger, adoption or vault")]) -> None:
    """Let a new key take over. Of gateway: requests that are open now take no decision signed by the new key; wait for
    them, or ask again afterwards. Of vault: every data key is wrapped again under a new master key."""

    async def work(database: Database, settings: Settings) -> None:
        if purpose == "vault":
            master = MasterKey(settings.vault_key)
            count = await SqlVault(database, master).rotate_master()
            typer.echo(
                f"vault key {master.key_id} is in force and wraps {count} data keys; back up {settings.vault_key}"
            )
            return
        key = next((one for one in key_files(settings) if purpose == one.PURPOSE), None)
        if key is None:
            raise typer.BadParameter(f"{purpose!r} is no purpose of a key; gateway, ledger, adoption and vault are")
        try:
            typer.echo(f"{purpose} key {await rotate(SqlLedger(database), key)} is in force")
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        await SqlCheckpoints(database, LedgerKey(settings.ledger_key), settings.deployment).now()

    _with_ledger(work)


def _with_ledger(work: Callable[[Database, Settings], Awaitable[None]]) -> None:
    async def run() -> None:
        settings = Settings.from_environment()
        database = Database(settings.database_url)
        try:
            await work(database, settings)
        finally:
            await database.close()

    asyncio.run(run())


@account.command("add")
def add_account(subject: str, name: str = typer.Option(...), password_stdin: bool = typer.Option(False)) -> None:
    """Add a local account; SUBJECT is `local|name` as in the governance file."""
    password = sys.stdin.readline().rstrip("\n") if password_stdin else getpass.getpass()

    async def work(accounts: Accounts) -> None:
        try:
            await accounts.add(subject, name, password)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    _with_accounts(work)
    typer.echo(f"account {subject} added")


@source.command("add")
def add_source(
    name: str,
    release: Annotated[list[str] | None, typer.Option(help="Only this release; may be given again.")] = None,
    environment: Annotated[list[str] | None, typer.Option(help="Only this environment; may be given again.")] = None,
) -> None:
    """Make a token for a signal source; it is printed once and stored as a hash only."""

    async def work(accounts: Accounts) -> None:
        issued = await accounts.issue_source_token(name, releases=release, environments=environment)
        typer.echo(issued.token)
        typer.echo(f"end it with: python -m console.admin source revoke {issued.token_id}", err=True)

    _with_accounts(work)


@source.command("revoke")
def revoke_token(token_id: str) -> None:
    """End a token by the id that was printed when it was made."""

    async def work(accounts: Accounts) -> None:
        await accounts.revoke(token_id)

    _with_accounts(work)
    typer.echo(f"token {token_id} revoked")


if __name__ == "__main__":
    app()
