"""`standing ask|list|revoke`: rollbacks that people sign in calm time, to run without asking."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from countermand.cli import client
from countermand.cli.exits import Exit, Failure
from countermand.cli.incident_commands import ReasonOption, ResumeOption
from countermand.cli.output import Column, Format, FormatOption, detail, items, sign

app = typer.Typer(no_args_is_help=True, help="Standing authorisations: ask for one, list, revoke.")

_COLUMNS = (
    Column("AUTHORISATION", "authorisation_id"),
    Column("STATE", "state", state=True),
    Column("ENVIRONMENT", "environment"),
    Column("TRIGGERS", "triggers"),
    Column("UNTIL", "expires_at"),
    Column("SIGNED BY", "signers"),
    Column("CONSENT", "consent_id"),
    Column("WHY NOT", "why"),
)


@app.command()
def ask(
    file: Annotated[Path, typer.Argument(help="What is asked, in YAML; docs/governance.md has an example.")],
    output: FormatOption = Format.table,
) -> None:
    """Ask people to sign one. Says everything that is wrong in the file; you cannot sign what you ask for."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        accepted = "a standing authorisation in YAML"
        raise Failure(Exit.usage, f"{str(file)!r} cannot be read ({error.strerror})", accepted=accepted) from None
    body = client.Api.signed_in().post("/api/v1/standing", raw=raw, media_type="application/yaml")
    read = f"countermand consent show {body['consent_id']}"
    detail(body, [f"… {body['authorisation_id']}: {body['sentence']}", f"  {read}"], output)


@app.command("list")
def list_(output: FormatOption = Format.table) -> None:
    """Those that wait for signatures, then all that were issued, newest first, and why one does not hold."""
    items(client.Api.signed_in().get("/api/v1/standing"), _COLUMNS, output)


@app.command()
def revoke(
    authorisation_id: Annotated[str, typer.Argument(help="For example sa-7f3a2c1d.", show_default=False)],
    reason: ReasonOption,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """End one at once; one safety lead or executive is enough. From then on people are asked."""
    path = f"/api/v1/standing/{authorisation_id}/revoke"
    body = client.Api.signed_in().act(path, {"reason": reason}, resume)
    detail(body, [f"{sign('accepted')} {body['sentence']}"], output)
