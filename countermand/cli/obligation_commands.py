"""`obligations …`: the reporting clocks of incidents; record what happened, file, delay, decide. Not legal advice."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated

import typer

from countermand.cli import client
from countermand.cli.incident_commands import IncidentId, ReasonOption, ResumeOption
from countermand.cli.output import Column, Format, FormatOption, JsonObject, detail, items, sign, spoken

app = typer.Typer(
    no_args_is_help=True, help="Reporting clocks: who has to be told what by when, as far as it is declared."
)

RowId = Annotated[str, typer.Argument(help="For example gdpr-33-1.", show_default=False)]
FileOption = Annotated[
    Path | None, typer.Option("--file", exists=True, dir_okay=False, readable=True, help="The document, as it is.")
]
_COLUMNS = (
    Column("INCIDENT", "incident_id"),
    Column("STATE", "state", state=True),
    Column("CLOCK", "row"),
    Column("UNTIL", "until"),
    Column("ASKED", "asked"),
)
_DECLARED = (Column("WHAT", "path"), Column("DECLARED", "declared"))
_FOLDED = ("not_applicable", "not_in_force", "scope_not_declared")


@app.command("list")
def list_(output: FormatOption = Format.table) -> None:
    """All clocks that somebody has to look after, the soonest first."""
    items(client.Api.signed_in().get("/api/v1/obligations"), _COLUMNS, output)


@app.command()
def profile(output: FormatOption = Format.table) -> None:
    """What the organisation declared about itself; the file says where to change it."""
    items(client.Api.signed_in().get("/api/v1/obligations/profile"), _DECLARED, output)


@app.command()
def show(
    incident_id: IncidentId,
    every: Annotated[bool, typer.Option("--all", help="Also rows that say nothing about it.")] = False,
    output: FormatOption = Format.table,
) -> None:
    """The clocks of one incident by regime, and what is still open."""
    body = client.Api.signed_in().get(f"/api/v1/incidents/{incident_id}/obligations")
    detail(body, _lines(body, every), output)


def _lines(body: JsonObject, every: bool) -> list[str]:
    lines = [str(body["not_advice"])]
    if body["broken"]:
        return [*lines, f"{sign('unknown')} {body['broken']}"]
    if not body["declared"]:
        lines.append("Nobody declared which regimes reach this organisation; see `countermand obligations profile`.")
    for regime in body["regimes"]:
        rows = [one for one in regime["clocks"] if every or one["state"] not in _FOLDED]
        if not rows:
            continue
        open_ = f", open: {', '.join(spoken(gap) for gap in regime['gaps'])}" if regime["gaps"] else ""
        lines.append(f"{spoken(regime['regime'])}: reportable {regime['reportable']}{open_}")
        for one in rows:
            due = f" due {one['due']}" if one["due"] else ""
            lines.append(f"  {sign(one['state'])} {one['row']}: {spoken(one['state'])}{due}; {one['because']}")
    if body["left_open"]:
        lines.append(f"Whoever signs the review now leaves open: {spoken(', '.join(body['left_open']))}")
    return lines


@app.command()
def draft(incident_id: IncidentId, row: RowId, output: FormatOption = Format.table) -> None:
    """A draft of one report from the facts on record; people complete and send it. Not legal advice."""
    body = client.Api.signed_in().get(f"/api/v1/incidents/{incident_id}/obligations/{row}/draft")
    detail(body, str(body["text"]).splitlines(), output)


@app.command()
def anchor(
    incident_id: IncidentId,
    event: Annotated[str, typer.Argument(help="For example aware.personal_data_breach.", show_default=False)],
    at: Annotated[str, typer.Option("--at", help="2026-11-20T09:17Z, a local time with --zone, or only the day.")],
    reason: ReasonOption,
    zone: Annotated[str, typer.Option("--zone", help="Of a local time or a day; the profile's if not given.")] = "",
    estimated: Annotated[bool, typer.Option("--estimated", help="The time is an estimate.")] = False,
    evidence: Annotated[str, typer.Option("--evidence", help="Records or documents, with commas.")] = "",
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Record when an event happened; clocks count from it."""
    terms = {"event": event, "at": at, "zone": zone, "evidence": evidence}
    _act(incident_id, "anchor", reason, terms | {"certainty": "estimated" if estimated else ""}, resume, output)


@app.command()
def acknowledge(
    incident_id: IncidentId,
    row: RowId,
    reason: ReasonOption,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Say that you look after a clock; the next warning calls fewer people. Reports nothing."""
    _act(incident_id, "acknowledge", reason, {"row": row}, resume, output)


@app.command()
def fact(
    incident_id: IncidentId,
    path: Annotated[str, typer.Argument(help="For example personal_data_breach.", show_default=False)],
    value: Annotated[str, typer.Argument(help="yes, no, a number, or words with commas.", show_default=False)],
    reason: ReasonOption,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """State a fact about an incident; the newest statement counts."""
    _act(incident_id, "fact", reason, {"path": path, "value": value}, resume, output)


@app.command()
def file(
    incident_id: IncidentId,
    row: RowId,
    document: Annotated[Path, typer.Argument(help="What went out.", exists=True, dir_okay=False, show_default=False)],
    at: Annotated[str, typer.Option("--at", help="When it went out: 2026-11-20T09:17Z.")],
    channel: Annotated[str, typer.Option("--channel", help="For example portal.")],
    reference: Annotated[str, typer.Option("--reference", help="What the authority called it.")],
    reason: ReasonOption,
    receipt: Annotated[Path | None, typer.Option("--receipt", exists=True, dir_okay=False, help="Its receipt.")] = None,
    partial: Annotated[bool, typer.Option("--partial", help="More is to follow; the clock goes on.")] = False,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Record that a report went out; nothing is sent by this."""
    terms = {
        "row": row,
        "filed_at": at,
        "channel": channel,
        "reference": reference,
        "partial": "yes" if partial else "",
    }
    _act(incident_id, "file", reason, terms, resume, output, content=document, receipt=receipt)


@app.command("set-aside")
def set_aside(
    incident_id: IncidentId,
    row: RowId,
    reason: ReasonOption,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Decide not to report under one row here; only the role that owns the row can."""
    _act(incident_id, "set_aside", reason, {"row": row}, resume, output)


@app.command("open")
def open_(
    incident_id: IncidentId,
    row: RowId,
    reason: ReasonOption,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Open a clock although the profile says that it does not reach the organisation."""
    _act(incident_id, "open", reason, {"row": row}, resume, output)


@app.command()
def toll(
    incident_id: IncidentId,
    row: RowId,
    rule: Annotated[str, typer.Option("--rule", help="For example hipaa_164_412.")],
    authority: Annotated[str, typer.Option("--authority", help="Who ordered or heard it.")],
    reason: ReasonOption,
    until: Annotated[str, typer.Option("--until", help="2026-12-20T00:00Z.")] = "",
    document: FileOption = None,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Record a delay that an authority gave."""
    terms = {"row": row, "rule": rule, "authority": authority, "until": until}
    _act(incident_id, "toll", reason, terms, resume, output, content=document)


@app.command()
def decide(
    incident_id: IncidentId,
    regime: Annotated[str, typer.Argument(help="For example gdpr.", show_default=False)],
    reportable: Annotated[str, typer.Option("--reportable", help="yes, no or undecided.")],
    reason: ReasonOption,
    facts: Annotated[str, typer.Option("--facts", help="What it relies on, with commas.")] = "",
    counsel: Annotated[str, typer.Option("--counsel", help="Reference of counsel's advice.")] = "",
    review_at: Annotated[str, typer.Option("--review-at", help="A day, for example 2026-12-20.")] = "",
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Decide whether an incident is reported under a regime, also when it is not."""
    terms = {"regime": regime, "reportable": reportable, "facts": facts, "counsel_ref": counsel, "review_at": review_at}
    _act(incident_id, "decide", reason, terms, resume, output)


def _act(
    incident_id: str,
    act: str,
    reason: str,
    terms: dict[str, str],
    resume: str | None,
    output: Format,
    *,
    content: Path | None = None,
    receipt: Path | None = None,
) -> None:
    said: JsonObject = {"act": act, "reason": reason, "terms": {name: value for name, value in terms.items() if value}}
    for name, given in (("content", content), ("receipt", receipt)):
        if given is not None:
            said[name] = base64.b64encode(given.read_bytes()).decode()
    body = client.Api.signed_in().act(f"/api/v1/incidents/{incident_id}/obligations/acts", said, resume)
    detail(body, [f"{sign('accepted')} {body['sentence']}"], output)
