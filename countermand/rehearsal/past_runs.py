"""Every run that the Ledger of production knows, oldest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from countermand.ledger.bodies import RehearsalFinished, parse_body
from countermand.ledger.record import Record


@dataclass(frozen=True)
class PastRun:
    """One finished run, when it was recorded and where."""

    body: RehearsalFinished
    at: datetime
    seq: int


def past_runs(records: Iterable[Record]) -> list[PastRun]:
    """The finished runs among the records, in their order; a run that was recorded twice counts once."""
    found: dict[str, PastRun] = {}
    for record in records:
        body = parse_body(record)
        if isinstance(body, RehearsalFinished):
            found.setdefault(body.run_id, PastRun(body, record.at, record.seq))
    return list(found.values())
