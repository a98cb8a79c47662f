"""Reporting clocks that still run: what belongs to their incident is kept until they end (OBL-29)."""

from __future__ import annotations

from collections.abc import Iterable

from countermand.ledger.bodies import (
    ObligationClock,
    ObligationClosed,
    ObligationDecided,
    ObligationFiled,
    ObligationSetAside,
    parse_body,
)
from countermand.ledger.record import Kind, Record
from countermand.retention.holding import Claim

#: The records that this folds.
KINDS = (
    Kind.obligation_clock,
    Kind.obligation_filed,
    Kind.obligation_set_aside,
    Kind.obligation_decided,
    Kind.obligation_closed,
)


def open_claims(records: Iterable[Record]) -> list[Claim]:
    """One per reporting clock that started and for which nothing was filed in full, set aside, or decided not to be
    reported. Service levels of the organisation keep nothing."""
    found: dict[tuple[str, str], Claim] = {}
    filed: set[tuple[str, str]] = set()
    unreported: set[tuple[str, str]] = set()
    for record in records:
        incident = record.incident_id or ""
        match parse_body(record):
            case ObligationClock() as body if body.row.get("legal_status") != "internal":
                found[incident, body.row_id] = Claim(
                    row_id=body.row_id, incident_id=incident, release_id=record.release_id, due=body.due
                )
            case ObligationFiled(partial=False) as body:
                filed.add((incident, body.row_id))
            case ObligationSetAside() as body:
                filed.add((incident, body.row_id))
            case ObligationDecided() as body:
                rows = {(incident, row_id) for row_id in body.rows}
                unreported = unreported | rows if body.reportable == "no" else unreported - rows
            case ObligationClosed():
                found = {key: claim for key, claim in found.items() if key[0] != incident}
    return [claim for key, claim in found.items() if key not in filed | unreported]
