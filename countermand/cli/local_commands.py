"""`up` and `demo`: Countermand on this machine, from a checkout."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countermand.cli.exits import Exit, Failure
from countermand.cli.output import say

if TYPE_CHECKING:
    from countermand.cli.environment import Place


def up(
    data: Annotated[
        Path | None, typer.Option("--data", help="Data directory (default: .countermand in the checkout).")
    ] = None,
) -> None:
    """Start server, worker and console on this machine and keep them running until Ctrl-C."""
    from countermand.cli import environment
    from countermand.cli.processes import Supervisor, until_stopped

    async def run(place: Place) -> None:
        supervisor = Supervisor(lambda line: say(f"▲ {line}"))
        try:
            say(f"… starting in {place.data}")
            passwords = await environment.prepare(place)
            await environment.start(place, supervisor)
            say(*_where(place), *_who(place, passwords), "", "Ctrl-C stops everything; the data stays.")
            await asyncio.Event().wait()
        finally:
            await supervisor.stop()

    place = environment.Place.choose(data, ".countermand")
    with environment.locked(place.data):
        asyncio.run(until_stopped(lambda: run(place)))
    say("✓ stopped")


def _where(place: Place) -> list[str]:
    return [
        f"✓ console       {place.console_url}",
        f"✓ temporal UI   {place.ui_url}  (server on 127.0.0.1:{place.temporal_port})",
        f"  logs          {place.data / 'logs'}",
        f"  people        {place.data / 'governance.yaml'}",
        f"  targets       {place.data / 'targets.yaml'}",
        f"  data sources  {place.data / 'data_sources.yaml'}",
    ]


def _who(place: Place, passwords: dict[str, str]) -> list[str]:
    if not passwords:
        login = f"COUNTERMAND_URL={place.console_url} countermand login NAME"
        return ["", f"Sign in with the accounts of the first start: {login}"]
    return [
        "",
        "These accounts were made now; the passwords are shown this once:",
        *(f"  {subject.removeprefix('local|'):<7} {password}" for subject, password in passwords.items()),
        f"Sign in on the page, or: COUNTERMAND_URL={place.console_url} countermand login maria",
        f"Sources of labelled outputs use the token in {place.keys / 'judge.token'}.",
    ]


def demo(
    auto: Annotated[bool, typer.Option("--auto", help="Play both approvers, prove every step, and end.")] = False,
    data: Annotated[
        Path | None, typer.Option("--data", help="Data directory (default: .countermand/demo), made anew each time.")
    ] = None,
) -> None:
    """A bad release is rolled back before your eyes: real split, real judge, real decisions."""
    from countermand.cli.demo import Demo
    from countermand.cli.processes import until_stopped

    played = Demo(auto=auto, data=data)
    ended = asyncio.run(until_stopped(played.run))
    if auto and not ended:
        raise Failure(Exit.unexpected, "the demo was stopped before its end")
