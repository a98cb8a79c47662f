"""Is the evidence of an incident safe, as the Ledger says? Asked before every effect that people or a standing
authorisation carry (I10); break-glass has a proof of its own."""

from __future__ import annotations

from collections.abc import Sequence

from countermand.governance.decision import DecisionKind, GatewayKeys, Refused
from countermand.governance.directory import Directory
from countermand.governance.proof import permitted
from countermand.ledger.bodies import DecisionMade, FreezeCompleted, FreezeWaived, parse_body
from countermand.ledger.record import Kind, Record

#: Records this rests on.
KINDS = (Kind.freeze_completed, Kind.freeze_waived, Kind.decision)


def lacking_freeze(records: Sequence[Record], keys: GatewayKeys, directory: Directory) -> str:
    """Why nothing may be changed yet; empty when the evidence is frozen, or somebody who may do so signed that it goes
    on without the rest. `records`: those of one incident."""
    bodies = [(record.incident_id, parse_body(record)) for record in records]
    if any(isinstance(body, FreezeCompleted) for _, body in bodies):
        return ""
    waived = {body.decision_id for _, body in bodies if isinstance(body, FreezeWaived)}
    for incident_id, body in bodies:
        if not isinstance(body, DecisionMade) or body.decision.decision_id not in waived:
            continue
        decision = body.decision
        try:
            keys.verify(decision)
        except Refused:
            continue
        meant = (decision.kind, decision.incident_id) == (DecisionKind.proceed_incomplete, incident_id)
        if meant and permitted(decision, directory):
            return ""
    return "the evidence is not frozen, and nobody who may do so signed that it goes on without it."
