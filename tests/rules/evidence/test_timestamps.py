"""A timestamp counts when the reviewer's own authority made it over the checkpoint of the seal."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from countermand.canonical import canonical
from countermand.evidence import verify as v
from countermand.ledger.note import vkey
from tests.rules.evidence import packs
from tests.rules.evidence.ledgers import ORIGIN, Book, a_ledger

CONFIGURATION = """
[tsa]
default_tsa = one
[one]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
ess_cert_id_chain = no
"""


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


def an_authority(folder: Path) -> Path:
    """A certificate that may only set timestamps; returns where it is."""
    folder.mkdir()
    (folder / "tsa.cnf").write_text(CONFIGURATION)
    openssl(
        folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.pem", "-days", "30",
        "-subj", "/CN=time", "-addext", "extendedKeyUsage=critical,timeStamping",
    )  # fmt: skip
    return folder / "tsa.pem"


def stamped(book: Book, files: dict[str, bytes], folder: Path) -> dict[str, bytes]:
    """The pack with a timestamp in its seal."""
    (folder / "data").write_bytes(files["seal/checkpoint.log"])
    openssl(folder, "ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "tsq")
    openssl(folder, "ts", "-reply", "-config", "tsa.cnf", "-section", "one", "-queryfile", "tsq", "-out", "tsr")
    raw = (folder / "tsr").read_bytes()
    listing = v.canonical_json(files["seal/index.json"], "seal/index.json")
    entry = {"path": v.TIMESTAMP, "size": len(raw), "sha256": v.sha256(raw)}
    listing["files"] = sorted([*listing["files"], entry], key=lambda one: str(one["path"]))
    index = canonical(listing)
    return files | {v.TIMESTAMP: raw, "seal/index.json": index, "seal/index.json.sig": book.log.sign(index)}


def test_a_timestamp_anchors_under_the_reviewers_authority_and_under_no_other(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("not here: openssl")
    book = a_ledger()
    line, plain = vkey(ORIGIN, book.log.public), packs.a_pack(book)
    authority, other = an_authority(tmp_path / "a"), an_authority(tmp_path / "b")
    files = stamped(book, plain, tmp_path / "a")
    report = packs.judged(files, log_vkey=line, authority=authority)
    assert report.verdict == v.ANCHORED, str(report.first_bad)
    assert any(one.startswith("timestamp: ") and one.endswith("GMT") for one in report.lines)
    assert packs.judged(files, authority=authority).verdict == v.CONSISTENT, "the log key came with the pack"
    wrong = packs.judged(files, log_vkey=line, authority=other)
    assert (wrong.verdict, wrong.first_bad and wrong.first_bad.file) == (v.REJECTED, v.TIMESTAMP)
    missing = packs.judged(plain, log_vkey=line, authority=authority)
    assert (missing.verdict, "the pack has no timestamp" in missing.lines) == (v.CONSISTENT, True)
