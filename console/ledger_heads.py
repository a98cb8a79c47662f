"""How far the Ledger is signed, and who outside holds that: for its pages and the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adapters.anchor_settings import anchor_settings
from adapters.anchors import AnchorStore
from adapters.settings import SettingsInvalid
from console.deps import Console
from countermand.ledger import tree
from countermand.ledger.key_chain import KeyChain
from countermand.ledger.note import Checkpoint
from countermand.ledger.note_reading import NoteInvalid
from countermand.ledger.record import Kind, Record

HeadWord = Literal["anchored_outside", "not_anchored", "forked"]

_KINDS = {"folder": "folder", "witness": "witness", "rfc3161": "timestamp authority"}


@dataclass(frozen=True)
class HeadView:
    """The newest checkpoint. word: `anchored_outside`, `not_anchored` or `forked`; sentence: who holds how much."""

    checkpoint: Checkpoint | None
    uncovered: int
    word: HeadWord
    sentence: str


@dataclass(frozen=True)
class ProofView:
    """That a record is under a signed head: its path to the root, nearest sibling first. held: who outside has it."""

    checkpoint: Checkpoint
    leaf: str
    path: tuple[str, ...]
    holds: bool
    held: tuple[str, ...]


async def head_view(deps: Console) -> HeadView:
    """What is signed and anchored now; nothing is made for it."""
    checkpoints = deps.checkpoints
    newest = await checkpoints.newest()
    uncovered = await checkpoints.uncovered(newest.size if newest else 0)
    if said := await checkpoints.forked():
        return HeadView(newest, uncovered, "forked", f"{said} No evidence is sealed until that is resolved.")
    sizes = await _outside(deps)
    if not sizes:
        why = "nobody outside of this database holds a checkpoint, so an administrator could rewrite all of it unseen"
        return HeadView(newest, uncovered, "not_anchored", f"Not anchored: {why}.")
    held = ", ".join(f"{who} ({size:,} records)" for who, size in sizes.items())
    return HeadView(newest, uncovered, "anchored_outside", f"Held outside by {held}.")


async def proof_view(deps: Console, record: Record) -> ProofView | None:
    """The proof under the smallest checkpoint that covers the record; None while no checkpoint covers it."""
    checkpoint = await deps.checkpoints.covering(record.seq + 1)
    if checkpoint is None:
        return None
    path = await deps.checkpoints.inclusion(record.seq, checkpoint.size)
    leaf = tree.leaf_hash(record.line.encode())
    root = tree.root_from_inclusion(leaf, record.seq, checkpoint.size, path)
    keys = KeyChain.of(await deps.ledger.records(kinds=[Kind.key_added, Kind.key_rotated]), "ledger")
    try:
        keys.verify(checkpoint)
        holds = root.hex() == checkpoint.root
    except NoteInvalid:
        holds = False
    return ProofView(
        checkpoint=checkpoint,
        leaf=leaf.hex(),
        path=tuple(one.hex() for one in path),
        holds=holds,
        held=tuple(who for who, size in (await _outside(deps)).items() if size > record.seq),
    )


async def _outside(deps: Console) -> dict[str, int]:
    """By place that is configured: size of the newest checkpoint it took."""
    try:
        settings = anchor_settings(deps.settings.anchors)
    except SettingsInvalid:
        return {}
    store = AnchorStore(deps.database)
    found = {}
    for kind, name in settings.places:
        if size := await store.anchored(kind, name):
            found[f"{_KINDS[kind]} {name}"] = size
    return found
