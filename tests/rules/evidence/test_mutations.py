"""Whatever is changed in a pack is found, and named (EVD-17, EVD-23; evidence.md §10)."""

from __future__ import annotations

import os
from collections import Counter
from functools import cache
from typing import Literal

import pytest

from countermand.evidence.verify import CONSISTENT, REJECTED, Anchors, Bad, Report, unzip, verify, zip_bytes
from countermand.ledger.note import vkey
from tests.rules.evidence import packs
from tests.rules.evidence.ledgers import ORIGIN, Book, Key, a_ledger
from tests.rules.evidence.mutations import MUTATIONS, WITNESS, mutated

FULL = bool(os.environ.get("COUNTERMAND_FULL"))
SEEDS, REBUILDS = (1_000, 1_000) if FULL else (150, 30)
Kind = Literal["period", "incident"]
Profile = Literal["full", "redacted"]
SHAPES: tuple[tuple[Kind, Profile], ...] = (
    ("period", "full"),
    ("period", "redacted"),
    ("incident", "full"),
    ("incident", "redacted"),
)


@cache
def made(shape: int) -> tuple[Book, dict[str, bytes]]:
    book = a_ledger()
    kind, profile = SHAPES[shape % len(SHAPES)]
    return book, packs.a_pack(book, kind, profile, witnesses=[WITNESS])


def read(raw: bytes, book: Book) -> Report:
    """What a reviewer who holds the ledger's key and a witness's is told about a container."""
    anchors = Anchors(log_vkey=vkey(ORIGIN, book.log.public), witnesses=(packs.witness_vkey(WITNESS),))
    try:
        return verify(unzip(raw), anchors, packs.NOW)
    except Bad as bad:
        return Report(REJECTED, bad)


@pytest.mark.timeout(1_800)
def test_every_change_is_rejected_and_names_the_first_bad_place() -> None:
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        book, files = made(seed)
        name, raw = mutated(seed, book, files)
        report = read(raw, book)
        assert report.verdict == REJECTED, f"seed {seed}: {name} was not found"
        assert report.first_bad is not None
        assert report.first_bad.file, f"seed {seed}: {name} has no place"
        assert report.first_bad.sentence, f"seed {seed}: {name} has no sentence"
        seen[name] += 1
    assert len(seen) == len(set(MUTATIONS)), f"kinds of change that never came up: {seen}"


@pytest.mark.timeout(900)
def test_what_is_not_changed_is_never_rejected() -> None:
    for number in range(REBUILDS):
        kind, profile = SHAPES[number % len(SHAPES)]
        book = a_ledger(40 + number % 50)
        raw = zip_bytes(packs.a_pack(book, kind, profile, witnesses=[WITNESS]))
        report = read(raw, book)
        assert (report.verdict, report.findings) == ("witnessed", []), str(report.first_bad)


def test_a_pack_that_its_key_holder_made_anew_is_consistent_with_itself_and_no_more() -> None:
    """The honest answer to whoever holds nothing of their own."""
    report = packs.judged(packs.a_pack(a_ledger(log=Key("lg", "attacker"), stages=1)))
    assert report.verdict == CONSISTENT
    assert "keys: from the pack" in report.lines


def test_the_place_of_a_changed_record_is_its_file_its_number_and_its_pointer() -> None:
    book, files = made(0)
    lines = files["reveals.jsonl"].replace(b"says Maria", b"says Marie")
    own = {path: raw for path, raw in files.items() if not path.startswith("seal/")} | {"reveals.jsonl": lines}
    listed = {
        path: raw for path, raw in own.items() if path in files and "manifest" not in path and "attest" not in path
    }
    scope = packs.manifest.Scope(kind="period", incident_id=None, first_seq=0, last_seq=book.seq - 1)
    raw = packs.manifest.build(
        listed, scope=scope, profile="full", checkpoint=packs.checkpoint(book, book.seq),
        log_vkey=vkey(ORIGIN, book.log.public),
    )  # fmt: skip
    bad = packs.judged(packs.finished(book, listed, raw, book.log)).first_bad
    assert bad is not None
    assert (bad.file, bad.pointer) == ("reveals.jsonl", "/decision/reason")
    assert str(bad) == f"reveals.jsonl, record {bad.seq}, /decision/reason: this is not what the record commits to"
