"""The role source `oidc_groups`: what the identity provider said about a person at their newest sign-in (GOV-3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import update
from sqlmodel import col, select

from adapters.database import Database, insert_new, utc_now
from adapters.group_source import GroupMembers
from adapters.tables import SignInGroupsTable
from countermand.governance.sources import SIGN_IN_COUNTS


class SignInGroups:
    """Implements GroupSource. A sign-in replaces what an older one said, also with no group at all."""

    def __init__(self, db: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._clock = clock

    async def signed_in(self, subject: str, groups: Sequence[str], at: datetime) -> None:
        """Keep the groups of a sign-in at `at`, unless a newer one is known."""
        said = {"groups": sorted(set(groups)), "at": at}
        async with self._db.writing() as session:
            if await insert_new(session, SignInGroupsTable, subject=subject, **said):
                return
            await session.exec(
                update(SignInGroupsTable)
                .where(col(SignInGroupsTable.subject) == subject, col(SignInGroupsTable.at) <= at)
                .values(**said)
            )

    async def members(self, group: str) -> GroupMembers:
        """People who signed in within `SIGN_IN_COUNTS` and were in the group then."""
        now = self._clock()
        newest = select(SignInGroupsTable).where(col(SignInGroupsTable.at) > now - SIGN_IN_COUNTS)
        async with self._db.reading() as session:
            found = list(await session.exec(newest))
        return GroupMembers(members={one.subject: one.at for one in found if group in one.groups}, as_of=now)
