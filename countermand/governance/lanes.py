"""Who is called about a request, and who finds it in their list only, as the Ledger says (GOV-50)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from countermand.governance.limits import Limits
from countermand.governance.protection import AskSent, lane
from countermand.ledger.bodies import AskSentTo
from countermand.ledger.record import Record
from countermand.playbook.terms import Severity


def asks_sent(records: Iterable[Record]) -> list[AskSent]:
    """What `ask.sent` records say; other kinds are passed over."""
    found = [(record.at, AskSentTo.model_validate(record.body)) for record in records if record.kind is AskSentTo.KIND]
    return [
        AskSent(subject=body.subject, severity=Severity(body.severity), at=at, batched=body.lane == "batch")
        for at, body in found
    ]


def sent_to(
    records: Iterable[Record],
    ask_id: str,
    people: Iterable[tuple[str, str]],
    severity: Severity,
    now: datetime,
    limits: Limits,
) -> tuple[AskSentTo, ...]:
    """How each of these people (subject, name) is reached about a request that they were not reached about yet."""
    before = asks_sent(records)
    return tuple(
        AskSentTo(
            ask_id=ask_id,
            subject=subject,
            name=name,
            severity=severity.value,
            lane=lane(before, subject, severity, now, limits),
        )
        for subject, name in people
    )
