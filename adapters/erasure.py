"""Erase what one person wrote, and purge again what a restored copy brought back (OBL-33, OBL-36, OBL-37)."""

from __future__ import annotations

import asyncio
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.ports import LedgerConflict
from adapters.database import Database, utc_now
from adapters.ledger import SqlLedger
from adapters.retention import Kept, delete_texts, item_of, kept_now
from adapters.tables import OutboxTable, VaultItemTable, VaultKeyTable
from adapters.vault import EVERYBODY, TYPED_CLASS, SqlVault
from countermand.ledger.bodies import ErasureDone, ErasureRefused, PurgeCertificate, parse_body
from countermand.ledger.private import ERASED
from countermand.ledger.record import Kind
from countermand.messages.fencing import fenced
from countermand.plan.target import Value
from countermand.retention.holding import Item, Verdict, may_delete
from countermand.retention.register import ids_root

#: When somebody has to look again at a request that was refused.
RECHECK = timedelta(days=90)
#: The class of what was sent.
_MESSAGES = "communications_sent"
#: Commitments in one record of an erasure.
_MOST = 800


class Request(Value):
    """Somebody asks that the words of `subject` are erased. claim: what still needs them, in words; empty when
    nothing does. The same `erasure_id` again changes nothing."""

    erasure_id: str
    subject: str
    reason: str
    by: str
    claim: str = ""


class SqlErasure:
    """Destroys texts with their keys; what the chain holds of them proves nothing about anybody."""

    def __init__(
        self, db: Database, ledger: SqlLedger, vault: SqlVault, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._db = db
        self._ledger = ledger
        self._vault = vault
        self._clock = clock

    async def erase(self, request: Request) -> list[ErasureDone | ErasureRefused]:
        """Answer a request: what may go is erased, for what has to stay there is a refusal that says why."""
        if known := await self._answered(request):
            return known
        answers: list[ErasureDone | ErasureRefused] = []
        async with self._db.writing() as session:
            kept_back = await kept_now(session, self._db.dialect)
            rows = (await session.exec(select(VaultItemTable).where(VaultItemTable.subject == request.subject))).all()
            verdicts = [
                (row, may_delete(item_of(row).model_copy(update={"claim": request.claim}), *kept_back, self._clock()))
                for row in rows
            ]
            gone = [row for row, verdict in verdicts if verdict.may]
            kept = [verdict for _, verdict in verdicts if not verdict.may]
            texts = len(kept)
            pages = {place: self._page(place, kept_back) for place in _places(gone)}
            free = {place[0] for place, verdict in pages.items() if verdict.may and place[0]}
            kept += [verdict for verdict in pages.values() if not verdict.may]
            for number in range(0, max(len(gone), 0 if kept else 1), _MOST):
                answers.append(await self._erased(session, request, gone[number : number + _MOST], free))
            if kept:
                scope = f"{texts} texts" if texts else "shown pages and messages that quote them"
                answers.append(self._refused(request, scope, {verdict.sentence for verdict in kept}))
            entries = [
                body.entry(f"erasure/{request.erasure_id}/{number}", request.by) for number, body in enumerate(answers)
            ]
            await self._ledger.append_in(session, *entries)
        await self._forget_log()
        return answers

    async def _answered(self, request: Request) -> list[ErasureDone | ErasureRefused]:
        """What was answered under this id before. Raises LedgerConflict when it was about somebody else."""
        records = await self._ledger.records(kinds=[Kind.erasure_done, Kind.erasure_refused])
        bodies = [body for body in map(parse_body, records) if isinstance(body, ErasureDone | ErasureRefused)]
        known = [body for body in bodies if body.erasure_id == request.erasure_id]
        if any(body.subject != request.subject for body in known):
            raise LedgerConflict(f"the id {request.erasure_id!r} was used for somebody else; use a new one")
        return known

    def _page(self, place: tuple[str, str | None], kept_back: Kept) -> Verdict:
        """May what quotes several people of an incident be deleted? Whom it quotes and its digest are left open, so
        that a hold about any of them covers it."""
        incident_id, release_id = place
        items = [
            Item(class_id=name, incident_id=incident_id, release_id=release_id) for name in (TYPED_CLASS, _MESSAGES)
        ]
        verdicts = [may_delete(item, *kept_back, self._clock()) for item in items]
        return next((verdict for verdict in verdicts if not verdict.may), verdicts[0])

    async def _erased(
        self, session: AsyncSession, request: Request, rows: Sequence[VaultItemTable], free: set[str]
    ) -> ErasureDone:
        """free: incidents whose shown pages may go."""
        words = await self._vault.open_in(session, [row.commitment for row in rows])
        places = {row.incident_id for row in rows if row.incident_id is not None} & free
        messages = await _blank_messages(session, places, {one.value for one in words.values()})
        keys = (*await delete_texts(session, rows), *await _delete_views(session, places))
        salt, ids = secrets.token_bytes(32), [row.commitment for row in rows]
        return ErasureDone(
            erasure_id=request.erasure_id,
            subject=request.subject,
            reason=request.reason,
            by=request.by,
            count=len(rows),
            keys=keys,
            items=tuple(ids),
            salt=salt.hex(),
            ids_root=ids_root(salt, ids),
            messages=messages,
        )

    def _refused(self, request: Request, scope: str, sentences: Iterable[str]) -> ErasureRefused:
        return ErasureRefused(
            erasure_id=request.erasure_id,
            subject=request.subject,
            reason=request.reason,
            by=request.by,
            basis=" ".join(sorted(sentences)),
            scope=scope,
            recheck_on=self._clock() + RECHECK,
        )

    async def replay(self) -> int:
        """Delete again what certificates say is gone and a restored copy brought back; returns how many texts. Runs
        before traffic is accepted (OBL-33). What is under a hold now stays."""
        gone: set[str] = set()
        keys: set[str] = set()
        for record in await self._ledger.records(kinds=[Kind.purge_certificate, Kind.erasure_done]):
            body = parse_body(record)
            if isinstance(body, PurgeCertificate | ErasureDone):
                gone |= set(body.items)
                keys |= set(body.keys)
        wanted, deleted = sorted(gone), 0
        for number in range(0, len(wanted), _MOST):
            part = wanted[number : number + _MOST]
            async with self._db.writing() as session:
                kept_back = await kept_now(session, self._db.dialect)
                rows = (
                    await session.exec(select(VaultItemTable).where(col(VaultItemTable.commitment).in_(part)))
                ).all()
                back = [row for row in rows if may_delete(item_of(row), *kept_back, self._clock()).may]
                if back:
                    await delete_texts(session, back)
                deleted += len(back)
        destroyed = await self._destroy_again(keys)
        if deleted or destroyed:
            await self._forget_log()
        return deleted

    async def _destroy_again(self, keys: set[str]) -> int:
        """Destroy these keys where no text is left under them and no hold covers what they open."""
        async with self._db.writing() as session:
            kept_back = await kept_now(session, self._db.dialect)
            used = set(await session.exec(select(VaultItemTable.key_ref).distinct()))
            back = [key for key in await session.exec(select(VaultKeyTable)) if key.key_ref in keys - used]
            free = [key.key_ref for key in back if may_delete(_shown_in(key.scope), *kept_back, self._clock()).may]
            await session.exec(delete(VaultKeyTable).where(col(VaultKeyTable.key_ref).in_(free)))
        return len(free)

    async def _forget_log(self) -> None:
        """SQLite keeps what was overwritten in its write-ahead log until that is copied back and cut."""
        if self._db.dialect == "sqlite":
            await asyncio.to_thread(_cut_log, self._db.url.database or "")


def _cut_log(path: str) -> None:
    with closing(sqlite3.connect(path, timeout=5)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _places(rows: Iterable[VaultItemTable]) -> set[tuple[str, str | None]]:
    """The incidents of these texts, each with its release."""
    return {(row.incident_id, row.release_id) for row in rows if row.incident_id is not None}


def _shown_in(scope: str) -> Item:
    """What quotes several people, as the rule about deleting sees it. scope: an incident or a release."""
    return Item(class_id=TYPED_CLASS, incident_id=scope, release_id=scope)


async def _delete_views(session: AsyncSession, incidents: Iterable[str]) -> tuple[str, ...]:
    """Destroy the keys of evidence that quotes the people of these incidents; returns them. The caller asked
    may_delete about them."""
    query = select(VaultKeyTable.key_ref).where(
        VaultKeyTable.subject == EVERYBODY, col(VaultKeyTable.scope).in_(sorted(incidents))
    )
    keys = tuple(await session.exec(query))
    await session.exec(delete(VaultKeyTable).where(col(VaultKeyTable.key_ref).in_(keys)))
    return keys


async def _blank_messages(session: AsyncSession, incidents: Iterable[str], words: Iterable[str]) -> int:
    """Replace these words in messages that were sent about these incidents; returns how many had some."""
    said = sorted({form for word in words if word.strip() for form in (word, fenced(word))}, key=len, reverse=True)
    query = select(OutboxTable).where(col(OutboxTable.incident_id).in_(sorted(incidents)))
    changed = 0
    for row in (await session.exec(query)).all():
        message = _blanked(row.message, said)
        if message != row.message:
            row.message = message
            session.add(row)
            changed += 1
    return changed


def _blanked(value: Any, words: Sequence[str]) -> Any:
    if isinstance(value, str):
        for word in words:  # whole words only: somebody who typed "no" is not every "nobody" in what others read
            value = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", ERASED, value)
        return value
    if isinstance(value, Mapping):
        return {key: _blanked(item, words) for key, item in value.items()}
    return [_blanked(item, words) for item in value] if isinstance(value, list) else value
