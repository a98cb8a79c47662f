"""Verification of an exported ledger without any console (EVD-28)."""

from __future__ import annotations

from pathlib import Path

from countermand.cli.exits import Exit, Failure
from countermand.cli.output import JsonObject


def offline(file: Path, checkpoint: Path | None, log_vkey: Path | None) -> JsonObject:
    """The answer of the same form as the console's. With both other files the word may be `anchored`.

    Raises Failure when a file cannot be read, or holds no checkpoint or key.
    """
    from countermand.ledger import tree
    from countermand.ledger.note_reading import NoteInvalid, read_checkpoint, read_vkey, verify_note
    from countermand.ledger.record import ChainBroken, verify_chain

    lines = _read(file, "a records.jsonl file").removesuffix("\n").split("\n")
    try:
        count, head = verify_chain(lines)
    except ChainBroken as error:
        return _rejected(error.seq, error.seq, error.why)
    answer: JsonObject = {
        **{"ok": True, "word": "internally consistent", "count": count, "head": head, "broken_at": None, "why": None},
        **{"size": 0, "uncovered": count, "keys": "from the ledger"},
        "notes": ["Only the chain was checked: give --checkpoint and --log-vkey for more."],
    }
    if checkpoint is None or log_vkey is None:
        return answer
    try:
        signed = read_checkpoint(_read(checkpoint, "a checkpoint"))
        key = read_vkey(_read(log_vkey, "a key line"))
    except NoteInvalid as error:
        raise Failure(Exit.usage, str(error), accepted="a signed checkpoint and the ledger's key line") from None
    try:
        verify_note(signed.note, key)
    except NoteInvalid as error:
        return _rejected(count, None, f"{error}; the checkpoint is not of this ledger")
    if key.name != signed.origin:
        return _rejected(count, None, f"the key is of {key.name!r}, the checkpoint of {signed.origin!r}")
    if signed.size > count:
        return _rejected(count, count, f"the checkpoint covers {signed.size} records; the newest are missing")
    leaves = [tree.leaf_hash(line.encode()) for line in lines[: signed.size]]
    nodes = tree.complete_nodes(0, leaves, lambda level, number: nodes[level, number])
    if tree.root(signed.size, lambda level, number: nodes[level, number]).hex() != signed.root:
        return _rejected(count, None, f"the first {signed.size} records have another root than the checkpoint")
    return answer | {
        "word": "anchored",
        "size": signed.size,
        "uncovered": count - signed.size,
        "keys": "pinned",
        "notes": ["The word rests on you: both files must come from elsewhere, not with the export."],
    }


def _read(file: Path, accepted: str) -> str:
    try:
        # Not read_text: it would turn carriage returns inside of a line into newlines.
        return file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(Exit.usage, f"{str(file)!r} cannot be read ({error})", accepted=accepted) from None


def _rejected(count: int, seq: int | None, why: str) -> JsonObject:
    return {
        **{"ok": False, "word": "rejected", "count": count, "head": None, "broken_at": seq, "why": why},
        **{"size": 0, "uncovered": 0, "keys": "from the ledger", "notes": []},
    }
