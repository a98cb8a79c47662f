"""`ledger verify`: the same code over an exported file as over the console's database; exit 7 names the record."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from countermand.ledger import tree
from countermand.ledger.note import signed_checkpoint, vkey
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
    assert ended.out.startswith(f"✓ internally consistent: 4 records, unbroken; head {line_hash(lines[-1])}\n")


def signed(lines: list[str]) -> tuple[str, str]:
    """(checkpoint, key line) of somebody who holds the ledger's key."""
    key = SoftSigner()
    leaves = [tree.leaf_hash(line.encode()) for line in lines]
    nodes = tree.complete_nodes(0, leaves, lambda *_: b"")
    root = tree.root(len(lines), lambda level, number: nodes[level, number])
    return signed_checkpoint("countermand/t/1", len(lines), root, key).note, vkey("countermand/t/1", key.public)


class SoftSigner:
    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (lambda lines, note, key: (lines, note, key), 0, "✓ anchored: 4 records"),
        (lambda lines, note, key: (lines[:-1], note, key), 7, "covers 4 records; the newest are missing"),
        (lambda lines, note, _: (lines, note, signed(lines)[1]), 7, "did not sign"),
        (lambda lines, _, key: (lines, signed(lines[:2])[0], key), 7, "did not sign"),
        (lambda lines, note, key: (lines, note.replace("\n4\n", "\n3\n"), key), 7, "does not hold"),
        (lambda lines, _, key: (lines, "x", key), 2, "no checkpoint"),
        (lambda lines, note, _: (lines, note, "x"), 2, "no key line"),
    ],
    ids=["all fits", "a cut tail", "another key", "another signature", "another size", "no checkpoint", "no key"],
)
def test_a_file_is_anchored_only_by_a_checkpoint_and_a_key_from_elsewhere(
    shell: Shell, tmp_path: Path, lines: list[str], change: Any, code: int, says: str
) -> None:
    changed, note, key = change(lines, *signed(lines))
    for name, text in {"r": "".join(f"{line}\n" for line in changed), "c": note, "k": key}.items():
        (tmp_path / name).write_text(text, newline="\n")
    files = (str(tmp_path / "r"), "--checkpoint", str(tmp_path / "c"), "--log-vkey", str(tmp_path / "k"))
    ended = shell("ledger", "verify", "--file", *files)
    assert ended.code == code
    assert says in ended.out + ended.err


def test_a_checkpoint_without_a_key_of_your_own_is_refused(shell: Shell, tmp_path: Path) -> None:
    assert shell("ledger", "verify", "--file", "r", "--checkpoint", "c").code == 2
    assert shell("ledger", "verify", "--log-vkey", "k").code == 2


def test_a_proof_is_written_as_other_tools_read_it(
    console: FakeConsole, shell: Shell, tmp_path: Path, lines: list[str]
) -> None:
    note, key = signed(lines)
    body = {"seq": 2, "line": lines[2], "path": ["aGFzaA=="], "size": 4, "checkpoint": note, "cosignatures": ["— w x"]}
    console.on("GET /api/v1/ledger/proofs", (200, body))
    console.on("GET /api/v1/ledger/checkpoints", (200, {"log_vkey": key}))
    assert shell("ledger", "prove", "2", "--out", str(tmp_path / "p")).code == 0
    proof = (tmp_path / "p" / "record-2.json.tlog-proof").read_text()
    assert proof == f"c2sp.org/tlog-proof@v1\nindex 2\naGFzaA==\n\n{note}— w x\n"
    assert (tmp_path / "p" / "record-2.json").read_text() == lines[2]
    assert (tmp_path / "p" / "log.vkey").read_text() == f"{key}\n"


def test_the_newest_checkpoint_is_printed_as_it_is(console: FakeConsole, shell: Shell, lines: list[str]) -> None:
    note, _ = signed(lines)
    newest = {"checkpoint": note, "cosignatures": []}
    console.on("GET /api/v1/ledger/checkpoints", (200, {"newest": newest}), (200, {"newest": None}))
    assert shell("ledger", "checkpoint").out == note
    assert shell("ledger", "checkpoint").code == 5


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
    console.on("GET /api/v1/ledger/checkpoints", (200, {"head": 3}))
    console.on("GET /api/v1/ledger/records", (200, {"items": items(lines)[2:], "next_after": 3}))
    out = shell("ledger", "tail", "-n", "2").out.splitlines()
    assert [line.split("\t")[0] for line in out] == ["SEQ", "2", "3"]
    assert console.of("GET /api/v1/ledger/records")[0].query["after"] == ["1"]
