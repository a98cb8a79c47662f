"""What a tabletop leaves in the Ledger of production: who knew what to do, and never that the way back works (R24)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from countermand.canonical import digest_bytes
from countermand.ledger.bodies import RehearsalFinished
from countermand.playbook.model import Playbook
from countermand.rehearsal.scenario import Scenario
from countermand.rehearsal.tabletop import Judged


def finished_at_a_table(
    scenario: Scenario, playbook: Playbook, digest: str, found: Sequence[Judged], report: str, now: datetime
) -> RehearsalFinished:
    """The record of a tabletop. report: its text in Markdown. Roles are those whose questions somebody answered."""
    report_sha256 = digest_bytes(report.encode())
    return RehearsalFinished(
        run_id=f"{scenario.id}-table-{report_sha256.removeprefix('sha256:')[:12]}",
        scenario=scenario.id,
        scenario_version=scenario.version,
        scenario_digest=scenario.digest,
        title=scenario.title,
        playbook=playbook.name,
        playbook_digest=digest,
        rendition_digest=digest,
        mode="tabletop",
        seed=scenario.seed,
        branch=scenario.branch.value,
        faults=tuple(fault.value for fault in scenario.faults),
        shift=scenario.shift.value,
        roles=tuple(sorted({one.role for one in found if one.who})),
        started=now,
        ended=now,
        held=sum(one.held for one in found),
        failed=sum(not one.held for one in found),
        failed_lines=tuple(f"tabletop.{one.turn}" for one in found if not one.held),
        seconds={},
        ledger_head="",
        report_sha256=report_sha256,
        html_sha256="",
        pack_sha256=None,
    )
