"""All commands, put together. docs/cli.md describes every one of them; a test compares the two."""

from __future__ import annotations

from typing import Annotated

import typer

from countermand import __version__
from countermand.cli import (
    ask_commands,
    backtest_commands,
    bundle_commands,
    cadence_commands,
    compare_commands,
    consent_commands,
    criteria_commands,
    criteria_rows,
    doctor,
    emergency_commands,
    evidence_commands,
    incident_commands,
    inclusive_commands,
    investigation_commands,
    ledger_commands,
    lesson_commands,
    local_commands,
    message_commands,
    obligation_commands,
    playbook_commands,
    rehearsal_commands,
    release_commands,
    replay,
    retention_commands,
    review_commands,
    rollout_commands,
    session_commands,
    signal_commands,
    standing_commands,
    threshold_commands,
    version_commands,
)

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Roll back a bad generative-AI release: detect it, let people decide, go back step by step, prove it.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Settings come from COUNTERMAND_URL and COUNTERMAND_TOKEN; exit codes are listed in docs/cli.md."""


app.command("up")(local_commands.up)
app.command("demo")(local_commands.demo)
app.command("doctor")(doctor.doctor)
app.command("login")(session_commands.login)
app.command("logout")(session_commands.logout)
app.command("whoami")(session_commands.whoami)
app.add_typer(playbook_commands.app, name="playbook")
app.add_typer(criteria_commands.app, name="criteria")
app.add_typer(threshold_commands.app, name="threshold")
app.add_typer(backtest_commands.app, name="backtest")
release_commands.app.command("rows")(criteria_rows.rows)
release_commands.app.command("propose")(emergency_commands.propose)
release_commands.app.command("emergency")(emergency_commands.emergency)
release_commands.app.command("unfairness")(emergency_commands.unfairness)
release_commands.app.command("concern")(emergency_commands.concern)
release_commands.app.command("eligible")(version_commands.eligible)
release_commands.app.command("deny")(version_commands.deny)
release_commands.app.command("allow")(version_commands.allow)
release_commands.app.command("live")(version_commands.live)
release_commands.app.command("test-set")(inclusive_commands.report_run)
release_commands.app.command("test-sets")(inclusive_commands.sets)
release_commands.app.add_typer(rollout_commands.app, name="rollout")
app.add_typer(release_commands.app, name="release")
app.command("watch")(release_commands.watch)
app.add_typer(bundle_commands.app, name="bundle")
app.command("diff")(compare_commands.diff)
app.add_typer(compare_commands.output, name="output")
incident_commands.app.command("break-glass")(emergency_commands.break_glass)
app.add_typer(incident_commands.app, name="incident")
app.add_typer(ask_commands.app, name="ask")
app.command("approve")(ask_commands.approve)
app.command("reject")(ask_commands.reject)
app.command("extend")(ask_commands.extend)
app.add_typer(consent_commands.app, name="consent")
app.add_typer(investigation_commands.app, name="investigation")
app.add_typer(standing_commands.app, name="standing")
app.add_typer(retention_commands.hold, name="hold")
app.add_typer(cadence_commands.app, name="cadence")
app.add_typer(lesson_commands.app, name="lessons")
app.add_typer(retention_commands.retention, name="retention")
app.add_typer(message_commands.app, name="message")
app.add_typer(obligation_commands.app, name="obligations")
app.add_typer(review_commands.app, name="review")
app.add_typer(rehearsal_commands.app, name="rehearsal")
app.add_typer(ledger_commands.app, name="ledger")
app.add_typer(evidence_commands.app, name="evidence")
app.command("population")(evidence_commands.population)
app.command("replay")(replay.replay)
app.command("signals")(signal_commands.signals)
