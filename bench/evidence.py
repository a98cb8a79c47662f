"""A pack of 10,000 records and 1,000 signed decisions under `verify.py`, beside the same bytes only hashed."""

from __future__ import annotations

import hashlib
import time

from countermand.evidence.verify import Anchors, verify
from tests import cases
from tests.rules.evidence import packs
from tests.rules.evidence.ledgers import Book, noise, rollback

RECORDS = 10_000


def measured() -> list[tuple[str, str, str, str]]:
    """One row for the table of `make bench`. Raises RuntimeError when the pack does not verify."""
    book = Book()
    rollback(book)
    while book.seq < RECORDS:
        if book.seq % 10:
            noise(book, book.seq + 1)
        else:
            book.decide(cases.MARIA, "Maria Keller", ("safety_lead",))
    files = packs.a_pack(book)
    began = time.perf_counter()
    report = verify(files, Anchors(), packs.NOW)
    ours = time.perf_counter() - began
    if report.first_bad is not None:
        raise RuntimeError(str(report.first_bad))
    began = time.perf_counter()
    for raw in files.values():
        hashlib.sha256(raw).digest()
    floor = time.perf_counter() - began
    return [
        (
            f"verify a pack of {RECORDS:,} records, 1,000 decisions",
            f"{ours:.1f} s",
            f"only hash its files: {floor * 1e3:.0f} ms",
            f"{ours / floor:.0f} ×",
        )
    ]
