"""What the recipients of a wrong message are told: a correction, or that it is withdrawn (COM-25)."""

from __future__ import annotations

from datetime import datetime

from countermand.governance.decision import Refusal, Refused
from countermand.governance.directory import Directory
from countermand.ledger.bodies import CommsCorrected
from countermand.messages.facts import utc

#: Who may correct or withdraw a message.
ROLES = ("incident_commander", "comms_lead")


def permit_correction(directory: Directory, subject: str) -> None:
    """Raise Refused(not_your_role) unless this person holds one of `ROLES` now."""
    held = directory.roles_of(subject)
    if not set(ROLES) & set(held):
        people = ", ".join(person.name for person in directory.holders(*ROLES)) or "nobody"
        raise Refused(
            Refusal.not_your_role,
            f"correcting a message needs the role {' or '.join(ROLES)}; you hold {', '.join(held) or 'no role'}.",
            f"Ask one of: {people}.",
        )


def correction_text(order: CommsCorrected, sent_at: datetime) -> tuple[str, str]:
    """(subject, text) of the message that refers to the wrong one, which was sent at `sent_at`."""
    retracts = order.what is None
    right = "It is withdrawn. Please do not act on it." if retracts else f"What is right: {order.what}"
    text = "\n\n".join(
        (
            f"This {'withdraws' if retracts else 'corrects'} an earlier message to you.",
            f"Earlier message: {order.subject}\nSent: {utc(sent_at)}\nReference: {order.key}",
            f"What was wrong: {order.why}",
            right,
        )
    )
    return f"{'Withdrawn' if retracts else 'Correction'}: {order.subject}", text
