"""Bodies of records about rehearsals, in the Ledger of production: what was practised, and how it went."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from countermand.ledger.body import Body
from countermand.ledger.record import Kind


class RehearsalFinished(Body):
    """One run of one scenario is over and judged; all of it happened in a sandbox or at a table.

    held, failed: lines of the oracle. failed_lines: where those that failed stand in the scenario. seconds: the spans
    of its score by name. ledger_head: of the sandbox's Ledger. report_sha256: of the report in Markdown; html_sha256:
    as a page.
    """

    KIND: ClassVar[Kind] = Kind.rehearsal_finished
    run_id: str
    scenario: str
    scenario_version: int
    scenario_digest: str
    title: str
    playbook: str
    playbook_digest: str
    rendition_digest: str
    mode: Literal["scripted", "people", "tabletop"]
    seed: int
    branch: str
    faults: tuple[str, ...]
    shift: str
    roles: tuple[str, ...]
    started: datetime
    ended: datetime
    held: int
    failed: int
    failed_lines: tuple[str, ...]
    seconds: dict[str, int | None]
    ledger_head: str
    report_sha256: str
    html_sha256: str
    pack_sha256: str | None

    @property
    def passed(self) -> bool:
        """Whether every line held; a tabletop proves what people know, not that the way back works."""
        return self.failed == 0 and self.mode != "tabletop"
