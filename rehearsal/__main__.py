"""`python -m rehearsal`: play one scenario, or all of them."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
ROOT = Path(__file__).resolve().parent.parent
#: Exit code when a line of an oracle did not hold.
NOT_HELD = 7


@app.command()
def play(
    file: Annotated[Path, typer.Argument(help="The scenario file.", exists=True, dir_okay=False)],
    out: Annotated[Path, typer.Option("--out", help="Where the run and its report go.")],
    keep: Annotated[Path | None, typer.Option("--keep", help="Keep the sandbox's data directory here.")] = None,
) -> None:
    """Play one scenario with its scripted people. Prints one JSON line per step."""
    from activities.fence import FenceBroken
    from countermand.rehearsal.loading import ScenarioErrors, load_with_playbook
    from rehearsal.reporting import write
    from rehearsal.sandbox import clear
    from rehearsal.story import Story

    def say(sentence: str) -> None:
        print(json.dumps({"doing": sentence}, ensure_ascii=False), flush=True)

    try:
        scenario, playbook = load_with_playbook(file)
    except ScenarioErrors as error:
        typer.echo("\n".join(error.problems), err=True)
        raise typer.Exit(2) from error
    with tempfile.TemporaryDirectory(prefix="countermand-rehearsal-") as temporary:
        data = keep or Path(temporary) / "data"
        try:
            clear(data)
            run = asyncio.run(Story(scenario, playbook, data, say).play())
        except FenceBroken as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(4) from error
    held, failed = write(scenario, playbook, run, out)
    say(f"{held} of {held + len(failed)} lines of the oracle held" + "".join(f"; not: {one}" for one in failed[:2]))
    raise typer.Exit(NOT_HELD if failed else 0)


@app.command()
def start(
    file: Annotated[Path, typer.Argument(help="The scenario file.", exists=True, dir_okay=False)],
    out: Annotated[Path, typer.Option("--out", help="Where the run and its report go.")],
    port: Annotated[int, typer.Option("--port", help="Of its console; 0 takes any.")] = 0,
    channels: Annotated[
        Path | None, typer.Option("--channels", help="The rehearsal's own channels file; without it nobody is told.")
    ] = None,
    production_channels: Annotated[
        Path | None, typer.Option("--production-channels", help="No address of this file is accepted.")
    ] = None,
    watch_production: Annotated[
        str | None, typer.Option("--watch-production", help="Address of production's console.")
    ] = None,
    token: Annotated[Path | None, typer.Option("--token", help="File with a token to read there.")] = None,
    unannounced: Annotated[bool, typer.Option("--unannounced", help="Only within a window that is signed.")] = False,
) -> None:
    """Play one scenario with real people; orders of the facilitator come from standard input."""
    from activities.fence import FenceBroken
    from adapters.settings import SettingsInvalid
    from countermand.rehearsal.loading import ScenarioErrors, load_with_playbook
    from rehearsal.facilitating import Facilitation
    from rehearsal.reporting import write

    try:
        scenario, playbook = load_with_playbook(file)
        facilitation = Facilitation(scenario, playbook, port, channels, production_channels)
        if watch_production is not None or token is not None or unannounced:
            facilitation.watch(watch_production, token, unannounced=unannounced)
        with tempfile.TemporaryDirectory(prefix="countermand-rehearsal-") as temporary:
            run = asyncio.run(facilitation.run(Path(temporary) / "data"))
    except ScenarioErrors as error:
        typer.echo("\n".join(error.problems), err=True)
        raise typer.Exit(2) from error
    except (FenceBroken, SettingsInvalid) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(4) from error
    if run is None:
        typer.echo("stopped before anything happened; nothing was kept")
        raise typer.Exit(NOT_HELD)
    held, failed = write(scenario, playbook, run, out)
    typer.echo(f"{held} of {held + len(failed)} lines of the oracle held. Report: {out / 'report.md'}")
    for line in failed:
        typer.echo(f"  not: {line}")
    raise typer.Exit(NOT_HELD if failed else 0)


@app.command("all")
def play_all(
    scenarios: Annotated[Path, typer.Option("--scenarios", help="Directory of scenario files.")] = ROOT / "rehearsals",
    out: Annotated[Path, typer.Option("--out", help="Where reports go.")] = ROOT / ".countermand" / "rehearsals",
    only: Annotated[list[str] | None, typer.Option("--only", help="Play only scenarios with this name.")] = None,
) -> None:
    """Play every scenario, three at a time, and write the report of all."""
    from rehearsal import together
    from rehearsal.reporting import write_all

    console = Console()
    files = sorted(one for one in scenarios.glob("*.yaml") if not only or one.stem in only)
    if not files:
        typer.echo(f"no scenario file in {scenarios}" + (f" is called {', '.join(only)}" if only else ""), err=True)
        raise typer.Exit(2)
    drills = asyncio.run(together.play_all(files, out, console))
    report = write_all([out / drill.file.stem for drill in drills], out)
    together.print_end(drills, report, console)
    raise typer.Exit(NOT_HELD if any(drill.state != "held" for drill in drills) else 0)


if __name__ == "__main__":
    sys.exit(app())
