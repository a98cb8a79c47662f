"""Signed deliveries that were taken in, so that one that is replayed changes nothing (SRC-27)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, update
from sqlmodel import col

from adapters.database import Database, insert_new
from adapters.tables import DeliveryTable

#: How long an id is remembered. A signature is too old after minutes; a sender may sign its retries anew for a day.
KEPT = timedelta(hours=24)


class DeliveryConflict(Exception):
    """The same delivery id with another body."""


class WebhookDeliveries:
    """What was delivered lately, by source and id."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def claim(self, source_id: str, delivery_id: str, body_sha256: str, now: datetime) -> dict[str, Any] | None:
        """The first answer to a delivery; None when there was none yet, and its content has to be stored.

        Raises DeliveryConflict when the id came with another body.
        """
        async with self._db.writing() as session:
            await session.exec(delete(DeliveryTable).where(col(DeliveryTable.at) < now - KEPT))
            values = {"source_id": source_id, "delivery_id": delivery_id, "body_sha256": body_sha256, "at": now}
            if await insert_new(session, DeliveryTable, **values):
                return None
            first = await session.get_one(DeliveryTable, (source_id, delivery_id))
            if first.body_sha256 != body_sha256:
                raise DeliveryConflict(f"delivery {delivery_id!r} came before with another body")
            return first.answer

    async def answer(self, source_id: str, delivery_id: str, answer: dict[str, Any]) -> dict[str, Any]:
        """Keep the answer unless there is one already; returns the first one."""
        key = col(DeliveryTable.source_id) == source_id, col(DeliveryTable.delivery_id) == delivery_id
        async with self._db.writing() as session:
            unanswered = update(DeliveryTable).where(*key, col(DeliveryTable.answer).is_(None))
            await session.exec(unanswered.values(answer=answer))
            kept = await session.get(DeliveryTable, (source_id, delivery_id))
            return kept.answer if kept is not None and kept.answer is not None else answer
