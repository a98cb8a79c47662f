"""`release list|show|register`, and `watch`: the verdict of a release and the evidence behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countermand.cli import client
from countermand.cli.exits import Exit, Failure
from countermand.cli.follow import following
from countermand.cli.output import (
    Column,
    Format,
    FormatOption,
    JsonObject,
    detail,
    items,
    on_terminal,
    print_json_line,
    say,
    screen,
    sign,
    spoken,
    state_text,
)

if TYPE_CHECKING:
    from rich.text import Text

app = typer.Typer(no_args_is_help=True, help="Releases: list, look, register.")

ReleaseId = Annotated[str, typer.Argument(help="For example support-assistant-v7.", show_default=False)]

_COLUMNS = (
    Column("RELEASE", "release_id"),
    Column("VERDICT", "verdict", state=True),
    Column("ENVIRONMENT", "environment"),
    Column("CANDIDATE", "candidate"),
    Column("BASELINE", "baseline"),
    Column("REGISTERED", "registered_at"),
    Column("ENDED", "closed_why"),
    Column("INCIDENTS", "incidents"),
)
_EXITS = {
    "ok": Exit.done,
    "watch": Exit.verdict_watch,
    "trigger": Exit.verdict_trigger,
}
_ENDED = ("over", "closed")


@app.command("list")
def list_(output: FormatOption = Format.table) -> None:
    """All releases with the newest verdict of their watch."""
    body = client.Api.signed_in().get("/api/v1/releases")
    if output is Format.table:
        body = {"items": [_flat(item) for item in body["items"]]}
    items(body, _COLUMNS, output)


def _flat(item: JsonObject) -> JsonObject:
    release = item["release"]
    return item | {
        "release_id": release["release_id"],
        "environment": release["environment"],
        "candidate": release["candidate"]["name"],
        "baseline": release["baseline"]["name"],
        "verdict": word_of(item),
    }


def word_of(item: JsonObject) -> str:
    """The verdict's word; a release without a verdict is unknown, never ok."""
    verdict = item["verdict"]
    return str(verdict["word"]) if verdict else "unknown"


@app.command()
def show(release_id: ReleaseId, output: FormatOption = Format.table) -> None:
    """One release: what differs, who registered it, its verdict."""
    body = client.Api.signed_in().get(f"/api/v1/releases/{release_id}")
    release = body["release"]
    who = f"registered {body['registered_at']} by {release['registered_by']}, owner {release['owner']}"
    names = f"{release['candidate']['name']} (candidate) beside {release['baseline']['name']} (baseline)"
    lines = [
        names,
        f"{release['service']} in {release['environment']}; {who}",
        f"playbook {release['playbook_digest']}",
    ]
    back = f"{sign(body['way_back']['word'])} {body['way_back']['sentence']}"
    detail(body, [*lines, *verdict_lines(body), back, *concern_lines(body)], output)


def concern_lines(body: JsonObject) -> list[str]:
    """What people said about a release, newest first; their words are fenced."""
    from countermand.messages.fencing import fenced

    return [
        f"concern {one['at']}: {one['name']} ({spoken(', '.join(one['roles']))}), {one['severity']}: "
        f"“{fenced(one['reason'])}”"
        for one in body["concerns"]
    ]


@app.command()
def register(
    file: Annotated[Path, typer.Argument(help="The release as JSON; docs/cli.md has an example.", show_default=False)],
    output: FormatOption = Format.table,
) -> None:
    """Register a release and start its watch. Its playbook must have been sent before."""
    accepted = "a release as JSON (docs/cli.md has an example)"
    try:
        release = json.loads(file.read_bytes())
    except OSError as error:
        raise Failure(Exit.usage, f"{str(file)!r} cannot be read ({error.strerror})", accepted=accepted) from None
    except ValueError as error:
        raise Failure(Exit.usage, f"{str(file)!r} is no JSON: {error}", accepted=accepted) from None
    body = client.Api.signed_in().post("/api/v1/releases", release)
    detail(body, [f"✓ {body['release']['release_id']} is watched"], output)


def watch(
    release_id: ReleaseId,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Do not wait: exit 0 ok, 10 watch, 11 trigger, 12 unknown.")
    ] = False,
    output: FormatOption = Format.table,
) -> None:
    """The evidence per signal as it comes in, until the watch ends."""
    api = client.Api.signed_in()

    def read() -> JsonObject:
        return api.get(f"/api/v1/releases/{release_id}/watch")

    if exit_code:
        body = read()
        detail(body, evidence_lines(body), output)
        raise typer.Exit(verdict_exit(body))
    changes = following(api, release_id, read)
    if output is Format.table and on_terminal():
        _live(changes)
    else:
        _each_change(changes, output)


def verdict_exit(body: JsonObject) -> Exit:
    """The exit code of a watch; one that ended is judged by its last verdict, one that fell silent is unknown."""
    word = body["last_word"] if body["word"] in _ENDED else body["word"]
    return _EXITS.get(word, Exit.verdict_unknown)


def _live(changes: Iterator[JsonObject]) -> None:
    from rich.console import Group
    from rich.live import Live

    with Live(console=screen(), auto_refresh=False) as live:
        for body in changes:
            live.update(Group(*evidence_lines(body)), refresh=True)
            if body["word"] in _ENDED:
                return


def _each_change(changes: Iterator[JsonObject], output: Format) -> None:
    """On a pipe: one line when the word changes; as JSON, one object per judged block."""
    said = ""
    for body in changes:
        if output is not Format.table:
            print_json_line(body)
        elif body["word"] != said:
            said = body["word"]
            say(f"{body['judged_until'] or '–'}\t{said}\t{body['sentence']}")
        if body["word"] in _ENDED:
            return


def evidence_lines(body: JsonObject) -> list[str | Text]:
    """The word, its sentence, each signal over the last blocks, and each trigger's evidence."""
    from rich.text import Text

    head = Text(f"{body['release_id']}  ", style="bold") + state_text(body["word"])
    lines: list[str | Text] = [head, str(body["sentence"]), ""]
    lines += [f"  {spoken(name)}: {caption}" for name, caption in body["signals"].items()]
    lines += [f"  {sign(found['word'])} {found['sentence']}" for found in body["evidence"].values()]
    if body["judged_until"]:
        lines += ["", f"judged until {body['judged_until']}"]
    return lines


def verdict_lines(body: JsonObject) -> list[str | Text]:
    """The newest verdict of a release and what came of it."""
    from rich.text import Text

    verdict = body["verdict"]
    lines: list[str | Text] = [Text(f"{body['release']['release_id']}  ", style="bold") + state_text(word_of(body))]
    if verdict:
        lines += [str(verdict["sentence"]), f"{verdict['trigger']}, {verdict['severity']}, since {verdict['at']}"]
    else:
        lines.append("no verdict yet: not enough is known")
    if body["closed_at"]:
        lines.append(f"ended {body['closed_at']}: {body['closed_why']}")
    lines += [f"incident {incident}" for incident in body["incidents"]]
    return lines
