"""`message list|correct|retract`: what was sent, and how a wrong message is put right."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from countermand.cli import client
from countermand.cli.incident_commands import IncidentId, ResumeOption
from countermand.cli.output import Column, Format, FormatOption, detail, items, sign

app = typer.Typer(no_args_is_help=True, help="Messages: list, correct, withdraw.")

Key = Annotated[
    str, typer.Argument(help="As `message list` prints it: inc-7f3a2c1d/reverted/1/customer.", show_default=False)
]
WhyOption = Annotated[
    str, typer.Option("--why", help="What was wrong, in a sentence; the recipients read it.", show_default=False)
]

_COLUMNS = (
    Column("MESSAGE", "key"),
    Column("SENT", "at"),
    Column("BY", "channel"),
    Column("SUBJECT", "subject"),
)


@app.command("list")
def list_(incident_id: IncidentId, output: FormatOption = Format.table) -> None:
    """Messages of one incident, the oldest first, and the channel that took each."""
    body = client.Api.signed_in().get(f"/api/v1/incidents/{incident_id}")
    items({"items": [{"at": at, **sent} for at, sent in body["messages"]]}, _COLUMNS, output)


@app.command()
def correct(
    key: Key,
    what: Annotated[
        str, typer.Option("--what", help="What is right instead; the recipients read it.", show_default=False)
    ],
    why: WhyOption,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Tell everybody who got this message what is right; the original stays in the record."""
    _order(key, {"what": what, "why": why}, resume, output)


@app.command()
def retract(key: Key, why: WhyOption, resume: ResumeOption = None, output: FormatOption = Format.table) -> None:
    """Tell everybody who got this message that it is withdrawn; the original stays in the record."""
    _order(key, {"why": why}, resume, output)


def _order(key: str, order: dict[str, str], resume: str | None, output: Format) -> None:
    body = client.Api.signed_in().act(f"/api/v1/messages/{quote(key)}/corrections", {**order}, resume)
    detail(body, [f"{sign(str(body['status']))} {body['sentence']}", f"message {body['message']}"], output)
