"""The vault on SQL: texts of people under keys that can be destroyed (OBL-34…36, STO-15).

A text and its salt are encrypted under a data key per person and incident (or release); the data key is wrapped by the
master key, whose file is outside the database.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from adapters.database import Database, run_sql
from adapters.tables import VaultItemTable, VaultKeyTable
from adapters.vault_key import KEY_BYTES, MasterKey, seal, unseal
from countermand.ledger.private import Opened, Secret
from countermand.ledger.record import Record

#: Why somebody decided is kept as long as the decision.
TYPED_CLASS = "decisions_and_plans"
#: What belongs to no incident and no release.
NOWHERE = "-"
#: In the place of a person: the key of evidence that quotes several.
EVERYBODY = "*"
#: Advisory lock on PostgreSQL: whoever makes a data key or wraps all of them again.
_LOCK = 0x636D_0004


class SqlVault:
    """Implements the port `Vault`."""

    def __init__(self, db: Database, master: MasterKey) -> None:
        self._db = db
        self._master = master

    async def open(self, commitments: Sequence[str]) -> dict[str, Opened]:
        """Salt and value by commitment; one that is missing in the answer was erased. Raises CannotOpen."""
        async with self._db.reading() as session:
            return await self.open_in(session, commitments)

    async def open_in(self, session: AsyncSession, commitments: Iterable[str]) -> dict[str, Opened]:
        """The same in a transaction of the caller."""
        wanted = sorted(set(commitments))
        if not wanted:
            return {}
        found = await session.exec(
            select(VaultItemTable, VaultKeyTable)
            .join(VaultKeyTable, col(VaultKeyTable.key_ref) == col(VaultItemTable.key_ref))
            .where(col(VaultItemTable.commitment).in_(wanted))
        )
        keys: dict[str, bytes] = {}
        answers = {}
        for item, key in found:
            if key.key_ref not in keys:
                keys[key.key_ref] = self._master.unwrap(key.wrapped, key.key_ref)
            salt, value = json.loads(unseal(keys[key.key_ref], item.ciphertext, item.commitment.encode()))
            answers[item.commitment] = Opened(salt, value)
        return answers

    async def keep(self, session: AsyncSession, record: Record, author: str, texts: Sequence[Secret]) -> None:
        """Write the texts of one record in the transaction that appends it."""
        key_ref, data_key = await self._key(
            session, record.incident_id or record.release_id or NOWHERE, author, record.at
        )
        for text in texts:
            plain = json.dumps([text.salt, text.value]).encode()
            session.add(
                VaultItemTable(
                    commitment=text.commit,
                    key_ref=key_ref,
                    ciphertext=seal(data_key, plain, text.commit.encode()),
                    class_=TYPED_CLASS,
                    incident_id=record.incident_id,
                    release_id=record.release_id,
                    subject=author,
                    created_at=record.at,
                )
            )

    async def seal_bytes(
        self, session: AsyncSession, scope: str, sha256: str, raw: bytes, now: datetime
    ) -> tuple[bytes, str]:
        """(ciphertext, key) of evidence that quotes people, under the key of its incident or request."""
        key_ref, data_key = await self._key(session, scope, EVERYBODY, now)
        return seal(data_key, raw, sha256.encode()), key_ref

    async def open_bytes(self, session: AsyncSession, key_ref: str, sha256: str, sealed: bytes) -> bytes | None:
        """The plain bytes; None when the key was destroyed. Raises CannotOpen."""
        key = await session.get(VaultKeyTable, key_ref)
        if key is None:
            return None
        return unseal(self._master.unwrap(key.wrapped, key_ref), sealed, sha256.encode())

    async def rewrap(self) -> int:
        """Wrap every data key under the newest master key, after `MasterKey.rotate`; returns how many. One transaction:
        after a crash all are wrapped as before. Raises CannotOpen."""
        async with self._db.writing() as session:
            await self._lock_keys(session)
            keys = (await session.exec(select(VaultKeyTable))).all()
            for key in keys:
                key.wrapped = self._master.wrap(self._master.unwrap(key.wrapped, key.key_ref), key.key_ref)
                session.add(key)
        return len(keys)

    async def rotate_master(self) -> int:
        """Let a new master key take over; returns how many data keys it wraps. The old one stays in the file until all
        of them are wrapped again; repeating it after a crash ends the rotation that was begun. Raises CannotOpen."""
        if self._master.alone:
            self._master.rotate()
        count = await self.rewrap()
        self._master.forget_old()
        return count

    async def _lock_keys(self, session: AsyncSession) -> None:
        """No data key is made by another transaction until this one ends; a SQLite writer is alone anyway."""
        if self._db.dialect == "postgresql":
            await run_sql(session, "SELECT pg_advisory_xact_lock(:key)", key=_LOCK)

    async def _key(self, session: AsyncSession, scope: str, subject: str, now: datetime) -> tuple[str, bytes]:
        found = (
            await session.exec(
                select(VaultKeyTable).where(VaultKeyTable.scope == scope, VaultKeyTable.subject == subject)
            )
        ).first()
        if found is not None:
            return found.key_ref, self._master.unwrap(found.wrapped, found.key_ref)
        await self._lock_keys(session)  # what is wrapped after this is wrapped under the newest master key
        key_ref, data_key = secrets.token_hex(16), secrets.token_bytes(KEY_BYTES)
        wrapped = self._master.wrap(data_key, key_ref)
        session.add(VaultKeyTable(key_ref=key_ref, scope=scope, subject=subject, wrapped=wrapped, created_at=now))
        await session.flush()
        return key_ref, data_key
