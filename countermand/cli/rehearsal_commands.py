"""`rehearsal list|show|report|tabletop`: scenario files, finished runs, and questions answered at a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countermand.cli import client, rehearsal_running
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import Format, FormatOption, JsonObject, detail, spoken

if TYPE_CHECKING:
    from countermand.rehearsal.scenario import Scenario
    from countermand.rehearsal.tabletop import Answer

app = typer.Typer(no_args_is_help=True, help="Rehearsals: scenarios, reports, and the form at a table.")

app.command("run")(rehearsal_running.run)
app.command("start")(rehearsal_running.start)
app.command("record")(rehearsal_running.record)
app.command("window")(rehearsal_running.window)

FolderOption = Annotated[Path, typer.Option("--folder", help="Folder of scenario files.")]
ScenarioFile = Annotated[Path, typer.Argument(help="For example rehearsals/unsafe-spike.yaml.", show_default=False)]


@app.command("list")
def list_(folder: FolderOption = Path("rehearsals"), output: FormatOption = Format.table) -> None:
    """Every scenario of a folder. Needs no console."""
    from countermand.rehearsal.loading import ScenarioErrors, load_scenario

    found, broken = [], []
    for path in sorted(folder.glob("*.yaml")):
        try:
            found.append(load_scenario(path))
        except ScenarioErrors as error:
            broken += error.problems
    if broken or not found:
        raise Failure(Exit.usage, "\n".join(broken) or f"no scenario in {str(folder)!r}; name a folder with --folder")
    body: JsonObject = {"scenarios": [_head(one) for one in found]}
    lines = [f"{one.id:28} {one.severity.value}  {one.shift.value:8} {one.title}" for one in found]
    detail(body, lines, output)


@app.command()
def show(file: ScenarioFile, output: FormatOption = Format.table) -> None:
    """One scenario: its point, who is on duty, what is expected and what is forbidden. Needs no console."""
    scenario = _load(file)
    body: JsonObject = {**_head(scenario), "scenario": scenario.model_dump(mode="json", by_alias=True)}
    lines = [
        scenario.title,
        f"  {scenario.point}.",
        f"  {scenario.severity.value}, {scenario.shift.value}, the story begins at {scenario.start}",
        f"  on duty: {', '.join(f'{spoken(role)} {spoken(people)}' for role, people in _duty(scenario))}",
        "  expected:",
        *(f"    {spoken(one.by)}: {spoken(one.kind.value)}. {one.why}" for one in scenario.expected_decisions),
        *(f"    {spoken(one.event)}. {one.why}" for one in scenario.expected_events),
        "  forbidden:",
        *(f"    {_forbids(one.model_dump(mode='json'))}. {one.why}" for one in scenario.forbidden),
        f"  it ends {spoken(scenario.expected_outcome)}",
    ]
    detail(body, lines, output)


@app.command()
def report(
    run_id: Annotated[str, typer.Argument(help="The id of a finished run.", show_default=False)],
    output: FormatOption = Format.table,
) -> None:
    """The report of a finished run, in Markdown."""
    body = client.Api.signed_in().get(f"/api/v1/rehearsals/{run_id}")
    page = f"{client.console_url()}/rehearsals/{run_id}"
    text = body["report"] or f"{body['held']} lines held, {body['failed']} failed; the report was not kept."
    detail(body, [str(text), f"With its time line: {page}"], output)


@app.command()
def tabletop(
    file: ScenarioFile,
    answers: Annotated[
        Path | None, typer.Option("--answers", help="Answers in a file; without it you are asked.")
    ] = None,
    save: Annotated[Path | None, typer.Option("--save", help="Write the report to this file.")] = None,
    output: FormatOption = Format.table,
) -> None:
    """Answer a scenario's turning points at a table, without a sandbox. Exit 4 when an answer is not right."""
    from countermand.rehearsal.tabletop import AnswersInvalid, as_markdown, judged, parse_answers

    scenario = _load(file)
    try:
        given = parse_answers(answers.read_bytes()) if answers else _asked(scenario)
        found = judged(scenario, given)
    except AnswersInvalid as error:
        raise Failure(Exit.usage, str(error)) from error
    text = as_markdown(scenario, found)
    if save is not None:
        save.write_text(text, encoding="utf-8")
    detail({"scenario": scenario.id, "answers": [one.model_dump(mode="json") for one in found]}, [text], output)
    if not all(one.held for one in found):
        raise typer.Exit(Exit.refused)


def _load(file: Path) -> Scenario:
    from countermand.rehearsal.loading import ScenarioErrors, load_scenario

    try:
        return load_scenario(file)
    except (ScenarioErrors, OSError) as error:
        raise Failure(Exit.usage, str(error)) from error


def _asked(scenario: Scenario) -> list[Answer]:
    """Every question in turn; whoever holds the role answers."""
    from countermand.rehearsal.tabletop import Answer

    who = typer.prompt("Who answers?")
    found = []
    for turn in scenario.tabletop:
        typer.echo(f"\n{turn.seen}\n{spoken(turn.role)}: {turn.question}")
        for name, words in turn.answers.items():
            typer.echo(f"  {name}: {words}")
        said = typer.prompt("Your answer")
        while said not in turn.answers:
            typer.echo(f"{said!r} is no answer to it; write {', '.join(turn.answers)}")
            said = typer.prompt("Your answer")
        because = typer.prompt("Why", default="", show_default=False)
        found.append(Answer(turn=turn.id, answer=said, who=who, because=because or None))
    return found


def _head(scenario: Scenario) -> JsonObject:
    return {
        "id": scenario.id,
        "title": scenario.title,
        "version": scenario.version,
        "digest": scenario.digest,
        "severity": scenario.severity.value,
        "shift": scenario.shift.value,
    }


def _duty(scenario: Scenario) -> list[tuple[str, str]]:
    return [(role, ", ".join(people)) for role, people in scenario.roles.items()]


def _forbids(line: JsonObject) -> str:
    what = next(spoken(str(line[key])) for key in ("act", "event", "effect", "told") if line[key])
    who = f" by {spoken(str(line['by']))}" if line["act"] else ""
    until = f" before {spoken(str(line['until']))}" if line["until"] else ""
    return f"{what}{who}{until}"
