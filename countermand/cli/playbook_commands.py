"""`playbook check`, `explain`, `plan`: offline, the same code as the console. `playbook send`: to the console."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countermand.cli import client
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import Format, FormatOption, detail, print_json, print_json_line, say

if TYPE_CHECKING:
    from countermand.playbook.model import Playbook

app = typer.Typer(no_args_is_help=True, help="Playbooks: check, explain, plan, send to the console.")

PlaybookFile = Annotated[Path, typer.Argument(help="A playbook in YAML.", show_default=False)]


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Playbooks in YAML.", show_default=False)],
    output: FormatOption = Format.table,
) -> None:
    """Say everything that is wrong in these playbooks: file, line, what would be accepted. Exit 5 on an error."""
    from countermand.playbook.load import problems

    found = [(file, problems(_bytes(file), str(file))) for file in files]
    answers = [
        {
            "file": str(file),
            "ok": all(problem.level != "error" for problem in listed),
            "problems": [problem.model_dump() for problem in listed],
        }
        for file, listed in found
    ]
    match output:
        case Format.json:
            print_json({"schema": "countermand.playbook_check/v1", "items": answers})
        case Format.jsonl:
            for answer in answers:
                print_json_line(answer)
        case _:
            for (file, listed), answer in zip(found, answers, strict=True):
                say(*map(str, listed))
                say(f"✓ {file} can be used" if answer["ok"] else f"✗ {file} cannot be used")
    if not all(answer["ok"] for answer in answers):
        raise typer.Exit(Exit.failed)


@app.command()
def explain(file: PlaybookFile, output: FormatOption = Format.table) -> None:
    """The playbook in plain words, on one page."""
    from countermand.playbook.explain import explain as in_words

    playbook = usable(file)
    text = in_words(playbook)
    body = {"schema": "countermand.playbook_words/v1", "name": playbook.name, "version": playbook.version}
    detail(body | {"text": text}, [text.rstrip()], output)


@app.command()
def plan(
    file: PlaybookFile,
    per_minute: Annotated[
        str | None,
        typer.Option(
            "--per-minute", metavar="N[:M]", help="Outputs scored per minute on the candidate, and on the baseline."
        ),
    ] = None,
    output: FormatOption = Format.table,
) -> None:
    """How long each criterion needs to see harm, and what the false-alarm budget is split into."""
    from countermand.playbook.planning import lines
    from countermand.playbook.planning import plan as forecasts

    playbook = usable(file)
    traffic = traffic_of(per_minute)
    body = {
        "schema": "countermand.playbook_plan/v1",
        "name": playbook.name,
        "version": playbook.version,
        "items": [found.model_dump(mode="json") for found in forecasts(playbook.detection, traffic)],
    }
    detail(body, list(lines(playbook.detection, traffic)), output)


@app.command()
def send(file: PlaybookFile, output: FormatOption = Format.table) -> None:
    """Keep these exact bytes at the console; prints the digest that a release names."""
    body = client.Api.signed_in().post("/api/v1/playbooks", raw=_bytes(file), media_type="application/yaml")
    detail(body, [f"✓ {body['name']} version {body['version']}", str(body["digest"])], output)


def usable(file: Path) -> Playbook:
    """The playbook in this file. Raises Failure when it cannot be read or used."""
    from countermand.playbook.load import PlaybookErrors, parse

    try:
        return parse(_bytes(file), str(file))
    except PlaybookErrors as error:
        raise Failure(Exit.failed, str(error), next=f"countermand playbook check {file}") from None


def traffic_of(per_minute: str | None) -> tuple[int, int] | None:
    """`100` or `50:950` as outputs per minute on (candidate, baseline). Raises Failure."""
    if per_minute is None:
        return None
    parts = per_minute.split(":")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() and 0 < int(part) < 10**9 for part in parts):
        accepted = "a whole number, or two for candidate and baseline: 100 or 50:950"
        raise Failure(Exit.usage, f"{per_minute!r} is not traffic", accepted=accepted)
    return int(parts[0]), int(parts[-1])


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Failure(
            Exit.usage, f"{str(file)!r} cannot be read ({error.strerror})", accepted="a playbook in YAML"
        ) from None
