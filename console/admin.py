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
from adapters.database import Database
from adapters.migrate import upgrade
from adapters.settings import Settings
from adapters.signing import GatewayKey

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
account = typer.Typer(no_args_is_help=True, help="Local accounts.")
source = typer.Typer(no_args_is_help=True, help="Signal sources.")
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
    """Migrate, create the gateway key, and add the accounts and sources that standard input names as JSON; prints
    the tokens of the sources as JSON."""
    beginning = Beginning.model_validate_json(sys.stdin.read())
    settings = Settings.from_environment()
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    upgrade(settings.database_url)
    GatewayKey(settings.gateway_key).create_if_missing()
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
    """Create the gateway key if there is none."""
    key = GatewayKey(Settings.from_environment().gateway_key)
    key.create_if_missing()
    typer.echo(f"gateway key {key.key_id}")


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
