"""Playbooks by digest and releases by id, on SQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update
from sqlmodel import col, select

from activities.ports import ReleaseStatus
from adapters.database import Database, insert_new
from adapters.tables import PlaybookTable, ReleaseTable
from countermand.canonical import digest_bytes
from countermand.plan.model import Release
from countermand.playbook.load import parse
from countermand.playbook.model import Playbook


class SqlCatalogue:
    """Implements the port `Catalogue`."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._parsed: dict[str, Playbook] = {}

    async def put_playbook(self, raw: bytes) -> str:
        """Store the exact bytes of a playbook; returns its digest. Raises when it does not parse."""
        digest = digest_bytes(raw)
        self._parsed[digest] = parse(raw)
        async with self._db.writing() as session:
            if await session.get(PlaybookTable, digest) is None:
                await insert_new(session, PlaybookTable, digest=digest, content=raw)
        return digest

    async def playbook(self, digest: str) -> Playbook:
        """The parsed playbook. Raises KeyError when unknown."""
        if digest not in self._parsed:
            self._parsed[digest] = parse(await self.playbook_bytes(digest), digest)
        return self._parsed[digest]

    async def playbook_bytes(self, digest: str) -> bytes:
        """The bytes as they were stored. Raises KeyError when unknown, ValueError when they were changed."""
        async with self._db.reading() as session:
            stored = await session.get(PlaybookTable, digest)
        if stored is None:
            raise KeyError(f"playbook {digest!r} is unknown; store it first")
        if digest_bytes(stored.content) != digest:
            raise ValueError(f"playbook {digest!r}: the stored bytes have another digest")
        return stored.content

    async def put_release(self, release: Release, at: datetime) -> ReleaseStatus:
        """Register; the same release again returns the stored one.

        Raises KeyError when its playbook is unknown, ValueError when the id has other content.
        """
        signals = sorted((await self.playbook(release.playbook_digest)).detection.signals)
        async with self._db.writing() as session:
            await insert_new(
                session,
                ReleaseTable,
                release_id=release.release_id,
                release=release.model_dump(mode="json"),
                playbook_digest=release.playbook_digest,
                signals=signals,
                registered_at=at,
            )
            status = _status(await session.get_one(ReleaseTable, release.release_id))
        if status.release != release:
            raise ValueError(f"release {release.release_id!r} is registered with other content; give a change a new id")
        return status

    async def release(self, release_id: str) -> ReleaseStatus | None:
        """The release, or None."""
        async with self._db.reading() as session:
            stored = await session.get(ReleaseTable, release_id)
        return None if stored is None else _status(stored)

    async def releases(self) -> list[ReleaseStatus]:
        """All releases in the order of their registration."""
        query = select(ReleaseTable).order_by(col(ReleaseTable.registered_at), col(ReleaseTable.release_id))
        async with self._db.reading() as session:
            return [_status(stored) for stored in await session.exec(query)]

    async def close_release(self, release_id: str, at: datetime, why: str) -> None:
        """End the watch; a release that is closed already keeps its first time and reason.

        Raises KeyError when unknown.
        """
        async with self._db.writing() as session:
            if await session.get(ReleaseTable, release_id) is None:
                raise KeyError(f"release {release_id!r} is not registered")
            await session.exec(
                update(ReleaseTable)
                .where(col(ReleaseTable.release_id) == release_id, col(ReleaseTable.closed_at).is_(None))
                .values(closed_at=at, closed_why=why)
            )


def _status(stored: ReleaseTable) -> ReleaseStatus:
    return ReleaseStatus(
        release=Release.model_validate(stored.release),
        registered_at=stored.registered_at,
        closed_at=stored.closed_at,
        closed_why=stored.closed_why,
    )
