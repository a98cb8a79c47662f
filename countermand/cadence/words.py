"""What people are told about a duty: what is asked of whom until when, and what happens if nobody does it (S18)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from countermand.cadence.duty import Duty
from countermand.messages.facts import spoken, utc


def asking(
    duty: Duty,
    subject: str,
    roles: Mapping[str, tuple[str, ...]],
    deadline: datetime,
    times: int,
    escalated: bool,
    console_url: str,
) -> tuple[str, str]:
    """(subject, text) of the message. roles: who is asked, each with its holders' names."""
    about = f"{duty.title} of {subject}" if subject else duty.title
    asked = [
        f"{role.replace('_', ' ')} ({spoken(names) if names else 'nobody holds it'})" for role, names in roles.items()
    ]
    again = f" It was put off {times} times because nobody was free." if escalated else ""
    first = f"{about} is due.{again}" if times == 0 or escalated else f"{about} was put off: nobody answered."
    if escalated:
        left = "it is recorded as missed, and asked for again the next day."
    elif times < 2:
        left = "it is put off once more."
    else:
        left = "an executive is asked."
    text = "\n\n".join(
        (
            first,
            f"What is asked: {duty.does}",
            f"For: {spoken(tuple(asked))}. One of them says by {utc(deadline)} that it is done, or why it is left out.",
            f"If nobody answers: {left} {duty.if_missed}",
            f"{console_url}/cadence#{duty.id}",
        )
    )
    return f"{about}: by {utc(deadline)}", text


def put_off(times: int, escalated: bool, deadline: datetime) -> str:
    """What the record of it says."""
    if escalated:
        return f"Nobody was free {times} times. An executive is asked until {utc(deadline)}."
    return f"Nobody was free. Put off to {utc(deadline)}, for the {'first' if times == 1 else 'second'} time."
