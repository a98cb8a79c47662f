"""`investigation show|fill|finding`: look into a pattern of unfairness, as on its page in the console."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from countermand.cli import client
from countermand.cli.emergency_commands import StepUpOption
from countermand.cli.incident_commands import IncidentId, ReasonOption, ResumeOption
from countermand.cli.output import Format, FormatOption, JsonObject, detail, sign

app = typer.Typer(no_args_is_help=True, help="Investigations of unfairness: read, fill in, decide.")


class Found(StrEnum):
    """What was found."""

    revert = "revert"
    adjust = "adjust"
    continue_ = "continue"
    insufficient_evidence = "insufficient_evidence"


@app.command()
def show(incident_id: IncidentId, output: FormatOption = Format.table) -> None:
    """Who is served how, what the form says, what is missing, and until when a finding is waited for."""
    body = client.Api.signed_in().get(f"/api/v1/incidents/{incident_id}/investigation")
    detail(body, _lines(body), output)


@app.command()
def fill(
    incident_id: IncidentId,
    set_: Annotated[
        list[str], typer.Option("--set", metavar="FIELD=TEXT", help="A field and its text; again for more.")
    ],
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Fill in fields of the form; signatures under a finding on the earlier form become void."""
    fields: JsonObject = {}
    for one in set_:
        name, equals, text = one.partition("=")
        if not equals:
            raise typer.BadParameter(f"{one!r} is no FIELD=TEXT")
        fields[name.strip()] = text.strip()
    path = f"/api/v1/incidents/{incident_id}/investigation/form"
    body = client.Api.signed_in().act(path, {"fields": fields}, resume)
    detail(body, [f"{sign(str(body['status']))} {body['sentence']}"], output)


@app.command()
def finding(
    incident_id: IncidentId,
    outcome: Annotated[Found, typer.Option("--outcome", help="What was found.", show_default=False)],
    digest: Annotated[str, typer.Option("--digest", help="The digest that `show` printed.", show_default=False)],
    reason: ReasonOption,
    adjustment: Annotated[str, typer.Option("--adjustment", help="What is changed instead of going back.")] = "",
    step_up: StepUpOption = None,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Sign a finding on exactly the form that `investigation show` printed."""
    said: JsonObject = {"outcome": outcome, "digest": digest, "reason": reason, "adjustment": adjustment}
    path = f"/api/v1/incidents/{incident_id}/investigation/finding"
    body = client.Api.signed_in().act(path, said | {"step_up": step_up}, resume)
    detail(body, [f"{sign(str(body['status']))} {body['sentence']}"], output)


def _lines(body: JsonObject) -> list[str]:
    first = body["ended"] or (
        f"Paused until {body['until']}; asked: {', '.join(body['asked']) or 'nobody holds the role'}. "
        "If nobody decides: executives are told, and everything stays as it is."
    )
    lines = [str(first), f"Why: {'; '.join(body['because'])}", "", "How groups of people are served"]
    lines += [f"  {line}" for line in body["slices"] or ["no numbers could be had"]]
    lines += ["", "Form"]
    for one in body["form"]:
        choices = f" ({', '.join(one['choices'])})" if one["choices"] else ""
        lines.append(f"  {one['name']}{choices}: {one['text'] or 'empty'}")
    lines += [f"  {one['name']} found {one['outcome']}: {one['reason']}" for one in body["findings"]]
    return [*lines, "", f"Digest {body['digest']}"]
