"""`rehearsal run|start|record|window`: rehearse in a sandbox of this checkout, and tell production how it went."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countermand.cli import client
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import Format, FormatOption, JsonObject, detail

if TYPE_CHECKING:
    from countermand.rehearsal.scenario import Scenario

ScenarioFile = Annotated[Path, typer.Argument(help="For example rehearsals/unsafe-spike.yaml.", show_default=False)]
#: What a rehearsal must not find in its surroundings.
_FOREIGN = ("COUNTERMAND_", "TEMPORAL_", "SLACK_")


def run(
    scenarios: Annotated[
        list[str] | None, typer.Argument(help="Names of scenarios; all of them when left out.", show_default=False)
    ] = None,
    folder: Annotated[Path, typer.Option("--folder", help="Folder of scenario files.")] = Path("rehearsals"),
    out: Annotated[Path, typer.Option("--out", help="Where runs and reports go.")] = Path(".countermand/rehearsals"),
) -> None:
    """Rehearse with scripted people, in sandboxes. Exit 7 when a line of an oracle did not hold."""
    only = [part for name in scenarios or () for part in ("--only", Path(name).stem)]
    _play("all", "--scenarios", str(folder.resolve()), "--out", str(out.resolve()), *only)


def start(
    scenario: ScenarioFile,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where the run and its report go (default: below .countermand).")
    ] = None,
    port: Annotated[int, typer.Option("--port", help="Of the rehearsal's console; 0 takes any.")] = 8899,
    channels: Annotated[
        Path | None, typer.Option("--channels", help="The rehearsal's own channels file; without it nobody is told.")
    ] = None,
    watch_production: Annotated[
        str | None, typer.Option("--watch-production", help="Production's console: an incident there pauses this.")
    ] = None,
    token: Annotated[Path | None, typer.Option("--token", help="File with a token to read there.")] = None,
    unannounced: Annotated[
        bool, typer.Option("--unannounced", help="Only within a window that is signed in production.")
    ] = False,
) -> None:
    """Rehearse with real people. You are the facilitator; what you type is recorded. Exit 7: a line did not hold."""
    place = out or Path(".countermand/rehearsals") / f"{scenario.stem}-with-people"
    options = ["--out", str(place.resolve()), "--port", str(port)]
    given = {
        "--channels": channels and str(channels.resolve()),
        "--production-channels": _channels_of_production(),
        "--watch-production": watch_production,
        "--token": token and str(token.resolve()),
    }
    options += [part for name, value in given.items() if value for part in (name, value)]
    _play("start", str(scenario.resolve()), *options, *(["--unannounced"] if unannounced else []))


def record(
    directory: Annotated[Path, typer.Argument(help="With run.json, as a rehearsal left it.", show_default=False)],
    scenario: Annotated[
        Path | None, typer.Option("--scenario", help="The scenario's file (default: rehearsals/NAME.yaml).")
    ] = None,
    answers: Annotated[
        Path | None, typer.Option("--answers", help="Answers given at a table instead of a run.")
    ] = None,
    output: FormatOption = Format.table,
) -> None:
    """Send a finished rehearsal to production. It is judged anew there; one that was changed is refused."""
    api = client.Api.signed_in()
    if answers is not None:
        file = scenario or directory
        _, playbook = _loaded(file)
        body = api.post(
            "/api/v1/rehearsals/tabletop",
            {
                "scenario": file.read_text(encoding="utf-8"),
                "playbook_digest": _digest(playbook),
                "answers": _answers(answers),
            },
        )
    else:
        try:
            run_ = json.loads((directory / "run.json").read_bytes())
            file = scenario or Path("rehearsals") / f"{run_['scenario_id']}.yaml"
            text = file.read_text(encoding="utf-8")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Failure(
                Exit.usage,
                f"{str(directory)!r} is not what a rehearsal left behind ({error})",
                accepted="a directory with run.json, and the scenario's file with --scenario",
            ) from error
        raw = gzip.compress(json.dumps({"run": run_, "scenario": text}).encode())
        body = api.post("/api/v1/rehearsals", raw=raw, media_type="application/json", zipped=True)
    lines = [
        f"{body['title']}: {body['held']} lines held, {body['failed']} failed",
        *(f"  not: {line}" for line in body["failed_lines"]),
        _counts(body),
        f"{client.console_url()}/rehearsals/{body['run_id']}",
    ]
    detail(body, lines, output)


def window(
    scenario: ScenarioFile,
    begins: Annotated[str, typer.Option("--from", help="First instant, as 2026-12-01T00:00:00Z.")],
    until: Annotated[str, typer.Option("--until", help="Last instant; at most 14 days later.")],
    known: Annotated[list[str], typer.Option("--known", help="Who knows of it; may be given again.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, in a sentence.")],
    output: FormatOption = Format.table,
) -> None:
    """Sign a window for an unannounced rehearsal. Executives only."""
    loaded, _ = _loaded(scenario)
    sent = {"scenario": loaded.id, "from": begins, "until": until, "known": known, "reason": reason}
    body = client.Api.signed_in().post("/api/v1/rehearsal-windows", sent)
    detail(body, [str(body["sentence"])], output)


def _counts(body: JsonObject) -> str:
    if body["passed"]:
        return "its playbook counts as rehearsed from now on"
    if body["mode"] == "tabletop":
        return "a tabletop never renews a playbook"
    return "its playbook does not count as rehearsed by this run"


def _play(*arguments: str) -> None:
    """Run the sandbox as a process of its own, with this terminal and nothing of production's."""
    from countermand.cli.environment import checkout

    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    process = subprocess.Popen([sys.executable, "-m", "rehearsal", *arguments], cwd=checkout(), env=kept)
    while process.returncode is None:
        with suppress(KeyboardInterrupt):  # it got the same Ctrl-C, and takes its sandbox down by itself
            process.wait()
    if process.returncode:
        raise typer.Exit(process.returncode if process.returncode > 0 else Exit.failed)


def _channels_of_production() -> str | None:
    data = os.environ.get("COUNTERMAND_DATA")
    named = os.environ.get("COUNTERMAND_CHANNELS") or (data and str(Path(data) / "channels.yaml"))
    return str(Path(named).resolve()) if named and Path(named).exists() else None


def _loaded(file: Path) -> tuple[Scenario, bytes]:
    from countermand.rehearsal.loading import ScenarioErrors, load_with_playbook

    try:
        return load_with_playbook(file)
    except (ScenarioErrors, OSError) as error:
        raise Failure(Exit.usage, str(error)) from error


def _digest(raw: bytes) -> str:
    from countermand.canonical import digest_bytes

    return digest_bytes(raw)


def _answers(file: Path) -> list[JsonObject]:
    from countermand.rehearsal.tabletop import AnswersInvalid, parse_answers

    try:
        return [one.model_dump(mode="json") for one in parse_answers(file.read_bytes())]
    except (AnswersInvalid, OSError) as error:
        raise Failure(Exit.usage, str(error)) from error
