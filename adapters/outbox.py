"""Messages to people, kept in SQL before they are sent; the console shows them, a directory may take them."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import update
from sqlmodel import col, select

from activities.ports import Message, Receipt
from adapters.database import Database, insert_new, utc_now
from adapters.tables import OutboxTable
from countermand.plan.target import Value


class Sent(Value):
    """One message of the outbox; `receipt` is None while nobody has taken it."""

    message: Message
    written_at: datetime
    receipt: Receipt | None


class Outbox:
    """Implements the port `Channel`. With a directory each message also becomes one text file in it."""

    def __init__(self, db: Database, directory: Path | None = None, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._directory = directory
        self._clock = clock

    async def send(self, message: Message) -> Receipt:
        """Write the message down, hand it over, keep the receipt. A key that was sent returns its receipt.

        A crash in between is harmless: the next call hands the message over once more, to the same file.
        """
        async with self._db.writing() as session:
            await insert_new(
                session,
                OutboxTable,
                key=message.key,
                incident_id=message.incident_id,
                message=message.model_dump(mode="json"),
                written_at=self._clock(),
            )
            sent = _sent(await session.get_one(OutboxTable, message.key))
        if sent.receipt is not None:
            return sent.receipt
        provider_id = await asyncio.to_thread(self._hand_over, sent.message)
        receipt = Receipt(
            key=message.key,
            channel="outbox" if self._directory is None else "directory",
            provider_id=provider_id,
            at=self._clock(),
        )
        async with self._db.writing() as session:
            await session.exec(
                update(OutboxTable)
                .where(col(OutboxTable.key) == message.key, col(OutboxTable.receipt).is_(None))
                .values(receipt=receipt.model_dump(mode="json"))
            )
            kept = _sent(await session.get_one(OutboxTable, message.key)).receipt
        return kept or receipt

    async def list(self, incident_id: str) -> Sequence[Sent]:
        """The messages of one incident in the order in which they were written."""
        query = select(OutboxTable).where(OutboxTable.incident_id == incident_id)
        query = query.order_by(col(OutboxTable.written_at), col(OutboxTable.key))
        async with self._db.reading() as session:
            return tuple(_sent(stored) for stored in await session.exec(query))

    def _hand_over(self, message: Message) -> str:
        if self._directory is None:
            return message.key
        # A digest of the key: a repetition writes the same file, and no key can name another path.
        digest = hashlib.sha256(message.key.encode()).hexdigest()[:16]
        path = self._directory / f"{message.step.value}-{message.audience.value}-{digest}.txt"
        self._directory.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{secrets.token_hex(4)}")
        unfinished.write_text(f"{message.subject}\n\n{message.text}\n", encoding="utf-8")
        unfinished.replace(path)
        return path.name


def _sent(stored: OutboxTable) -> Sent:
    return Sent(
        message=Message.model_validate(stored.message),
        written_at=stored.written_at,
        receipt=None if stored.receipt is None else Receipt.model_validate(stored.receipt),
    )
