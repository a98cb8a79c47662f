"""What came in from Slack, written down before Slack gets its answer, so that a restart loses no click (SLK-12)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field
from sqlalchemy import delete, or_, update
from sqlmodel import col, select

from adapters.database import Database, insert_new, utc_now
from adapters.slack_links import SlackUser
from adapters.tables import SlackInboxTable
from countermand.plan.target import Value

#: A row that somebody took and did not finish within this time is taken again: its process is gone.
ABANDONED = timedelta(seconds=45)
#: How long finished rows are kept; a repetition later than this is refused as too old by its signature.
KEEP = timedelta(hours=24)
#: A click older than this is not carried out any more: whoever made it has long looked elsewhere.
TOO_OLD = timedelta(minutes=15)


class Inbound(Value):
    """One click or one submission. `key` is made of Slack's own ids: a repetition has the same key (SLK-13).

    `terms`: what else was filled in, by name.
    """

    key: str
    what: Literal["click", "submission"]
    user: SlackUser
    home_team: str
    action: str
    ask_id: str
    channel: str | None = None
    trigger_id: str | None = None
    view_id: str | None = None
    approval_digest: str | None = None
    view_sha256: str | None = None
    reason: str = ""
    terms: dict[str, str] = Field(default_factory=dict)


class SlackInbox:
    """The rows. A row is taken by one process at a time."""

    def __init__(self, db: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._clock = clock

    async def put(self, inbound: Inbound) -> bool:
        """Keep it durably and take it; False when it has been here before and needs nothing more."""
        now = self._clock()
        async with self._db.writing() as session:
            return await insert_new(
                session,
                SlackInboxTable,
                key=inbound.key,
                inbound=inbound.model_dump(mode="json"),
                received_at=now,
                taken_at=now,
            )

    async def done(self, key: str) -> None:
        """It was carried out and answered."""
        async with self._db.writing() as session:
            await session.exec(
                update(SlackInboxTable).where(col(SlackInboxTable.key) == key).values(done_at=self._clock())
            )

    async def take_abandoned(self) -> list[Inbound]:
        """Rows whose process died before it was done with them, the oldest first; old rows are deleted."""
        now = self._clock()
        free = (
            col(SlackInboxTable.done_at).is_(None),
            or_(col(SlackInboxTable.taken_at).is_(None), col(SlackInboxTable.taken_at) <= now - ABANDONED),
        )
        taken = []
        async with self._db.writing() as session:
            await session.exec(delete(SlackInboxTable).where(col(SlackInboxTable.received_at) <= now - KEEP))
            young = col(SlackInboxTable.received_at) > now - TOO_OLD
            query = select(SlackInboxTable).where(*free, young).order_by(col(SlackInboxTable.received_at))
            for row in (await session.exec(query)).all():
                claim = update(SlackInboxTable).where(col(SlackInboxTable.key) == row.key, *free).values(taken_at=now)
                if (await session.exec(claim)).rowcount:
                    taken.append(Inbound.model_validate(row.inbound))
        return taken
