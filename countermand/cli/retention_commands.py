"""`hold place|release|list` and `retention show|run|erase`: what may not be deleted, and what was."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

import typer

from countermand.cli import client
from countermand.cli.emergency_commands import StepUpOption
from countermand.cli.exits import Exit, Failure
from countermand.cli.incident_commands import ReasonOption, ResumeOption
from countermand.cli.output import Column, Format, FormatOption, detail, items, sign

hold = typer.Typer(no_args_is_help=True, help="Legal holds: place one, ask to release one, list.")
retention = typer.Typer(no_args_is_help=True, help="What is kept how long; delete what is due; erase a person's words.")

_HOLDS = (
    Column("HOLD", "hold_id"),
    Column("COVERS", "covers"),
    Column("MATTER", "matter"),
    Column("PLACED BY", "placed_by"),
    Column("SINCE", "placed_at"),
)
_CLASSES = (
    Column("CLASS", "class"),
    Column("KEPT", "keep"),
    Column("TEXTS", "texts"),
    Column("SAMPLES AND SUMS", "others"),
    Column("NEXT DUE", "next_due"),
)


@hold.command()
def place(
    reason: ReasonOption,
    incident: Annotated[list[str] | None, typer.Option("--incident", help="An incident; may be given again.")] = None,
    class_: Annotated[list[str] | None, typer.Option("--class", help="A retention class; may be given again.")] = None,
    subject: Annotated[list[str] | None, typer.Option("--subject", help="A person; may be given again.")] = None,
    digest: Annotated[list[str] | None, typer.Option("--digest", help="A digest; may be given again.")] = None,
    matter: Annotated[str, typer.Option("--matter", help="What it is about, for example a case number.")] = "",
    custodian: Annotated[
        list[str] | None, typer.Option("--custodian", help="Who keeps it; may be given again.")
    ] = None,
    step_up: StepUpOption = None,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """From now on nothing that it covers is deleted; one legal counsel is enough. Each option narrows it."""
    scope = {"incidents": incident or [], "classes": class_ or [], "subjects": subject or [], "digests": digest or []}
    said = scope | {"matter": matter, "custodians": custodian or [], "reason": reason, "step_up": step_up}
    try:
        body = client.Api.signed_in().act("/api/v1/holds", said, resume)
    except Failure as failure:
        if failure.wrong.startswith("step_up_required"):
            covers = urlencode({name: ",".join(values) for name, values in scope.items() if values})
            failure.next = f"open {client.console_url()}/holds/new?{covers} and place it there with your security key"
        raise
    detail(body, [f"{sign('accepted')} {body['sentence']}"], output)


@hold.command()
def release(
    hold_id: Annotated[str, typer.Argument(help="For example hold-7f3a2c1d.", show_default=False)],
    reason: ReasonOption,
    output: FormatOption = Format.table,
) -> None:
    """Ask two people to release one; you cannot sign what you ask for. Nothing is deleted by a release."""
    body = client.Api.signed_in().post(f"/api/v1/holds/{hold_id}/release", {"reason": reason})
    detail(body, [f"… {body['sentence']}", f"  countermand consent show {body['consent_id']}"], output)


@hold.command("list")
def list_(output: FormatOption = Format.table) -> None:
    """The holds in force, oldest first."""
    items(client.Api.signed_in().get("/api/v1/holds"), _HOLDS, output)


@retention.command()
def show(output: FormatOption = Format.table) -> None:
    """Each retention class: how long it is kept, how much there is, and when the next of it is due."""
    items(client.Api.signed_in().get("/api/v1/retention"), _CLASSES, output)


@retention.command()
def run(output: FormatOption = Format.table) -> None:
    """Delete what is due now, with certificates; every day this happens by itself. Holds are respected."""
    body = client.Api.signed_in().post("/api/v1/retention/runs", {})
    detail(body, [f"… {body['sentence']}"], output)


@retention.command()
def erase(
    subject: Annotated[str, typer.Argument(help="Whose words, for example local|maria.", show_default=False)],
    reason: ReasonOption,
    claim: Annotated[str, typer.Option("--claim", help="What still needs them, in words: then they stay.")] = "",
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Erase what one person wrote; a privacy officer does this. Exit 4: something has to stay, and why."""
    said = {"subject": subject, "reason": reason, "claim": claim}
    body = client.Api.signed_in().act("/api/v1/retention/erasures", said, resume)
    detail(body, [f"{sign('accepted' if body['status'] == 'done' else 'refused')} {body['sentence']}"], output)
    if body["status"] != "done":
        raise typer.Exit(Exit.refused)
