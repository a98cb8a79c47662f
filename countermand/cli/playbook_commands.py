"""`playbook check`, `explain`, `plan`: offline, the same code as the console. `playbook send`: to the console."""

from __future__ import annotations

from datetime import UTC, datetime
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
    lessons: Annotated[bool, typer.Option("--lessons", help="Ask the console for lessons that fit.")] = False,
    output: FormatOption = Format.table,
) -> None:
    """Say everything that is wrong in these playbooks: file, line, what would be accepted. Exit 5 on an error."""
    from countermand.playbook.load import problems

    today = datetime.now(UTC).date()
    found = [(file, problems(_bytes(file), str(file), today)) for file in files]
    answers = [
        {
            "file": str(file),
            "ok": all(problem.level != "error" for problem in listed),
            "problems": [problem.model_dump() for problem in listed],
            "lessons": _lessons(file) if lessons and all(one.level != "error" for one in listed) else "",
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
                say(*map(str, listed), *([f"! {answer['lessons']}"] if answer["lessons"] else []))
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
    said = [f"✓ {body['name']} version {body['version']}", str(body["digest"])]
    detail(body, said + ([f"! {body['warning']}"] if body.get("warning") else []), output)


@app.command()
def adopt(
    file: PlaybookFile,
    reason: Annotated[str, typer.Option(help="Why this version should be used.", show_default=False)],
    output: FormatOption = Format.table,
) -> None:
    """Send a playbook and ask people to adopt it; releases may name it when they signed. Whoever asks cannot sign."""
    api = client.Api.signed_in()
    sent = api.post("/api/v1/playbooks", raw=_bytes(file), media_type="application/yaml")
    body = api.post(f"/api/v1/playbooks/{sent['digest']}/adoption", {"reason": reason})
    numbers = [f"  {one['path']}: {one['before']} → {one['after']} ({one['direction']})" for one in body["changes"]]
    head = [f"{body['consent_id']}: version {sent['version']} of {sent['name']}, {body['change']}", *numbers]
    sign = f"Sign: countermand consent show {body['consent_id']}"
    detail({**body, "digest": sent["digest"]}, [*head, str(body["sentence"]), sign], output)


@app.command()
def history(
    name: Annotated[str, typer.Argument(help="Name of a playbook.", show_default=False)],
    output: FormatOption = Format.table,
) -> None:
    """Every adopted version of a playbook, the oldest first: who signed, and what it changed."""
    body = client.Api.signed_in().get(f"/api/v1/playbooks/{name}/adoptions")
    said = [
        f"version {one['version']} ({one['change']}), signed by {', '.join(one['signers'])}\n  {one['digest']}"
        for one in body["items"]
    ]
    detail(body, [*said] or [f"no version of {name!r} was adopted"], output)


@app.command()
def show(
    digest: Annotated[str, typer.Argument(help="Digest of a playbook, sha256:….", show_default=False)],
    output: FormatOption = Format.table,
) -> None:
    """The exact text of a playbook that the console keeps."""
    body = client.Api.signed_in().get(f"/api/v1/playbook-texts/{digest}")
    detail(body, [str(body["text"])], output)


def _lessons(file: Path) -> str:
    """The warning about lessons that fit this playbook; empty when there are none. Raises Failure."""
    from countermand.learning.lesson_tags import tags_of

    tags = sorted(tags_of(usable(file)))
    return str(client.Api.signed_in().get("/api/v1/lessons/matching", tag=tags)["warning"])


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
