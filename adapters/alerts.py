"""Alerts that other systems sent, on SQL: each once, whom it is about, and when its sender was heard (SRC-16…21)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, Text, cast, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.signal_ports import May
from adapters.alert_labels import is_about, why_unmatched
from adapters.alert_values import Alert, AlertsAnswer, Delivered, Unmapped
from adapters.database import Database, run_sql
from adapters.intake import microseconds
from adapters.source_settings import Matching
from adapters.tables import AlertTable, HeardTable, ReleaseTable
from countermand.plan.model import Release
from countermand.plan.target import Value

# Keys that are looked up in one statement.
_CHUNK = 500


class StoredAlert(Value):
    """An alert as people see it."""

    key: str
    source_id: str
    name: str
    status: str
    starts_us: int
    ends_us: int | None
    labels: dict[str, str]
    annotations: dict[str, str]
    releases: tuple[str, ...]
    unmatched: str | None
    first_at: datetime
    last_at: datetime


class Heard(Value):
    """What is known about a source in a span of time.

    after: something came after its beginning. before: nothing was missed from before its end, as far as the source
    was heard often enough. partial: something was said to be missing.
    """

    after: bool
    before: bool
    partial: bool


class LastHeard(Value):
    """When something came last from a source, and when and why it was not all there was."""

    until_us: int
    partial_us: int | None
    partial_why: str | None


class SqlAlerts:
    """The alerts of all sources."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(
        self, source_id: str, delivered: Delivered, matching: Matching, now: datetime, *, may: May | None
    ) -> AlertsAnswer:
        """Store a delivery durably, whole or not at all. Repetitions change nothing.

        `may`: whether the sender's credential reaches a release; what it may not reach is unmatched. None: it reaches
        every release, also those that are registered later.
        """
        async with self._db.writing() as session:
            await self._one_at_a_time(session, source_id)
            await _hear(session, source_id, now, matching.expect_every, delivered.partial)
            open_releases = await session.exec(select(ReleaseTable).where(col(ReleaseTable.closed_at).is_(None)))
            releases = [Release.model_validate(one.release) for one in open_releases]
            releases = [one for one in releases if may is None or may(one.release_id, one.environment)]
            changed: set[str] = set()
            unmatched: set[str] = set()
            for at in range(0, len(delivered.alerts), _CHUNK):
                part = {alert.key(source_id): alert for alert in delivered.alerts[at : at + _CHUNK]}
                found = await session.exec(select(AlertTable).where(col(AlertTable.key).in_(part)))
                rows = {row.key: row for row in found}
                for key, alert in part.items():
                    fits = {one.release_id for one in releases if is_about(alert.labels, one, matching)}
                    row = rows.get(key) or _new(session, source_id, key, alert, now)
                    if _said(row, alert, fits, now) or key not in rows:
                        changed.add(key)
                    about = row.releases or alert.name == matching.heartbeat
                    row.unmatched = None if about else why_unmatched(alert, matching)
                    row.anywhere = row.anywhere or may is None
                    if not about:
                        unmatched.add(key)
            if delivered.unmapped is not None:
                await _keep_unmapped(session, source_id, delivered.unmapped, now)
            return AlertsAnswer(
                accepted=len(changed),
                repeated=len(delivered.alerts) - len(changed),
                unmatched=len(unmatched) + (delivered.unmapped is not None),
                rejected=delivered.rejected,
                partial=delivered.partial,
            )

    async def firing(
        self, source_id: str, name: str, release: Release, matching: Matching, start: datetime, end: datetime
    ) -> list[StoredAlert]:
        """The alerts of that name about that release that fired at any time in [start, end), in the order of keys.

        One that came before its release was registered is matched here, without being repeated.
        """
        query = select(AlertTable).where(
            AlertTable.source_id == source_id,
            AlertTable.name == name,
            col(AlertTable.starts_us) < microseconds(end),
            or_(col(AlertTable.ends_us).is_(None), col(AlertTable.ends_us) > microseconds(start)),
            or_(_about(release.release_id), col(AlertTable.anywhere)),
        )
        async with self._db.reading() as session:
            rows = (await session.exec(query.order_by(AlertTable.key))).all()
        return [
            _stored(row)
            for row in rows
            if release.release_id in row.releases or is_about(row.labels, release, matching)
        ]

    async def heard(self, source_id: str, start: datetime, end: datetime, expect_every: timedelta) -> Heard:
        """What is known about the source in [start, end), when it should be heard every `expect_every`."""
        since = microseconds(end - expect_every)
        query = select(HeardTable).where(HeardTable.source_id == source_id, col(HeardTable.until_us) >= since)
        async with self._db.reading() as session:
            spans = (await session.exec(query)).all()
        return Heard(
            after=bool(spans),
            before=any(span.from_us <= microseconds(start) for span in spans),
            partial=any(span.partial_us is not None and span.partial_us >= since for span in spans),
        )

    async def last_heard(self, source_id: str) -> LastHeard | None:
        """None for a source that never sent anything."""
        query = select(HeardTable).where(HeardTable.source_id == source_id)
        async with self._db.reading() as session:
            row = (await session.exec(query.order_by(col(HeardTable.until_us).desc()).limit(1))).first()
        return None if row is None else LastHeard.model_validate(row.model_dump(include=set(LastHeard.model_fields)))

    async def listed(
        self, *, state: Literal["firing", "resolved", "unmatched"] | None, release_id: str | None, limit: int = 200
    ) -> list[StoredAlert]:
        """The newest first. `unmatched`: alerts about no watched release, and payloads that nobody understood."""
        query = select(AlertTable).order_by(col(AlertTable.last_at).desc(), AlertTable.key)
        if state == "unmatched":
            query = query.where(col(AlertTable.unmatched).is_not(None))
        elif state is not None:
            query = query.where(AlertTable.status == state)
        if release_id is not None:
            query = query.where(_about(release_id))
        async with self._db.reading() as session:
            rows = (await session.exec(query.limit(limit))).all()
        return [_stored(row) for row in rows]

    async def _one_at_a_time(self, session: AsyncSession, source_id: str) -> None:
        """Deliveries of one source take turns: what is said last counts. SQLite has one writer anyway."""
        if self._db.dialect == "postgresql":
            statement = "SELECT pg_advisory_xact_lock(hashtextextended(:source_id, 1))"
            await run_sql(session, statement, source_id=source_id)


def _about(release_id: str) -> ColumnElement[bool]:
    """Both databases keep the list as the JSON text that was written, so that a quoted id is found exactly."""
    return cast(col(AlertTable.releases), Text).contains(json.dumps(release_id), autoescape=True)


def _new(session: AsyncSession, source_id: str, key: str, alert: Alert, now: datetime) -> AlertTable:
    # A sender whose clock is ahead must not hide an alert until then.
    starts = min(alert.starts_at, now)
    row = AlertTable(
        key=key,
        source_id=source_id,
        fingerprint=alert.fingerprint,
        name=alert.name,
        status="firing",
        starts_us=microseconds(starts),
        ends_us=None,
        labels=alert.labels,
        annotations={},
        releases=[],
        unmatched=None,
        anywhere=False,
        first_at=now,
        last_at=now,
    )
    session.add(row)
    return row


def _said(row: AlertTable, alert: Alert, fits: Iterable[str], now: datetime) -> bool:
    """Take over what is said now; whether that changes more than the annotations.

    Firing after resolved with the same start fires again. It may be a member of a cluster that is late; then resolved
    is said once more (alertmanager#2447). An alert that is wrongly taken for over would be worse.
    """
    before = row.status, row.ends_us, row.releases
    if alert.status == "firing":
        row.ends_us = None if alert.ends_at is None else microseconds(alert.ends_at)
    else:
        ended = microseconds(alert.ends_at or now)
        row.ends_us = max(ended, row.starts_us, (row.ends_us or ended) if row.status == "resolved" else ended)
    row.status = alert.status
    row.releases = sorted({*row.releases, *fits})
    row.annotations, row.last_at = alert.annotations, now
    return (row.status, row.ends_us, row.releases) != before


async def _hear(
    session: AsyncSession, source_id: str, now: datetime, expect_every: timedelta, partial: str | None
) -> None:
    """Note that the source said something: its span goes on, or a new one begins after a silence."""
    query = select(HeardTable).where(
        HeardTable.source_id == source_id, col(HeardTable.until_us) >= microseconds(now - expect_every)
    )
    row = (await session.exec(query.order_by(col(HeardTable.until_us).desc()).limit(1))).first()
    if row is None:
        row = HeardTable(source_id=source_id, from_us=microseconds(now), until_us=0, partial_us=None, partial_why=None)
        session.add(row)
    row.until_us = max(row.until_us, microseconds(now))
    if partial is not None:
        row.partial_us, row.partial_why = microseconds(now), partial


async def _keep_unmapped(session: AsyncSession, source_id: str, unmapped: Unmapped, now: datetime) -> None:
    key = hashlib.sha256("\0".join((source_id, "unmapped", unmapped.delivery_id)).encode()).hexdigest()
    if await session.get(AlertTable, key) is None:
        session.add(
            AlertTable(
                key=key,
                source_id=source_id,
                fingerprint=unmapped.delivery_id,
                name="",
                status="unmapped",
                starts_us=microseconds(now),
                ends_us=microseconds(now),
                labels={},
                annotations={"payload": unmapped.payload},
                releases=[],
                unmatched=unmapped.why,
                anywhere=False,
                first_at=now,
                last_at=now,
            )
        )


def _stored(row: AlertTable) -> StoredAlert:
    return StoredAlert.model_validate(row.model_dump(include=set(StoredAlert.model_fields)))
