"""Do the ladders of open requests run? For `/readyz` and `countermand doctor` (GOV-26)."""

from __future__ import annotations

from console.deps import Console
from countermand.governance.heartbeats import KINDS, overdue_rungs
from countermand.ledger.record import Kind
from countermand.messages.facts import utc


async def ladders(deps: Console) -> dict[str, object]:
    """One check as `/readyz` shows it: not ok when a rung is overdue and the Ledger has no record of it."""
    ends = await deps.ledger.records(kinds=(Kind.incident_opened, Kind.incident_closed))
    over = {record.incident_id for record in ends if record.kind is Kind.incident_closed}
    running = [record.seq for record in ends if record.incident_id not in over]
    records = await deps.ledger.records(kinds=KINDS, after_seq=min(running)) if running else []
    late = overdue_rungs(records, deps.clock())
    if not late:
        sentence = "no reminder, escalation or time limit of an open request is overdue"
        return {"name": "ladders", "ok": True, "sentence": sentence}
    said = ", ".join(f"rung {one.rung} of {one.ask_id} was due at {utc(one.due)}" for one in late)
    return {"name": "ladders", "ok": False, "sentence": f"{said} and left no record; look whether a worker runs"}
