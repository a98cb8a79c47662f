"""What a judged run leaves in the Ledger of production (GOV-24, GOV-28)."""

from __future__ import annotations

from countermand.ledger.bodies import RehearsalFinished, RehearsalPassed
from countermand.playbook.model import Playbook
from countermand.rehearsal.run import Run
from countermand.rehearsal.scenario import Scenario
from countermand.rehearsal.score import Score


def finished(
    run_id: str, run: Run, scenario: Scenario, playbook: Playbook, judged: Score, *, report: str, html: str
) -> tuple[RehearsalFinished, RehearsalPassed | None]:
    """The record of the run, and the one that it passed, None when it did not.

    report, html: sha256 of the stored reports.
    """
    body = RehearsalFinished(
        run_id=run_id,
        scenario=scenario.id,
        scenario_version=scenario.version,
        scenario_digest=scenario.digest,
        title=scenario.title,
        playbook=playbook.name,
        playbook_digest=run.playbook_digest,
        rendition_digest=run.rendition_digest,
        mode=run.mode,
        seed=run.seed,
        branch=scenario.branch.value,
        faults=tuple(fault.value for fault in scenario.faults),
        shift=scenario.shift.value,
        roles=tuple(sorted(scenario.roles)),
        started=run.started,
        ended=run.ended,
        held=judged.held,
        failed=judged.failed,
        failed_lines=tuple(one.line for one in judged.findings if not one.held),
        seconds={
            span.name.replace(" ", "_"): None if span.seconds is None else round(span.seconds) for span in judged.spans
        },
        ledger_head=run.ledger_head,
        report_sha256=report,
        html_sha256=html,
        pack_sha256=run.pack_sha256,
    )
    passed = RehearsalPassed(playbook_digest=run.playbook_digest, scenario=scenario.id) if body.passed else None
    return body, passed
