"""Where the copies of cards are: one row each, written before the message is sent (SLK-26, SLK-32, SLK-34)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import update
from sqlmodel import col, select

from adapters.database import Database, insert_new, utc_now
from adapters.tables import SlackCardTable
from countermand.plan.target import Value


class Copy(Value):
    """One copy. `ts` None and `attempted_at` set: it was sent, and nobody knows whether it arrived."""

    card_id: str
    ask_id: str
    place: str
    channel: str
    thread_ts: str | None = None
    ts: str | None = None
    revision: int = 0
    shown: str | None = None
    posted: str | None = None
    attempted_at: datetime | None = None
    edited_at: datetime | None = None


class SlackCopies:
    """The rows of `slack_card`."""

    def __init__(self, db: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._clock = clock

    async def of(self, ask_id: str) -> dict[str, Copy]:
        """Every copy of a request's card and every note about it, by id."""
        query = select(SlackCardTable).where(SlackCardTable.ask_id == ask_id)
        async with self._db.reading() as session:
            return {row.card_id: Copy.model_validate(row.model_dump()) for row in await session.exec(query)}

    async def plan(self, copy: Copy) -> Copy:
        """Keep that this copy is meant to be; what is known of it already stays."""
        async with self._db.writing() as session:
            await insert_new(session, SlackCardTable, **copy.model_dump())
            row = await session.get_one(SlackCardTable, copy.card_id)
        return Copy.model_validate(row.model_dump())

    async def claim(self, copy: Copy, revision: int) -> bool:
        """Whether this revision may still be sent: False when a newer one has been (SLK-34)."""
        return await self._set(copy, col(SlackCardTable.revision) <= revision, revision=revision)

    async def attempt(self, copy: Copy) -> Copy | None:
        """Remember that it is posted from now on. None when another attempt got in between."""
        now = self._clock()
        seen = col(SlackCardTable.attempted_at)
        same = seen.is_(None) if copy.attempted_at is None else seen == copy.attempted_at
        won = await self._set(copy, col(SlackCardTable.ts).is_(None), same, attempted_at=now)
        return copy.model_copy(update={"attempted_at": now}) if won else None

    async def not_posted(self, copy: Copy) -> None:
        """Slack said no: nothing has to be looked for."""
        await self._set(copy, col(SlackCardTable.ts).is_(None), attempted_at=None)

    async def was_posted(self, copy: Copy, ts: str, shown: str | None) -> Copy:
        """It is there. `shown` is the digest of what was sent; None when it was found and may show something else."""
        at = self._clock()
        values = {"ts": ts, "shown": shown, "posted": copy.posted or shown, "edited_at": at, "attempted_at": None}
        await self._set(copy, **values)
        return copy.model_copy(update=values)

    async def was_edited(self, copy: Copy, revision: int, shown: str) -> None:
        await self._set(
            copy,
            col(SlackCardTable.revision) == revision,
            shown=shown,
            posted=copy.posted or shown,
            edited_at=self._clock(),
        )

    async def lost(self, copy: Copy, thread_ts: str | None) -> Copy:
        """The message cannot be changed any more; a new one takes its place, in this thread if one is given."""
        values = {"ts": None, "shown": None, "attempted_at": None, "thread_ts": thread_ts}
        await self._set(copy, **values)
        return copy.model_copy(update=values)

    async def _set(self, copy: Copy, *conditions: object, **values: object) -> bool:
        statement = update(SlackCardTable).where(col(SlackCardTable.card_id) == copy.card_id, *conditions)  # type: ignore[arg-type]  # column expressions
        async with self._db.writing() as session:
            return bool((await session.exec(statement.values(**values))).rowcount)
