"""How one channel of a route is asked to take a message, and how it says that it did not (communications.md §7)."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Protocol

from activities.fence import E_co, Fenced
from activities.ports import Message
from countermand.plan.target import Value


class Busy(Exception):
    """Trying again is safe and may help. `retry_after`: seconds that the other side asked to wait, if it did."""

    def __init__(self, why: str, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class Refused(Exception):
    """Nothing was taken, and trying again cannot help."""


class Uncertain(Exception):
    """The message may have been taken, and the other side cannot be asked; sending it again might show it twice."""


class Taken(Value):
    """The other side answered for the message. `not_reached`: whom it did not take it for, in words."""

    provider_id: str
    not_reached: str | None = None


class Sender(Fenced[E_co], Protocol[E_co]):
    """One channel of one environment.

    What it raises is recorded for good: without addresses, secrets and words of the other side.
    """

    @property
    def time_limit(self) -> timedelta:
        """How long one message may take here, with everything that is tried again."""
        ...

    @property
    def repeatable(self) -> bool:
        """Can the same message be sent once more without anybody seeing it twice? (COM-16)"""
        ...

    async def send(self, message: Message, within: float) -> Taken:
        """Try once, for at most `within` seconds. Raises Busy, Refused and Uncertain."""
        ...


def message_id(message: Message) -> str:
    """The same 32 hexadecimal digits for every attempt: what receivers know a repeated message by (COM-15)."""
    return hashlib.sha256(message.key.encode()).hexdigest()[:32]
