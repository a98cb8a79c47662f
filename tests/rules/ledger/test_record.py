"""EVD-3…5: lines chain by hash; any change is found and named."""

from __future__ import annotations

import hashlib
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countermand.canonical import NotCanonical
from countermand.ledger.bodies import BODIES, AskRung, parse_body
from countermand.ledger.record import (
    GENESIS_PREV,
    ChainBroken,
    Entry,
    Kind,
    LineTooLong,
    build_line,
    line_hash,
    parse_line,
    verify_chain,
)

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def chain(length: int) -> list[str]:
    lines: list[str] = []
    for seq in range(length):
        body = AskRung(ask_id=f"ask-{seq}", rung=seq, do="remind", to=("safety_lead",))
        entry = body.entry(f"key-{seq}", "worker", incident_id="inc-1", release_id="r-1")
        prev = line_hash(lines[-1]) if lines else GENESIS_PREV
        lines.append(build_line(entry, seq=seq, prev=prev, at=BEGIN + timedelta(seconds=seq)))
    return lines


def test_a_whole_chain_verifies_and_says_its_head() -> None:
    lines = chain(20)
    assert verify_chain(lines) == (20, line_hash(lines[-1]))


@given(st.integers(0, 9), st.integers(0, 400), st.integers(1, 255))
def test_a_changed_byte_is_found_at_its_record_or_the_next(record: int, place: int, flip: int) -> None:
    lines = chain(11)
    raw = bytearray(lines[record].encode())
    raw[place % len(raw)] ^= flip
    lines[record] = raw.decode("utf-8", errors="replace")
    with pytest.raises(ChainBroken) as caught:
        verify_chain(lines)
    assert caught.value.seq in (record, record + 1)


@pytest.mark.parametrize("change", ["removed", "swapped", "repeated"])
def test_order_and_completeness_are_checked(change: str) -> None:
    lines = chain(10)
    match change:
        case "removed":
            del lines[4]
        case "swapped":
            lines[4], lines[5] = lines[5], lines[4]
        case "repeated":
            lines.insert(4, lines[4])
    with pytest.raises(ChainBroken) as caught:
        verify_chain(lines)
    assert caught.value.seq in (4, 5)


def test_anybody_can_check_a_link_with_sha256sum(tmp_path: Path) -> None:
    first, second = chain(2)
    (tmp_path / "line").write_text(first)
    said = subprocess.run(["sha256sum", tmp_path / "line"], capture_output=True, text=True, check=True).stdout
    assert parse_line(second).prev == said.split()[0] == hashlib.sha256(first.encode()).hexdigest()


def test_a_line_over_64_kib_and_a_float_are_refused() -> None:
    def entry(body: dict[str, object]) -> Entry:
        return Entry(kind=Kind.selfcheck, idem_key="k", actor="worker", body=body)

    with pytest.raises(LineTooLong, match="at most"):
        build_line(entry({"text": "x" * 70_000}), seq=0, prev=GENESIS_PREV, at=BEGIN)
    with pytest.raises(NotCanonical, match="/body/rate"):
        build_line(entry({"rate": 0.5}), seq=0, prev=GENESIS_PREV, at=BEGIN)


def test_every_kind_has_a_schema_and_bodies_survive_the_round_trip() -> None:
    assert set(Kind) - set(BODIES) == {Kind.genesis, Kind.selfcheck}
    body = AskRung(ask_id="a", rung=1, do="remind", to=("x",))
    line = build_line(body.entry("k", "worker"), seq=0, prev=GENESIS_PREV, at=BEGIN)
    assert parse_body(parse_line(line)) == body
