"""What was shown to whom: the exact bytes by content, and one row per person and ask (GOV-63)."""

from __future__ import annotations

from sqlmodel import select

from adapters.database import Database, insert_new, utc_now
from adapters.ledger import SqlLedger
from adapters.tables import ShownTable
from countermand import ids


class ShownViews:
    """Implements Shown."""

    def __init__(self, db: Database, ledger: SqlLedger) -> None:
        self._db = db
        self._blobs = ledger

    async def issue(self, subject: str, ask_id: str, approval_digest: str, raw: bytes, media_type: str) -> str:
        """Keep the bytes and that this person saw them; returns their `sha256:<hex>`. Idempotent."""
        view_sha256 = await self._blobs.put_blob(raw, media_type, quotes=ids.matter_of(ask_id))
        async with self._db.writing() as session:
            await insert_new(
                session,
                ShownTable,
                view_sha256=view_sha256,
                subject=subject,
                ask_id=ask_id,
                approval_digest=approval_digest,
                at=utc_now(),
            )
        return view_sha256

    async def was_shown(self, view_sha256: str, subject: str, approval_digest: str) -> bool:
        """Whether this person was shown these bytes for this approval digest."""
        query = select(ShownTable.view_sha256).where(
            ShownTable.view_sha256 == view_sha256,
            ShownTable.subject == subject,
            ShownTable.approval_digest == approval_digest,
        )
        async with self._db.reading() as session:
            return (await session.exec(query)).first() is not None
