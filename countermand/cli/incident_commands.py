"""`incident list|show` and the commands to a running incident; each needs a reason, which stands in the record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from countermand.cli import client
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

app = typer.Typer(no_args_is_help=True, help="Incidents: look, hold, resume, abort, reverse, ask again, proceed.")

IncidentId = Annotated[str, typer.Argument(help="For example inc-7f3a2c1d.", show_default=False)]
ReasonOption = Annotated[
    str, typer.Option("--reason", help="Why, in a sentence; it stands in the record.", show_default=False)
]
ResumeOption = Annotated[
    str | None, typer.Option("--resume", metavar="KEY", help="Send an earlier try again; it counts once.")
]

_COLUMNS = (
    Column("INCIDENT", "incident_id"),
    Column("STATUS", "status", state=True),
    Column("SEVERITY", "severity"),
    Column("RELEASE", "release_id"),
    Column("OPENED", "opened_at"),
    Column("WHAT", "sentence"),
)
_TONES = {"good": "green", "bad": "red", "ask": "yellow", "person": "cyan"}


@app.command("list")
def list_(output: FormatOption = Format.table) -> None:
    """All incidents, newest first."""
    items(client.Api.signed_in().get("/api/v1/incidents"), _COLUMNS, output)


@app.command()
def show(
    incident_id: IncidentId,
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Go on until it is closed.")] = False,
    output: FormatOption = Format.table,
) -> None:
    """One incident: what happens now, stages, votes, and the timeline."""
    api = client.Api.signed_in()
    path = f"/api/v1/incidents/{incident_id}"
    if not watch:
        body = api.get(path)
        detail(body, lines_of(body), output)
    elif output is Format.table and on_terminal():
        _live(following(api, incident_id, lambda: api.get(path)))
    else:
        _each_change(following(api, incident_id, lambda: api.get(path)), output)


def _live(changes: Iterator[JsonObject]) -> None:
    from rich.console import Group
    from rich.live import Live

    with Live(console=screen(), auto_refresh=False) as live:
        for body in changes:
            live.update(Group(*lines_of(body, newest=15)), refresh=True)
            if body["closed"]:
                return


def _each_change(changes: Iterator[JsonObject], output: Format) -> None:
    """On a pipe: one line per timeline entry, or the whole incident per change as JSON."""
    printed = -1
    for body in changes:
        if output is Format.table:
            fresh = [line for line in body["timeline"] if line["seq"] > printed]
            say(*(_timeline_line(line) for line in fresh))
            printed = max([printed, *(line["seq"] for line in fresh)])
        else:
            print_json_line(body)
        if body["closed"]:
            return


def lines_of(body: JsonObject, newest: int | None = None) -> list[str | Text]:
    """An incident for people: status first, then stages, votes and the timeline (its `newest` entries)."""
    from rich.text import Text

    opened = body["opened"]
    lines: list[str | Text] = [
        Text(f"{body['incident_id']}  ", style="bold") + state_text(body["status"]),
        f"{opened['service']} in {opened['environment']}, release {body['release_id']}, {opened['severity']}",
        str(body["sentence"]),
    ]
    for stage in body["stages"]:
        share = f"candidate {stage['candidate_bp'] / 100:g} % of users"
        lines.append(f"  {sign(stage['state'])} stage {stage['number']}: {share}, {spoken(stage['state'])}")
    for one in body["members"]:
        asked = f" (asked: {one['wanted']})" if one["wanted"] not in ("", one["says"]) else ""
        where = one["moving"]["member"]
        lines.append(f"  {sign(one['configured'])} {where['target']}/{where['name']}: {one['says']}{asked}")
    for ask in body["asks"]:
        missing = f", missing: {', '.join(map(spoken, ask['missing']))}" if ask["missing"] else ""
        lines.append(
            f"  {sign(ask['status'])} request {ask['opened']['ask_id']}: {spoken(ask['status'])}, "
            f"{ask['have']} of {ask['opened']['need_people']} people{missing}"
        )
    lines.append("")
    timeline = body["timeline"]
    if newest is not None and len(timeline) > newest:
        lines.append(f"  … {len(timeline) - newest} earlier entries")
        timeline = timeline[-newest:]
    return [*lines, *map(_timeline_line, timeline)]


def _timeline_line(line: dict[str, Any]) -> Text:
    from rich.text import Text

    at = str(line["at"])[:19].replace("T", " ")
    detail_ = f": {line['detail']}" if line["detail"] else ""
    return Text(f"{at} UTC  ") + Text(line["text"], style=_TONES.get(line["tone"], "")) + Text(detail_)


def _act(incident_id: str, action: str, reason: str, resume: str | None, output: Format) -> None:
    body = client.Api.signed_in().act(
        f"/api/v1/incidents/{incident_id}/actions", {"action": action, "reason": reason}, resume
    )
    detail(body, [f"{sign(str(body['status']))} {body['sentence']}"], output)


@app.command()
def hold(
    incident_id: IncidentId, reason: ReasonOption, resume: ResumeOption = None, output: FormatOption = Format.table
) -> None:
    """Stop at the next safe point and wait for people."""
    _act(incident_id, "hold", reason, resume, output)


@app.command("resume")
def resume_(
    incident_id: IncidentId, reason: ReasonOption, resume: ResumeOption = None, output: FormatOption = Format.table
) -> None:
    """Go on where a hold or a doubt stopped it."""
    _act(incident_id, "resume", reason, resume, output)


@app.command()
def abort(
    incident_id: IncidentId, reason: ReasonOption, resume: ResumeOption = None, output: FormatOption = Format.table
) -> None:
    """End it here; what was changed stays as it is."""
    _act(incident_id, "abort", reason, resume, output)


@app.command()
def reverse(
    incident_id: IncidentId, reason: ReasonOption, resume: ResumeOption = None, output: FormatOption = Format.table
) -> None:
    """Undo the way back: restore the recorded state from before the first stage."""
    _act(incident_id, "reverse", reason, resume, output)


@app.command()
def ask_again(
    incident_id: IncidentId, reason: ReasonOption, resume: ResumeOption = None, output: FormatOption = Format.table
) -> None:
    """Make a new plan from what is true now, and ask for approval again."""
    _act(incident_id, "ask_again", reason, resume, output)


@app.command()
def proceed_incomplete(
    incident_id: IncidentId, reason: ReasonOption, resume: ResumeOption = None, output: FormatOption = Format.table
) -> None:
    """Go on although some evidence could not be copied; the review shows who decided it and why."""
    _act(incident_id, "proceed_incomplete", reason, resume, output)
