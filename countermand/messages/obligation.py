"""What the owner of a clock is told when time runs (OBL-15)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from countermand.messages.facts import spoken, utc
from countermand.obligations.clocks import Clock
from countermand.obligations.warning import OVERDUE, Warning_

NOT_ADVICE = "Reminder computed from recorded events and configurable data. Not legal advice."


def warning_text(
    clock: Clock,
    warned: Warning_,
    roles: Mapping[str, tuple[str, ...]],
    coming: datetime | None,
    incident_id: str,
    console_url: str,
) -> tuple[str, str]:
    """(subject, text): what runs until when, who is asked to do what, and what happens if nobody does.

    roles: who is called, with their holders. coming: the next warning.
    """
    row, over = clock.row, warned.point == OVERDUE
    limit = "The organisation's own limit" if clock.service_level else "The time limit"
    until = f"{limit} {'was' if over else 'is'} {utc(warned.due)}{clock.unless if over else ''}"
    asked = [
        f"{role.replace('_', ' ')} ({spoken(names) if names else 'nobody holds this role'})"
        for role, names in roles.items()
    ]
    more = len(roles) > 1 and all(roles.values())
    again = " Nobody did anything after an earlier warning, so more people are called." if more else ""
    after = f"The next warning comes {utc(coming)}." if coming else "No further warning comes."
    latest = f" A later lawful reading may end {utc(clock.legal_latest)}." if clock.legal_latest else ""
    consequence = "it stays overdue in the record." if over else "the clock goes on and is recorded as overdue."
    text = "\n\n".join(
        (
            f"{row.title} ({row.citation}), incident {incident_id}.",
            f"{until}; {clock.because}.{latest}",
            f"For: {spoken(tuple(asked))}.{again}",
            "What is asked: report and record it, record a delay, or decide not to report and say why. "
            "Say “I look after it” on the page, and fewer people are called next time.",
            f"If nothing is done: {consequence} Nothing is sent to an authority by itself. {after}",
            f"{console_url}/obligations/{incident_id}",
            NOT_ADVICE,
        )
    )
    return f"Reporting clock: {row.title}, {'was ' if over else ''}due {utc(warned.due)}", text
