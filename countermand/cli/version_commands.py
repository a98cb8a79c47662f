"""`release eligible|deny|allow|live`: may this version be used, for deployers; the deny list; what was live when."""

from __future__ import annotations

from typing import Annotated

import typer

from countermand.cli import client
from countermand.cli.emergency_commands import StepUpOption
from countermand.cli.exits import Exit
from countermand.cli.incident_commands import ReasonOption, ResumeOption
from countermand.cli.output import Column, Format, FormatOption, detail, items, sign, spoken

Digest = Annotated[str, typer.Argument(help="A bundle or a part of one: sha256:….", show_default=False)]
EnvironmentOption = Annotated[str, typer.Option("--environment", help="For example production.", show_default=False)]


def eligible(digest: Digest, environment: EnvironmentOption, output: FormatOption = Format.table) -> None:
    """May users be sent to this version? Exit 0: eligible; 4: not, or not known."""
    body = client.Api.signed_in().get(f"/api/v1/releases/{digest}/eligibility", environment=environment)
    why = "" if body["eligible"] else f": {spoken(body['word'])}"
    head = f"{digest} is {'eligible' if body['eligible'] else 'not eligible'} in {environment}{why}"
    detail(body, [head, *(f"  {sign(one['word'])} {one['sentence']}" for one in body["checks"])], output)
    if not body["eligible"]:
        raise typer.Exit(Exit.refused)


def deny(
    digest: Digest,
    environment: EnvironmentOption,
    reason: ReasonOption,
    not_after: Annotated[
        str | None,
        typer.Option("--until", help="An instant, for example 2026-12-01T00:00:00Z; without end if not given."),
    ] = None,
    step_up: StepUpOption = None,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Put a version on the deny list of an environment, at once; one safety lead or legal counsel is enough."""
    said = {"environment": environment, "reason": reason, "not_after": not_after, "step_up": step_up}
    body = client.Api.signed_in().act(f"/api/v1/releases/{digest}/denials", said, resume)
    detail(body, [f"{sign('accepted')} {body['sentence']}"], output)


def allow(
    digest: Digest, environment: EnvironmentOption, reason: ReasonOption, output: FormatOption = Format.table
) -> None:
    """Ask people to take a version off the deny list or out of quarantine; you cannot sign what you ask for."""
    said = {"environment": environment, "reason": reason}
    body = client.Api.signed_in().post(f"/api/v1/releases/{digest}/allowances", said)
    read = f"countermand consent show {body['consent_id']}"
    detail(body, [f"… {body['sentence']}", f"  {read}"], output)


_MOVES = (
    Column("FROM", "at"),
    Column("CANDIDATE", "candidate"),
    Column("SHARE", "share"),
    Column("BASELINE", "baseline"),
    Column("HOW", "how"),
    Column("BY", "by"),
    Column("RECORD", "seq"),
)


def live(
    service: Annotated[str, typer.Argument(help="For example support-assistant.", show_default=False)],
    environment: EnvironmentOption,
    at: Annotated[
        str | None, typer.Option("--at", help="An instant, for example 2026-12-01T00:00:00Z; all changes if not given.")
    ] = None,
    output: FormatOption = Format.table,
) -> None:
    """Which version was live when, and who moved users there."""
    asked = {"environment": environment} | ({"at": at} if at else {})
    body = client.Api.signed_in().get(f"/api/v1/services/{service}/live", **asked)
    if output is Format.table:
        shown = [body["live"]] if at and body["live"] else [] if at else body["items"]
        body = {"items": [one | {"share": f"{one['candidate_bp'] / 100:g} %"} for one in shown]}
    items(body, _MOVES, output)
