"""`release eligible|deny|allow`: may this version be used, for deployers; the deny list, for people."""

from __future__ import annotations

from typing import Annotated

import typer

from countermand.cli import client
from countermand.cli.emergency_commands import StepUpOption
from countermand.cli.exits import Exit
from countermand.cli.incident_commands import ReasonOption, ResumeOption
from countermand.cli.output import Format, FormatOption, detail, sign

Digest = Annotated[str, typer.Argument(help="A bundle or a part of one: sha256:….", show_default=False)]
EnvironmentOption = Annotated[str, typer.Option("--environment", help="For example production.", show_default=False)]


def eligible(digest: Digest, environment: EnvironmentOption, output: FormatOption = Format.table) -> None:
    """May users be sent to this version? Exit 0: eligible; 4: not, or not known."""
    body = client.Api.signed_in().get(f"/api/v1/releases/{digest}/eligibility", environment=environment)
    head = f"{digest} is {'eligible' if body['eligible'] else 'not eligible'} in {environment}: {body['word']}"
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
