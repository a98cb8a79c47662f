"""`login`, `logout`, `whoami`."""

from __future__ import annotations

import sys
from getpass import getpass
from typing import Annotated

import typer

from countermand.cli import client
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import Format, FormatOption, detail, say, spoken


def login(
    subject: Annotated[str, typer.Argument(help="Your account: `maria` means `local|maria`.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    output: FormatOption = Format.table,
) -> None:
    """Sign in; the token is kept in a file that only you can read."""
    url = client.console_url()
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    elif sys.stdin.isatty():
        password = getpass()
    else:
        raise Failure(
            Exit.usage, "there is no terminal to ask for the password", next="countermand login NAME --password-stdin"
        )
    full = subject if "|" in subject else f"local|{subject}"
    session = client.Api(url).post("/api/v1/login", {"subject": full, "password": password})
    client.store_token(url, session)
    shown = {key: value for key, value in session.items() if key != "token"}
    detail(shown, [f"✓ signed in to {url} as {_person(session)}, until {session['expires_at']}"], output)


def logout() -> None:
    """End the session here and at the console."""
    url = client.console_url()
    token = client.stored_token(url)
    client.store_token(url, None)
    try:
        client.Api(url, token).post("/api/v1/logout")
    except Failure as failure:
        if failure.code is not Exit.not_authorised:
            raise
    say(f"✓ signed out of {url}")


def whoami(output: FormatOption = Format.table) -> None:
    """Who you are to the console, and which roles you hold now."""
    body = client.Api.signed_in().get("/api/v1/whoami")
    detail(body, [_person(body)], output)


def _person(body: dict[str, object]) -> str:
    roles = body["roles"]
    words = ", ".join(spoken(str(role)) for role in roles) if isinstance(roles, list) else ""
    return f"{body['name']} ({body['subject']}), {words or 'no roles'}"
