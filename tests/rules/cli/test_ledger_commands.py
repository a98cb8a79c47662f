"""`ledger verify`: the same code over an exported file as over the console's database; exit 7 names the record."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from countermand.ledger.record import GENESIS_PREV, Entry, Kind, build_line, line_hash
from tests.rules.cli.conftest import Shell
from tests.rules.cli.fake_console import FakeConsole


@pytest.fixture
def lines() -> list[str]:
    made: list[str] = []
    prev = GENESIS_PREV
    for seq in range(4):
        entry = Entry(kind=Kind.genesis, idem_key=f"k{seq}", actor="worker", body={"text": "a\u2028b"})
        made.append(build_line(entry, seq=seq, prev=prev, at=datetime(2026, 3, 1, tzinfo=UTC)))
        prev = line_hash(made[-1])
    return made


def items(lines: list[str]) -> list[dict[str, Any]]:
    parsed = [json.loads(line) for line in lines]
    return [
        {**{key: record[key] for key in ("seq", "at", "kind", "actor", "incident_id")}, "line": line, "hash": "ab"}
        for record, line in zip(parsed, lines, strict=True)
    ]


def test_an_exported_file_verifies_and_names_its_head(shell: Shell, tmp_path: Path, lines: list[str]) -> None:
    file = tmp_path / "records.jsonl"
    file.write_text("".join(f"{line}\n" for line in lines), newline="\n")
    ended = shell("ledger", "verify", "--file", str(file))
    assert ended.code == 0
    assert ended.out == f"✓ 4 records, unbroken; head {line_hash(lines[-1])}\n"


@pytest.mark.parametrize(
    ("change", "seq"),
    [
        (lambda lines: [lines[0], lines[1].replace("worker", "nobody"), *lines[2:]], 2),
        (lambda lines: [lines[0], *lines[2:]], 1),
        (lambda lines: [lines[0], " " + lines[1], *lines[2:]], 1),
    ],
    ids=["a changed record", "a missing record", "a space"],
)
def test_a_tampered_file_is_exit_7_with_the_first_bad_record(
    shell: Shell, tmp_path: Path, lines: list[str], change: Any, seq: int
) -> None:
    file = tmp_path / "records.jsonl"
    file.write_text("".join(f"{line}\n" for line in change(lines)), newline="\n")
    ended = shell("ledger", "verify", "--file", str(file))
    assert ended.code == 7
    assert f"record {seq}:" in ended.err


def test_a_broken_ledger_at_the_console_is_exit_7(console: FakeConsole, shell: Shell) -> None:
    body = {"ok": False, "count": 17, "head": None, "broken_at": 17, "why": "prev is wrong"}
    console.on("GET /api/v1/ledger/verify", (200, body))
    ended = shell("ledger", "verify", "-o", "json")
    assert ended.code == 7
    assert json.loads(ended.out) == body
    assert "record 17: prev is wrong" in ended.err


def test_export_writes_the_exact_lines_and_never_overwrites(
    console: FakeConsole, shell: Shell, tmp_path: Path, lines: list[str]
) -> None:
    console.on("GET /api/v1/ledger/records", (200, {"items": items(lines), "next_after": 3}))
    file = tmp_path / "records.jsonl"
    assert shell("ledger", "export", str(file)).code == 0
    assert file.read_bytes() == "".join(f"{line}\n" for line in lines).encode()
    assert shell("ledger", "verify", "--file", str(file)).code == 0
    assert shell("ledger", "export", str(file)).code == 2


def test_an_export_that_breaks_off_leaves_no_file(console: FakeConsole, shell: Shell, tmp_path: Path) -> None:
    console.on("GET /api/v1/ledger/records", (503, {"code": "store_unavailable", "detail": "try later"}))
    file = tmp_path / "records.jsonl"
    assert shell("ledger", "export", str(file)).code == 6
    assert not file.exists()


def test_tail_shows_the_newest_records(console: FakeConsole, shell: Shell, lines: list[str]) -> None:
    console.on("GET /api/v1/ledger/verify", (200, {"count": 4}))
    console.on("GET /api/v1/ledger/records", (200, {"items": items(lines)[2:], "next_after": 3}))
    out = shell("ledger", "tail", "-n", "2").out.splitlines()
    assert [line.split("\t")[0] for line in out] == ["SEQ", "2", "3"]
    assert console.of("GET /api/v1/ledger/records")[0].query["after"] == ["1"]
