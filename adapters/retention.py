"""What is deleted at the end of its time, or because somebody asks for it; each with a certificate (OBL-31…37).

Deletion and certificate are one transaction: after a crash there is either both or neither. Whoever deletes asks
`may_delete`, while holding the writers' turn, so that no hold can come in between.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from adapters.database import Database, utc_now
from adapters.ledger import SqlLedger, lock_chain
from adapters.tables import LedgerTable, VaultItemTable, VaultKeyTable
from countermand.ledger.private import opened
from countermand.ledger.record import parse_line
from countermand.ledger.retention_bodies import PurgeCertificate
from countermand.plan.target import Value
from countermand.retention import claims, register
from countermand.retention.classes import RetentionClass, shipped_classes
from countermand.retention.holding import Claim, Hold, Item, Verdict, may_delete
from countermand.retention.register import ids_root

#: Texts in one certificate: their commitments have to fit into one record.
BATCH = 400


class Run(Value):
    """One run of the purge. approver: who or what ordered it; operator: who carries it out."""

    run_id: str
    approver: str
    operator: str


class Purged(Value):
    """What one batch did. `next`: where the next one begins; None when nothing is left to look at."""

    deleted: int
    held: int
    next: tuple[datetime, str] | None


class Kept(NamedTuple):
    """Why things may not be deleted now."""

    holds: list[Hold]
    claims: list[Claim]


class SqlRetention:
    """Purges texts of people; `adapters.sample_purge` does it for samples and sums."""

    def __init__(
        self,
        db: Database,
        ledger: SqlLedger,
        classes: Mapping[str, RetentionClass] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._db = db
        self._ledger = ledger
        self._classes = shipped_classes() if classes is None else classes
        self._clock = clock

    async def purge_texts(self, run: Run, class_id: str, after: tuple[datetime, str] | None = None) -> Purged:
        """Look at one batch of texts of a class, oldest first, and delete what is due and not held. Raises KeyError for
        an unknown class."""
        rule, began = self._classes[class_id], self._clock()
        query = select(VaultItemTable).where(VaultItemTable.class_ == class_id)
        if after is not None:
            since, last = after
            query = query.where(
                (col(VaultItemTable.created_at) > since)
                | ((col(VaultItemTable.created_at) == since) & (col(VaultItemTable.commitment) > last))
            )
        query = query.order_by(col(VaultItemTable.created_at), col(VaultItemTable.commitment)).limit(BATCH)
        async with self._db.writing() as session:
            kept = await kept_now(session, self._db.dialect)
            rows = (await session.exec(query)).all()
            verdicts = [(row, self._verdict(row, rule, kept)) for row in rows]
            gone = [row for row, verdict in verdicts if verdict.may]
            held = sum(verdict.word == "held" for _, verdict in verdicts)
            due = [row for row, verdict in verdicts if verdict.word != "not_due"]
            if gone:
                keys = await delete_texts(session, gone)
                salt = secrets.token_bytes(32)
                ids = [row.commitment for row in gone]
                certificate = PurgeCertificate(
                    run_id=run.run_id,
                    what="texts",
                    class_id=class_id,
                    rule_digest=rule.rule_digest,
                    count=len(gone),
                    size=sum(len(row.ciphertext) for row in gone),
                    salt=salt.hex(),
                    ids_root=ids_root(salt, ids),
                    first=gone[0].created_at,
                    until=gone[-1].created_at,
                    keys=keys,
                    items=tuple(ids),
                    releases=(),
                    held=held,
                    approver=run.approver,
                    operator=run.operator,
                    started_at=began,
                    ended_at=self._clock(),
                )
                await self._ledger.append_in(session, certificate.entry(f"purge/{salt.hex()}", run.operator))
        more = len(due) == BATCH
        return Purged(deleted=len(gone), held=held, next=(rows[-1].created_at, rows[-1].commitment) if more else None)

    def _verdict(self, row: VaultItemTable, rule: RetentionClass, kept: Kept) -> Verdict:
        item = item_of(row).model_copy(update={"keep_until": rule.keep.after(row.created_at)})
        return may_delete(item, kept.holds, kept.claims, self._clock())


def item_of(row: VaultItemTable) -> Item:
    """A text as the rule about deleting sees it, without a period."""
    return Item(
        class_id=row.class_,
        incident_id=row.incident_id,
        release_id=row.release_id,
        subject=row.subject,
        digest=row.commitment,
    )


async def kept_now(session: AsyncSession, dialect: str) -> Kept:
    """What is held and claimed; no hold and no clock can come or go until this transaction ends."""
    await lock_chain(session, dialect)
    lines = await session.exec(
        select(LedgerTable.line)
        .where(col(LedgerTable.kind).in_([kind.value for kind in (*register.KINDS, *claims.KINDS)]))
        .order_by(col(LedgerTable.seq))
    )
    # What is kept does not depend on the words of people, so nothing is opened for it.
    records = [opened(parse_line(line), {}) for line in lines]
    return Kept(register.holds_in_force(records), claims.open_claims(records))


async def delete_texts(session: AsyncSession, rows: Sequence[VaultItemTable]) -> tuple[str, ...]:
    """Delete these texts, and every key that opens nothing any more; returns the keys. The caller asked may_delete."""
    refs = sorted({row.key_ref for row in rows})
    await session.exec(
        delete(VaultItemTable).where(col(VaultItemTable.commitment).in_([row.commitment for row in rows]))
    )
    used = set(await session.exec(select(VaultItemTable.key_ref).where(col(VaultItemTable.key_ref).in_(refs))))
    unused = tuple(ref for ref in refs if ref not in used)
    await session.exec(delete(VaultKeyTable).where(col(VaultKeyTable.key_ref).in_(unused)))
    return unused
