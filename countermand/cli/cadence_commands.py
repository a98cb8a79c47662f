"""`cadence list|show|run|done|skip`: what is done again and again, and what became of it."""

from __future__ import annotations

from typing import Annotated

import typer

from countermand.cli import client
from countermand.cli.exits import Exit, Failure
from countermand.cli.incident_commands import ReasonOption, ResumeOption
from countermand.cli.output import Column, Format, FormatOption, JsonObject, detail, items, sign

app = typer.Typer(no_args_is_help=True, help="Duties: what is due, begin one, say that one is done or left out.")

DutyArgument = Annotated[str, typer.Argument(help="For example tabletop.", show_default=False)]
SubjectOption = Annotated[str, typer.Option("--playbook", help="Name of the playbook, where a duty is about one.")]
CriterionOption = Annotated[
    list[str] | None,
    typer.Option("--criterion", metavar="NAME=WORD", help="keep, change or shadow; may be given again."),
]
_COLUMNS = (
    Column("STATE", "state", state=True),
    Column("DUTY", "duty"),
    Column("OF", "subject"),
    Column("EVERY", "every"),
    Column("DUE", "due"),
    Column("LAST", "last_at"),
)


@app.command("list")
def list_(output: FormatOption = Format.table) -> None:
    """Every duty, what is overdue first."""
    body = client.Api.signed_in().get("/api/v1/cadence")
    for one in body["items"]:
        one["last_at"] = one["last"]["at"] if one["last"] else "never"
    items(body, _COLUMNS, output)


@app.command()
def show(duty: DutyArgument, subject: SubjectOption = "", output: FormatOption = Format.table) -> None:
    """One duty: when it is due, what came of it last, and what it costs to leave it out."""
    listed = client.Api.signed_in().get("/api/v1/cadence")["items"]
    found = [one for one in listed if one["duty"] == duty and subject in ("", one["subject"])]
    if not found:
        known = ", ".join(sorted({one["duty"] for one in listed}))
        raise Failure(Exit.usage, f"no duty is called {duty!r}", accepted=known)
    detail({"schema": "countermand.cadence_duty/v1", "items": found}, _lines(found), output)


@app.command()
def run(duty: DutyArgument, subject: SubjectOption = "", output: FormatOption = Format.table) -> None:
    """Begin it now, due or not: a machine does it, or people are asked."""
    body = client.Api.signed_in().post(f"/api/v1/cadence/{duty}/runs", {"subject": subject})
    detail(body, [f"… {body['sentence']}"], output)


@app.command()
def done(
    duty: DutyArgument,
    minutes: Annotated[int, typer.Option("--minutes", min=1, help="How long it took of all people together.")],
    note: Annotated[str, typer.Option("--note", help="What came out of it.")] = "",
    subject: SubjectOption = "",
    criterion: CriterionOption = None,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Sign that it is done. A threshold review says for each criterion: keep, change or shadow."""
    decided = dict(one.rpartition("=")[::2] for one in criterion or [])
    said = {"outcome": "done", "subject": subject, "minutes": minutes, "criteria": decided, "reason": note}
    body = client.Api.signed_in().act(f"/api/v1/cadence/{duty}/outcomes", said, resume)
    detail(body, [f"{sign('accepted')} {body['sentence']}"], output)


@app.command()
def skip(
    duty: DutyArgument,
    reason: ReasonOption,
    subject: SubjectOption = "",
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Leave it out this time, and sign why. It is due again after its usual time."""
    said = {"outcome": "skip", "subject": subject, "reason": reason}
    body = client.Api.signed_in().act(f"/api/v1/cadence/{duty}/outcomes", said, resume)
    detail(body, [f"{sign('accepted')} {body['sentence']}"], output)


def _lines(found: list[JsonObject]) -> list[str]:
    lines: list[str] = []
    for one in found:
        last = f"{one['last']['at']}, {one['last']['result']}: {one['last']['sentence']}" if one["last"] else "never"
        about = f" of {one['subject']}" if one["subject"] else ""
        lines += [
            f"{one['title']}{about}: {one['state'].replace('_', ' ')}",
            f"  last: {last}",
            f"  due: {one['due'] or 'no worker has planned it yet'}, every {one['every']}",
            f"  asks: {', '.join(one['asks'])}" + (f" until {one['asked_until']}" if one["asked_until"] else ""),
            f"  if it is left out: {one['if_missed']}",
        ]
    return lines
