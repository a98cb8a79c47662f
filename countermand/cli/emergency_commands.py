"""What people start out of order: `release propose|emergency|unfairness|concern` and `incident break-glass`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from countermand.cli import client
from countermand.cli.incident_commands import IncidentId, ReasonOption, ResumeOption
from countermand.cli.output import Format, FormatOption, JsonObject, detail, sign
from countermand.cli.release_commands import ReleaseId


class Level(StrEnum):
    """sev1 = serious harm going on ... sev4 = minor."""

    sev1 = "sev1"
    sev2 = "sev2"
    sev3 = "sev3"
    sev4 = "sev4"


class Act(StrEnum):
    """What break-glass may do."""

    stop = "stop"
    disable = "disable"
    last_known_good = "last_known_good"


HarmOption = Annotated[str, typer.Option("--harm", help="What goes wrong for whom, in a sentence.", show_default=False)]
SeverityOption = Annotated[Level, typer.Option("--severity", help="How serious it is.")]
StepUpOption = Annotated[
    str | None, typer.Option("--step-up", metavar="ID", help="A confirmation with your second factor.")
]


def propose(
    release_id: ReleaseId,
    harm: HarmOption,
    reason: ReasonOption,
    severity: SeverityOption = Level.sev2,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Propose a rollback: others are asked to approve it, you cannot approve it yourself."""
    _declare(release_id, {"mode": "propose", "severity": severity, "harm": harm, "reason": reason}, resume, output)


def emergency(
    release_id: ReleaseId,
    harm: HarmOption,
    reason: ReasonOption,
    severity: SeverityOption = Level.sev1,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Declare an emergency: operators, all who decide and executives are told at once, and approval is asked for."""
    _declare(release_id, {"mode": "emergency", "severity": severity, "harm": harm, "reason": reason}, resume, output)


def unfairness(
    release_id: ReleaseId,
    harm: HarmOption,
    reason: ReasonOption,
    severity: SeverityOption = Level.sev2,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Report a pattern of unfairness: it is looked into, and nobody is taken back before a finding."""
    _declare(release_id, {"mode": "unfairness", "severity": severity, "harm": harm, "reason": reason}, resume, output)


def concern(
    release_id: ReleaseId,
    reason: ReasonOption,
    severity: SeverityOption = Level.sev3,
    propose: Annotated[bool, typer.Option("--propose", help="Propose a rollback with it.")] = False,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Say that a release is bad; your judgement stands in the record, beside what is measured."""
    body = {"severity": severity, "reason": reason, "propose": propose}
    _say(client.Api.signed_in().act(f"/api/v1/releases/{release_id}/concerns", body, resume), output)


def break_glass(
    incident_id: IncidentId,
    do: Annotated[Act, typer.Option("--do", help="What is done at once, without asking first.", show_default=False)],
    harm: HarmOption,
    reason: ReasonOption,
    step_up: StepUpOption = None,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Act now, without asking first, while serious harm goes on. Others must ratify it within one business day."""
    body: JsonObject = {"emergency": do, "harm": harm, "reason": reason, "step_up": step_up}
    _say(client.Api.signed_in().act(f"/api/v1/incidents/{incident_id}/break-glass", body, resume), output)


def _declare(release_id: str, body: JsonObject, resume: str | None, output: Format) -> None:
    _say(client.Api.signed_in().act(f"/api/v1/releases/{release_id}/declarations", body, resume), output)


def _say(body: JsonObject, output: Format) -> None:
    lines = [f"{sign(str(body['status']))} {body['sentence']}"]
    if body.get("incident_id"):
        lines.append(f"incident {body['incident_id']}")
    detail(body, lines, output)
