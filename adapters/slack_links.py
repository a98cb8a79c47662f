"""Which person a Slack user is: a link made by the person, signed in at the console (SLK-27)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, update
from sqlmodel import col, select

from adapters.database import Database, insert_new, utc_now
from adapters.tables import SlackLinkTable
from countermand.plan.target import Value

#: How long the address that `/countermand link` gives can be used, once.
CODE_LIFE = timedelta(minutes=10)


class SlackUser(Value):
    """A user of one workspace, by ids; names of Slack users are never used (T5)."""

    team_id: str
    user_id: str


class SlackLinks:
    """Links between Slack users and subjects. One Slack user is one person; a person may have several Slack users."""

    def __init__(self, db: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._clock = clock

    async def offer(self, user: SlackUser) -> str:
        """A new code for this user; an older one stops working. A link that is there already stays until then."""
        code = secrets.token_urlsafe(24)
        async with self._db.writing() as session:
            await insert_new(session, SlackLinkTable, team_id=user.team_id, user_id=user.user_id)
            await session.exec(
                update(SlackLinkTable)
                .where(*_is(user))
                .values(code_sha256=_sha256(code), code_until=self._clock() + CODE_LIFE)
            )
        return code

    async def offered(self, code: str) -> SlackUser | None:
        """Whose code this is; None when it is unknown, used or too old."""
        query = select(SlackLinkTable).where(
            SlackLinkTable.code_sha256 == _sha256(code), col(SlackLinkTable.code_until) > self._clock()
        )
        async with self._db.reading() as session:
            found = (await session.exec(query)).first()
        return SlackUser(team_id=found.team_id, user_id=found.user_id) if found else None

    async def confirm(self, code: str, subject: str) -> SlackUser | None:
        """Link the code's user to this person, once; None when the code is unknown, used or too old."""
        user = await self.offered(code)
        if user is None:
            return None
        async with self._db.writing() as session:
            done = await session.exec(
                update(SlackLinkTable)
                .where(*_is(user), col(SlackLinkTable.code_sha256) == _sha256(code))
                .values(subject=subject, linked_at=self._clock(), code_sha256=None, code_until=None)
            )
        return user if done.rowcount else None

    async def subject(self, user: SlackUser) -> str | None:
        """The person behind a Slack user, or None when nobody linked it."""
        async with self._db.reading() as session:
            found = await session.get(SlackLinkTable, (user.team_id, user.user_id))
        return found.subject if found else None

    async def users(self, subject: str) -> list[SlackUser]:
        """The Slack users of a person, in a stable order."""
        query = select(SlackLinkTable).where(SlackLinkTable.subject == subject)
        query = query.order_by(col(SlackLinkTable.team_id), col(SlackLinkTable.user_id))
        async with self._db.reading() as session:
            return [SlackUser(team_id=one.team_id, user_id=one.user_id) for one in await session.exec(query)]


def _is(user: SlackUser) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return col(SlackLinkTable.team_id) == user.team_id, col(SlackLinkTable.user_id) == user.user_id


def _sha256(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
