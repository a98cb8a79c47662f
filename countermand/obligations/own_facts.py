"""What the system's own records show about an incident: facts and anchors of service levels, never a legal anchor.

Legal anchors are set by people (OBL-2). A service level that our own record shows as kept needs no report by anybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from countermand import ids
from countermand.ledger.bodies import (
    AskOpened,
    AskSentTo,
    Body,
    CommsSent,
    ConsentClosed,
    EvidenceSealed,
    GateDecided,
    GlassBroken,
    IncidentClosed,
    IncidentOpened,
    ReviewClosed,
)
from countermand.ledger.record import Record
from countermand.obligations.anchor import Anchor, Moment
from countermand.obligations.predicates import Answer
from countermand.plan.target import Value


class OwnFacts(Value):
    """`kept`: (row, when, record) of service levels that a record shows as kept."""

    facts: dict[str, Answer]
    anchors: tuple[Anchor, ...]
    kept: tuple[tuple[str, datetime, int], ...]


def own_facts(records: Iterable[tuple[Record, Body | None]]) -> OwnFacts:
    """Read what was recorded. The first record of a kind counts."""
    facts: dict[str, Answer] = {"break_glass_used": False, "fairness_paused": False, "threshold_proposed": False}
    anchors: dict[str, Anchor] = {}
    kept: dict[str, tuple[datetime, int]] = {}
    updates: list[tuple[str, datetime, int]] = []
    glass: set[str] = set()

    def happened(event: str, record: Record) -> None:
        first = Anchor(event=event, moment=Moment(at=record.at), by=f"record {record.seq}", seq=record.seq)
        anchors.setdefault(event, first)

    def shown(row_id: str, record: Record) -> None:
        kept.setdefault(row_id, (record.at, record.seq))

    for record, body in records:
        match body:
            case IncidentOpened():
                facts["severity"] = body.severity
                happened("detected.incident", record)
            case IncidentClosed():
                happened("closed.incident", record)
            case AskOpened():
                happened("asked.approval", record)
            case AskSentTo():
                shown("internal-page-approver", record)
            case GlassBroken():
                facts["break_glass_used"] = True
                glass.add(ids.ratification(body.decision_id))
                happened("used.break_glass", record)
            case ConsentClosed() if body.consent_id in glass:
                shown("internal-break-glass-retro", record)
            case GateDecided() if body.act == "investigate":
                facts["fairness_paused"] = True
                happened("paused.fairness", record)
            case EvidenceSealed() if "closed.incident" in anchors:
                shown("internal-pack-sealed", record)
            case ReviewClosed() if body.outcome == "signed":
                shown("internal-review-meeting", record)
                happened("held.review_meeting", record)
            case CommsSent():
                if body.step == "approval_asked" and body.audience == "approver":
                    shown("internal-page-approver", record)
                if body.audience == "exec":
                    shown("internal-exec-notice", record)
                if body.audience == "support":
                    shown("internal-support-macro", record)
                if body.audience == "customer":
                    if "internal-customer-status" in kept:
                        updates.append(("internal-customer-update", record.at, record.seq))
                    shown("internal-customer-status", record)
                    happened("sent.customer_status", record)
                    if body.step == "all_clear":
                        happened("sent.all_clear", record)
            case _:
                pass
    rows = tuple((row_id, at, seq) for row_id, (at, seq) in kept.items())
    return OwnFacts(facts=facts, anchors=tuple(anchors.values()), kept=(*rows, *updates))
