"""Whatever bytes stand in a pack, the verifier answers with the place and never falls over (evidence.md §10)."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pymerkle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countermand.evidence import verify as v
from countermand.evidence.container import zip_bytes
from countermand.ledger import tree
from tests.rules.evidence import packs
from tests.rules.evidence.ledgers import a_ledger

EXAMPLES = 100_000 if os.environ.get("COUNTERMAND_FULL") else 60
few = settings(max_examples=EXAMPLES, deadline=None)
BOOK = a_ledger(40)
FILES = packs.a_pack(BOOK)
HASHES = st.lists(st.binary(min_size=32, max_size=32), max_size=8)


@few
@given(st.sampled_from(sorted(FILES)), st.binary(max_size=120), st.integers(0, 4_000))
def test_any_bytes_in_any_file_are_rejected_and_not_a_crash(path: str, junk: bytes, at: int) -> None:
    files = dict(FILES)
    files[path] = files[path][: at % (len(files[path]) + 1)] + junk
    report = packs.judged(files)
    assert (report.verdict == v.REJECTED) is (files != FILES)


@few
@given(st.binary(max_size=300), st.sampled_from([b"", b"PK\x03\x04", zip_bytes({"a": b"x"})]))
def test_any_bytes_as_a_container_are_rejected_and_not_a_crash(junk: bytes, head: bytes) -> None:
    if (raw := head + junk) not in (zip_bytes({}), zip_bytes({"a": b"x"})):
        with pytest.raises(v.Bad):
            v.unzip(raw)


@few
@given(st.text(max_size=120) | st.from_regex(r"o\n[0-9]{1,3}\n[A-Za-z0-9+/=]{0,50}\n\n(— o [A-Za-z0-9+/=]{0,20}\n)*"))
def test_any_text_as_a_checkpoint_is_rejected_or_one_of_three_lines(text: str) -> None:
    try:
        note = v.note(text.encode(), "n")
    except v.Bad:
        return
    assert text.encode().startswith(note.text)
    assert (note.text.count(b"\n"), len(note.root), len(note.signatures) > 0) == (3, 32, True)


@few
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda x: st.lists(x, max_size=3)))
def test_json_of_any_shape_in_place_of_a_record_is_rejected(value: object) -> None:
    raw = v.canonical(value) if not _lone(value) else b"{"
    with pytest.raises(v.Bad):
        v.record(raw, "r")


def _lone(value: object) -> bool:
    try:
        v.canonical(value)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize(
    "line", [b'{"a":1.5}', b'{"a":NaN}', b'{"a":1,"a":2}', b'{"A":1}', b'{ "a":1}', b'"\\ud800"', b"[" * 9_000, b"\xff"]
)
def test_a_line_with_a_second_reading_is_not_canonical(line: bytes) -> None:
    with pytest.raises(v.Bad, match="canonical"):
        v.canonical_json(line, "r")


@few
@given(st.integers(1, 70), st.integers(0, 69), HASHES)
def test_an_inclusion_proof_leads_to_the_root_only_when_it_is_the_right_one(
    size: int, index: int, junk: list[bytes]
) -> None:
    lines = [str(number) for number in range(size)]
    node = packs.nodes(lines)
    root, index = tree.root(size, node), index % size
    path = list(tree.inclusion(index, size, node))
    leaf = tree.leaf_hash(lines[index].encode())
    assert v.root_by_inclusion(leaf, index, size, path) == root
    if junk != path:
        assert _led_to(lambda: v.root_by_inclusion(leaf, index, size, junk)) != root


@few
@given(st.integers(1, 70), st.integers(1, 70), HASHES)
def test_a_consistency_proof_leads_to_both_roots_only_when_it_is_the_right_one(
    a: int, b: int, junk: list[bytes]
) -> None:
    old, new = sorted((a, b))
    node = packs.nodes([str(number) for number in range(new)])
    roots = tree.root(old, node), tree.root(new, node)
    proof = list(tree.consistency(old, new, node))
    assert v.roots_by_consistency(old, new, roots[0], proof) == roots
    if junk != proof:
        assert _led_to(lambda: v.roots_by_consistency(old, new, roots[0], junk)) != roots


def _led_to(proof: Callable[[], object]) -> object:
    """What a proof leads to; None when its length is wrong."""
    try:
        return proof()
    except ValueError:
        return None


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 33, 100])
def test_roots_and_paths_equal_those_of_pymerkle(size: int) -> None:
    lines = [f"line {number}".encode() for number in range(size)]
    other = pymerkle.InmemoryTree(algorithm="sha256")
    for line in lines:
        other.append_entry(line)
    leaves = b"".join(tree.leaf_hash(line) for line in lines)
    assert v.tree_root(leaves, size) == other.get_root()
    theirs = other.prove_inclusion(size, size).serialize()["path"][1:]
    node = packs.nodes([line.decode() for line in lines])
    assert [one.hex() for one in tree.inclusion(size - 1, size, node)] == theirs
    path = [bytes.fromhex(one) for one in theirs]
    assert v.root_by_inclusion(tree.leaf_hash(lines[-1]), size - 1, size, path) == other.get_root()


def test_the_container_is_a_zip_that_other_tools_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(zip_bytes(FILES))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == FILES
        assert archive.namelist() == sorted(FILES)


def test_a_folder_verifies_like_its_container_and_a_link_in_it_does_not(tmp_path: Path) -> None:
    for path, raw in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(raw)
    assert v.read_pack(tmp_path) == FILES
    (tmp_path / "SUMMARY.html").unlink()
    (tmp_path / "SUMMARY.html").symlink_to("/etc/hostname")
    with pytest.raises(v.Bad, match="link"):
        v.read_pack(tmp_path)


@pytest.mark.parametrize("cell", ["=cmd()", "+1", "-1", "@x", "\tx"])
def test_a_cell_that_a_spreadsheet_would_run_is_refused(cell: str) -> None:
    with pytest.raises(v.Bad, match="spreadsheet"):
        v.check_names({"a.csv": f'a,"{cell}"\n'.encode()})


def test_a_file_named_by_a_digest_has_it() -> None:
    v.check_names({f"views/{v.sha256(b'x')}.json": b"x"})
    with pytest.raises(v.Bad, match="named after"):
        v.check_names({f"views/{v.sha256(b'x')}": b"y"})


def test_the_same_ledger_gives_the_same_bytes() -> None:
    assert zip_bytes(packs.a_pack(a_ledger(40))) == zip_bytes(FILES)
