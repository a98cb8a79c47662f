"""Signed heads of the Ledger on SQL: the tree under them, the proofs, and who outside has seen them (EVD-7…EVD-12)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlmodel import col, func, select, tuple_
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from activities.evidence_ports import CheckpointFailed
from adapters.database import Database, run_sql, utc_now
from adapters.keys import known_keys
from adapters.ledger import SqlLedger
from adapters.signing import LedgerKey
from adapters.tables import AnchorTable, BlobTable, CheckpointTable, CosignatureTable, LedgerTable, NodeTable
from countermand.ledger import tree
from countermand.ledger.bodies import CheckpointExternal, CheckpointForked, parse_body
from countermand.ledger.note import Checkpoint, signed_checkpoint, vkey
from countermand.ledger.record import Kind, parse_line

#: Records that say what happened to a checkpoint, or that somebody looked: alone they call for no new one.
ABOUT_CHECKPOINTS = (Kind.checkpoint_external, Kind.checkpoint_forked, Kind.selfcheck)

# Makers of checkpoints take turns on this key; writers of the chain do not wait for them.
_LOCK = 0x636D_0003
# Values per statement that both databases take.
_MANY = 500

T = TypeVar("T")
Name = tuple[int, int]


@dataclass(frozen=True)
class _Grown:
    """What a new checkpoint needs: the tree from `base` records to `size`, computed from one snapshot."""

    base: int
    size: int
    nodes: dict[Name, bytes]
    root: bytes


class SqlCheckpoints:
    """Implements the port `Checkpoints`."""

    def __init__(self, db: Database, key: LedgerKey, deployment: str, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._key = key
        self._deployment = deployment
        self._clock = clock
        self._ledger = SqlLedger(db)

    async def origin(self) -> str:
        """`countermand/<deployment>/<ledger id>`: names this Ledger. Raises CheckpointFailed while it is empty."""
        genesis = await self._ledger.find("genesis")
        if genesis is None:
            raise CheckpointFailed("The Ledger is empty: nothing can be signed before its first record.")
        return f"countermand/{self._deployment}/{genesis.body['ledger_id']}"

    async def log_vkey(self) -> str:
        """The key in force as a line that other tools read. Raises CheckpointFailed."""
        keys = await known_keys(self._ledger, "ledger")
        if not keys:
            raise CheckpointFailed("No ledger key is recorded yet: start the worker once.")
        return vkey(await self.origin(), list(keys.values())[-1])

    async def now(self) -> Checkpoint:
        """See the port."""
        newest = await self.newest()
        if newest is not None and not await self.uncovered(newest.size):
            return newest
        return await self._make()

    async def newest(self) -> Checkpoint | None:
        """See the port."""
        async with self._db.reading() as session:
            return await _first(session, select(CheckpointTable).order_by(col(CheckpointTable.tree_size).desc()))

    async def at_least(self, size: int) -> Checkpoint:
        """See the port."""
        if (found := await self.covering(size)) is not None:
            return found
        made = await self._make()
        if made.size < size:
            raise ValueError(f"no checkpoint can cover {size!r} records; the Ledger has {made.size}")
        return made

    async def covering(self, size: int) -> Checkpoint | None:
        """The smallest stored checkpoint with that many records or more."""
        query = select(CheckpointTable).where(col(CheckpointTable.tree_size) >= size)
        async with self._db.reading() as session:
            return await _first(session, query.order_by(col(CheckpointTable.tree_size)))

    async def uncovered(self, size: int) -> int:
        """How many records after the first `size` call for a checkpoint."""
        query = select(func.count()).select_from(LedgerTable).where(col(LedgerTable.seq) >= size)
        query = query.where(col(LedgerTable.kind).not_in([kind.value for kind in ABOUT_CHECKPOINTS]))
        async with self._db.reading() as session:
            return (await session.exec(query)).one()

    async def oldest_uncovered(self, size: int) -> datetime | None:
        """When the oldest record was appended that calls for a checkpoint after the first `size`."""
        query = select(LedgerTable.line).where(col(LedgerTable.seq) >= size)
        query = query.where(col(LedgerTable.kind).not_in([kind.value for kind in ABOUT_CHECKPOINTS]))
        async with self._db.reading() as session:
            line = (await session.exec(query.order_by(col(LedgerTable.seq)).limit(1))).first()
        return None if line is None else parse_line(line).at

    async def inclusion(self, seq: int, size: int) -> tuple[bytes, ...]:
        """See the port."""
        return await self._from_nodes(lambda node: tree.inclusion(seq, size, node))

    async def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """See the port."""
        return await self._from_nodes(lambda node: tree.consistency(old, new, node))

    async def root(self, size: int) -> bytes:
        """The root over the first `size` records, from the stored nodes. Raises ValueError when one is missing."""
        return await self._from_nodes(lambda node: tree.root(size, node))

    async def leaves(self, size: int) -> bytes:
        """See the port. Raises ValueError when the stored tree is smaller."""
        query = select(NodeTable.hash).where(NodeTable.level == 0, col(NodeTable.number) < size)
        async with self._db.reading() as session:
            found = (await session.exec(query.order_by(col(NodeTable.number)))).all()
        if len(found) != size:
            raise ValueError(f"the tree has {len(found)} of the {size!r} leaves; a checkpoint of that size comes first")
        return b"".join(found)

    async def cosignatures(self, size: int) -> list[str]:
        """See the port."""
        query = select(CosignatureTable.line).where(CosignatureTable.tree_size == size)
        async with self._db.reading() as session:
            return list((await session.exec(query.order_by(CosignatureTable.witness))).all())

    async def timestamp(self, size: int) -> bytes | None:
        """See the port."""
        query = (
            select(BlobTable.content)
            .join(AnchorTable, col(AnchorTable.blob_sha256) == col(BlobTable.sha256))
            .where(AnchorTable.tree_size == size, AnchorTable.kind == "rfc3161")
            .order_by(AnchorTable.place)
        )
        async with self._db.reading() as session:
            return (await session.exec(query)).first()

    async def forked(self) -> str:
        """See the port."""
        return " ".join((await forks(self._ledger)).values())

    async def _make(self) -> Checkpoint:
        """A checkpoint of the whole Ledger; the one that is there when somebody was faster."""
        origin = await self.origin()
        await self._signing_key_is_recorded()
        while True:
            grown = await self._grown()
            async with self._db.writing() as session:
                if self._db.dialect == "postgresql":
                    await run_sql(session, "SELECT pg_advisory_xact_lock(:key)", key=_LOCK)
                stored = await _first(session, select(CheckpointTable).order_by(col(CheckpointTable.tree_size).desc()))
                if stored is not None and stored.size >= grown.size:
                    return stored
                if (stored.size if stored else 0) != grown.base:
                    continue
                made = signed_checkpoint(origin, grown.size, grown.root, self._key)
                for part in _parts(list(grown.nodes.items())):
                    session.add_all(NodeTable(level=name[0], number=name[1], hash=value) for name, value in part)
                    await session.flush()
                session.add(
                    CheckpointTable(
                        tree_size=made.size,
                        root=made.root,
                        note=made.note,
                        key_id=self._key.key_id,
                        at=self._clock(),
                    )
                )
                return made

    async def _signing_key_is_recorded(self) -> None:
        try:
            mine = self._key.key_id
        except (OSError, ValueError, TypeError) as error:
            raise CheckpointFailed(f"The ledger key cannot be read ({error}); put it back, readable by us.") from error
        known = list(await known_keys(self._ledger, "ledger"))
        if mine != (known[-1] if known else None):
            raise CheckpointFailed(
                f"The ledger key on the disk is {mine}, the Ledger says {known[-1] if known else 'none yet'}; put "
                "the recorded key back, or start the worker once when there was none."
            )

    async def _grown(self) -> _Grown:
        async with self._db.reading() as session:
            base = (await session.exec(select(func.max(CheckpointTable.tree_size)))).one() or 0
            query = select(LedgerTable.line).where(col(LedgerTable.seq) >= base).order_by(col(LedgerTable.seq))
            lines = list((await session.exec(query)).all())
            left = _asked(lambda node: tree.root(base, node)) if base else set()
            before = await _nodes(session, left)
        return await asyncio.to_thread(_grow, base, lines, before)

    async def _from_nodes(self, work: Callable[[tree.Node], T]) -> T:
        """What `work` makes of the stored nodes. It runs twice: which nodes it asks for does not depend on them."""
        async with self._db.reading() as session:
            found = await _nodes(session, _asked(work))
        return work(lambda level, number: found[level, number])


async def forks(ledger: SqlLedger) -> dict[tuple[str, str], str]:
    """By kind and place, in a sentence: who outside holds another history and has taken no checkpoint since."""
    said: dict[tuple[str, str], str] = {}
    for record in await ledger.records(kinds=[Kind.checkpoint_external, Kind.checkpoint_forked]):
        match parse_body(record):
            case CheckpointForked() as fork:
                said[fork.kind, fork.place] = fork.sentence
            case CheckpointExternal() as taken:
                said.pop((taken.kind, taken.place), None)
            case _:
                pass
    return said


async def checkpoint_lines(db: Database, first: int, size: int) -> list[tuple[str | None, bytes]]:
    """(line, stored leaf) of the records from `first` up to `size`, from one snapshot; None for a missing record."""
    query = (
        select(LedgerTable.line, NodeTable.hash)
        .select_from(NodeTable)
        .join(LedgerTable, col(LedgerTable.seq) == col(NodeTable.number), isouter=True)
        .where(NodeTable.level == 0, col(NodeTable.number) >= first, col(NodeTable.number) < size)
    )
    async with db.reading() as session:
        return list((await session.exec(query.order_by(col(NodeTable.number)))).all())


def _grow(base: int, lines: Sequence[str], before: dict[Name, bytes]) -> _Grown:
    leaves = [tree.leaf_hash(line.encode()) for line in lines]
    made = tree.complete_nodes(base, leaves, lambda level, number: before[level, number])
    every, size = before | made, base + len(lines)
    return _Grown(base, size, made, tree.root(size, lambda level, number: every[level, number]))


def _asked(work: Callable[[tree.Node], object]) -> set[Name]:
    names: set[Name] = set()

    def note(level: int, number: int) -> bytes:
        names.add((level, number))
        return bytes(32)

    work(note)
    return names


async def _nodes(session: AsyncSession, names: Iterable[Name]) -> dict[Name, bytes]:
    wanted = list(names)
    found: dict[Name, bytes] = {}
    for part in _parts(wanted):
        query = select(NodeTable).where(tuple_(col(NodeTable.level), col(NodeTable.number)).in_(part))
        found |= {(row.level, row.number): row.hash for row in (await session.exec(query)).all()}
    if missing := sorted(set(wanted) - found.keys()):
        raise ValueError(f"the tree has no node {missing[0]!r}; a checkpoint of that size comes first")
    return found


async def _first(session: AsyncSession, query: SelectOfScalar[CheckpointTable]) -> Checkpoint | None:
    row = (await session.exec(query.limit(1))).first()
    return None if row is None else checkpoint_of(row)


def checkpoint_of(row: CheckpointTable) -> Checkpoint:
    """The stored row as people and tools know it."""
    return Checkpoint(origin=row.note.partition("\n")[0], size=row.tree_size, root=row.root, note=row.note)


def _parts(things: list[T]) -> Iterable[list[T]]:
    return (things[at : at + _MANY] for at in range(0, len(things), _MANY))
