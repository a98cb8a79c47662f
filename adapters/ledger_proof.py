"""What can be said about the whole Ledger, in the words of evidence.md §8 and no stronger (EVD-28)."""

from __future__ import annotations

import asyncio
from datetime import datetime
from itertools import pairwise
from typing import Literal

from sqlmodel import col, select

from adapters.anchor_folder import FolderAnchor
from adapters.anchor_settings import AnchorSettings
from adapters.anchor_timestamp import stamped_at
from adapters.anchors import AnchorFailed, AnchorMisconfigured
from adapters.checkpoints import checkpoint_of, forks
from adapters.database import Database
from adapters.ledger import SqlLedger, verify
from adapters.tables import AnchorTable, BlobTable, CheckpointTable, CosignatureTable, LedgerTable, NodeTable
from countermand.ledger import tree
from countermand.ledger.key_chain import KeyChain, KeyChainBroken
from countermand.ledger.note import Checkpoint
from countermand.ledger.note_reading import NoteInvalid, VerifierKey, cosigned_at, read_checkpoint
from countermand.ledger.record import ChainBroken, Kind
from countermand.plan.target import Value

_PAGE = 1_000


class Verified(Value):
    """The answer of a verification. `word` holds up to `size` records; `uncovered` newest ones are after that.

    count: records that were checked. broken_at: the first bad record. size, at: of the newest checkpoint that carries
    the word. keys: whether the reader's own copy of the key was compared. notes: what else a reader has to know.
    """

    word: Literal["rejected", "internally consistent", "anchored", "witnessed"]
    sentence: str
    count: int
    head: str | None = None
    broken_at: int | None = None
    why: str | None = None
    size: int = 0
    at: datetime | None = None
    uncovered: int = 0
    keys: Literal["pinned", "from the ledger"] = "from the ledger"
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.word != "rejected"


class _Rejected(Exception):
    def __init__(self, why: str, seq: int | None = None) -> None:
        super().__init__(why)
        self.seq = seq


async def verify_ledger(db: Database, settings: AnchorSettings) -> Verified:
    """Check every record, every link, the tree, every checkpoint and what is known outside of this database."""
    try:
        count, head = await verify(db)
        checkpoints, keys, made = await _checked_checkpoints(db)
    except ChainBroken as broken:
        return _rejected(f"The chain breaks at record {broken.seq}: {broken.why}.", broken.seq, broken.why)
    except _Rejected as rejected:
        return _rejected(str(rejected), rejected.seq, str(rejected))
    newest = checkpoints[-1] if checkpoints else None
    covered = newest.size if newest else 0
    consistent = Verified(
        word="internally consistent",
        sentence=f"{count:,} records, no gap, every link and every stored column holds; "
        f"{_counted(len(checkpoints))} fit{'s' if len(checkpoints) == 1 else ''} them.",
        count=count,
        head=head,
        size=covered,
        at=made.get(covered),
        uncovered=max(0, count - covered),
    )
    try:
        pinned = settings.pinned()
    except ValueError as error:
        return consistent.model_copy(update={"notes": (str(error),)})
    if pinned is not None and pinned.public not in keys.publics:
        return _rejected("The Ledger was never signed with the key that you pinned.", None, "another key")
    if pinned is not None:
        consistent = consistent.model_copy(update={"keys": "pinned"})
    return await _with_outside(db, settings, consistent, checkpoints, made, pinned)


async def _with_outside(
    db: Database,
    settings: AnchorSettings,
    consistent: Verified,
    checkpoints: list[Checkpoint],
    made: dict[int, datetime],
    pinned: VerifierKey | None,
) -> Verified:
    by_size = {one.size: one for one in checkpoints}
    notes = list((await forks(SqlLedger(db))).values())
    forked = bool(notes)
    anchored = 0
    for place, folder in settings.folders.items():
        try:
            held = await FolderAnchor(place, folder.path).newest()
        except AnchorFailed as error:
            notes.append(f"{error}.")
            continue
        if held is None:
            notes.append(f"The folder {place} holds no checkpoint yet.")
        elif (ours := by_size.get(held.size)) is None or (ours.root, ours.origin) != (held.root, held.origin):
            forked = True
            notes.append(f"The folder {place} holds a checkpoint of {held.size} records that is not one of these.")
        else:
            anchored = max(anchored, held.size)
    stamped, broken = await _stamped(db, settings, by_size)
    witnessed, unsigned = await _witnessed(db, settings, by_size)
    notes += [*broken, *unsigned, *await _gaps(db, settings)]
    anchored = max(anchored, stamped)
    if pinned is None and (anchored or witnessed):
        known = max(anchored, witnessed)
        notes.append(f"{known:,} records are known outside; the word stays because no key is pinned (log_vkey).")
    if forked or pinned is None or not (anchored or witnessed):
        return consistent.model_copy(update={"notes": tuple(notes)})
    word: Literal["anchored", "witnessed"] = "witnessed" if witnessed else "anchored"
    size = witnessed or anchored
    return consistent.model_copy(
        update={
            "word": word,
            "size": size,
            "at": made.get(size),
            "uncovered": consistent.count - size,
            "notes": tuple(notes),
        }
    )


async def _checked_checkpoints(db: Database) -> tuple[list[Checkpoint], KeyChain, dict[int, datetime]]:
    """Every stored checkpoint, after its root was computed from the lines and its signature was checked."""
    ledger = SqlLedger(db)
    try:
        keys = KeyChain.of(await ledger.records(kinds=[Kind.key_added, Kind.key_rotated]), "ledger")
    except KeyChainBroken as broken:
        raise _Rejected(str(broken), broken.seq) from broken
    async with db.reading() as session:
        rows = (await session.exec(select(CheckpointTable).order_by(col(CheckpointTable.tree_size)))).all()
        checkpoints = [checkpoint_of(row) for row in rows]
        made = {row.tree_size: row.at for row in rows}
        size = checkpoints[-1].size if checkpoints else 0
        leaves: list[bytes] = []
        while len(leaves) < size:
            query = select(LedgerTable.line).where(col(LedgerTable.seq) >= len(leaves)).order_by(col(LedgerTable.seq))
            lines = (await session.exec(query.limit(min(_PAGE, size - len(leaves))))).all()
            if not lines:
                raise _Rejected(
                    f"A checkpoint covers {size} records, there are {len(leaves)}: the newest ones are missing.",
                    len(leaves),
                )
            leaves += [tree.leaf_hash(line.encode()) for line in lines]
        stored = (await session.exec(select(NodeTable.level, NodeTable.number, NodeTable.hash))).all()
    nodes = {(level, number): value for level, number, value in stored}
    await asyncio.to_thread(_all_fit, leaves, nodes, checkpoints, keys)
    return checkpoints, keys, made


def _all_fit(
    leaves: list[bytes], stored: dict[tuple[int, int], bytes], checkpoints: list[Checkpoint], keys: KeyChain
) -> None:
    nodes = tree.complete_nodes(0, leaves, _nothing_before)
    for number, leaf in enumerate(leaves):
        if stored.get((0, number)) != leaf:
            raise _Rejected(f"The tree holds another record {number} than the Ledger.", number)
    if wrong := sorted(name for name in nodes.keys() | stored.keys() if nodes.get(name) != stored.get(name)):
        raise _Rejected(f"The stored tree does not fit the records at node {wrong[0]!r}.")
    for one in checkpoints:
        try:
            said = read_checkpoint(one.note)
            if (said.size, said.root) != (one.size, one.root):
                raise NoteInvalid("its columns say something else than its note")
            if tree.root(one.size, lambda level, number: nodes[level, number]).hex() != one.root:
                raise NoteInvalid("the records have another root")
            keys.verify(one)
        except (NoteInvalid, KeyError) as error:
            raise _Rejected(f"The checkpoint of {one.size} records does not hold: {error}.") from error


def _nothing_before(level: int, number: int) -> bytes:
    raise KeyError((level, number))


async def _stamped(db: Database, settings: AnchorSettings, by_size: dict[int, Checkpoint]) -> tuple[int, list[str]]:
    """Size of the newest checkpoint with a token that holds, and what is wrong with newer ones."""
    query = (
        select(AnchorTable.tree_size, AnchorTable.place, BlobTable.content)
        .join(BlobTable, col(AnchorTable.blob_sha256) == col(BlobTable.sha256))
        .where(AnchorTable.kind == "rfc3161")
        .order_by(col(AnchorTable.tree_size).desc())
    )
    async with db.reading() as session:
        rows = (await session.exec(query.limit(20))).all()
    wrong: list[str] = []
    for size, place, token in rows:
        if place in settings.timestamps and size in by_size:
            try:
                stamped_at(token, by_size[size].note.encode(), settings.timestamps[place])
            except AnchorMisconfigured as error:
                wrong.append(f"{error}.")
                continue
            return size, wrong
    return 0, wrong


async def _witnessed(db: Database, settings: AnchorSettings, by_size: dict[int, Checkpoint]) -> tuple[int, list[str]]:
    """Size of the newest checkpoint with a cosignature of a configured witness that holds."""
    query = select(CosignatureTable).order_by(col(CosignatureTable.tree_size).desc())
    async with db.reading() as session:
        rows = (await session.exec(query.limit(20))).all()
    wrong: list[str] = []
    for row in rows:
        if row.witness in settings.witnesses and row.tree_size in by_size:
            try:
                cosigned_at(by_size[row.tree_size], row.line, settings.witnesses[row.witness].key)
            except NoteInvalid as error:
                wrong.append(f"Witness {row.witness}, {row.tree_size} records: {error}.")
                continue
            return row.tree_size, wrong
    return 0, wrong


async def _gaps(db: Database, settings: AnchorSettings) -> list[str]:
    """How long nothing outside was told, at most; that nothing is configured."""
    if not settings.any:
        return ["Not anchored: nobody outside of this database holds a checkpoint of it."]
    async with db.reading() as session:
        times = (await session.exec(select(AnchorTable.at).order_by(col(AnchorTable.at)))).all()
    if not times:
        return ["No place outside took a checkpoint yet."]
    longest = max((later - earlier for earlier, later in pairwise(times)), default=None)
    apart = "" if longest is None else f"; at most {longest.total_seconds() / 3600:.1f} hours lay between two"
    return [f"{_counted(len(times))} taken outside, the first on {times[0]:%Y-%m-%d %H:%M} UTC{apart}."]


def _counted(number: int) -> str:
    return "1 checkpoint" if number == 1 else f"{number:,} checkpoints"


def _rejected(sentence: str, seq: int | None, why: str) -> Verified:
    return Verified(word="rejected", sentence=sentence, count=seq or 0, broken_at=seq, why=why)
