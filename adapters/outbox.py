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

    def told(self, receipt: Receipt, given: Message) -> Receipt:
        """The receipt for somebody who gave `given` under this key: it says so when this message went out instead."""
        return receipt if given == self.message else receipt.model_copy(update={"instead": self.message})


class Outbox:
    """Implements the port `Channel`. With a directory each message also becomes one text file in it."""

    def __init__(self, db: Database, directory: Path | None = None, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._directory = directory
        self._clock = clock

    async def send(self, message: Message) -> Receipt:
        """Write the message down, hand it over, keep the receipt. A key that was sent returns its receipt."""
        sent = await self.write(message)
        return sent.told(sent.receipt or await self.hand_over(sent.message), message)

    async def write(self, message: Message) -> Sent:
        """Write the message down. A key that is known keeps its first message; the answer has its receipt, if any."""
        async with self._db.writing() as session:
            await insert_new(
                session,
                OutboxTable,
                key=message.key,
                incident_id=message.incident_id,
                message=message.model_dump(mode="json"),
                written_at=self._clock(),
            )
            return _sent(await session.get_one(OutboxTable, message.key))

    async def hand_over(self, message: Message, tried: tuple[str, ...] = ()) -> Receipt:
        """Leave a message that was written down for people to find, and keep the receipt.

        A crash in between is harmless: the next call hands the message over once more, to the same file.
        """
        provider_id = await asyncio.to_thread(self._put, message)
        return await self.keep(
            Receipt(
                key=message.key,
                channel="outbox" if self._directory is None else "directory",
                provider_id=provider_id,
                at=self._clock(),
                tried=tried,
            )
        )

    async def keep(self, receipt: Receipt) -> Receipt:
        """Keep the receipt of a message that was written down; returns the first one that was kept."""
        async with self._db.writing() as session:
            await session.exec(
                update(OutboxTable)
                .where(col(OutboxTable.key) == receipt.key, col(OutboxTable.receipt).is_(None))
                .values(receipt=receipt.model_dump(mode="json"))
            )
            return _sent(await session.get_one(OutboxTable, receipt.key)).receipt or receipt

    async def list(self, incident_id: str) -> Sequence[Sent]:
        """The messages of one incident in the order in which they were written."""
        query = select(OutboxTable).where(OutboxTable.incident_id == incident_id)
        query = query.order_by(col(OutboxTable.written_at), col(OutboxTable.key))
        async with self._db.reading() as session:
            return tuple(_sent(stored) for stored in await session.exec(query))

    def _put(self, message: Message) -> str:
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
