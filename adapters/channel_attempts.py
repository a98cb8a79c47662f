"""What each channel was asked to take and what it answered, kept over crashes (COM-15, COM-16)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import update
from sqlmodel import col

from adapters.database import Database, insert_new, utc_now
from adapters.tables import MessageAttemptTable
from countermand.plan.target import Value


class Outcome(Value):
    """Taken as `provider_id`, or not taken. `words`: what went wrong, for people."""

    provider_id: str | None = None
    words: str | None = None


class MessageAttempts:
    """One row for each message and channel."""

    def __init__(self, db: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._clock = clock

    async def begin(self, key: str, channel: str) -> bool:
        """Note that `channel` is about to be asked; False when it was asked before."""
        async with self._db.writing() as session:
            return await insert_new(
                session, MessageAttemptTable, key=key, channel=channel, begun_at=self._clock(), outcome=None
            )

    async def outcome(self, key: str, channel: str) -> Outcome | None:
        """How it ended; None when it never began, or was cut off."""
        async with self._db.reading() as session:
            stored = await session.get(MessageAttemptTable, (key, channel))
        return None if stored is None or stored.outcome is None else Outcome.model_validate(stored.outcome)

    async def end(self, key: str, channel: str, outcome: Outcome) -> None:
        """Keep how it ended; what was kept first stands."""
        async with self._db.writing() as session:
            await session.exec(
                update(MessageAttemptTable)
                .where(
                    col(MessageAttemptTable.key) == key,
                    col(MessageAttemptTable.channel) == channel,
                    col(MessageAttemptTable.outcome).is_(None),
                )
                .values(outcome=outcome.model_dump(mode="json"))
            )
