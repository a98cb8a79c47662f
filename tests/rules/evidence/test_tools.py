"""Other people's tools say of a pack what `verify.py` says; what is not installed is skipped, and seen to be."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from countermand.evidence.verify import CONSISTENT, zip_bytes
from scripts import verify_pack
from tests.rules.evidence import packs
from tests.rules.evidence.ledgers import a_ledger

FILES = packs.a_pack(a_ledger())
Files = dict[str, bytes]


def unpacked(files: Files, folder: Path) -> Path:
    for path, raw in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(raw)
    return folder


def script(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "verify.sh"], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def needs(*tools: str) -> None:
    if missing := [tool for tool in tools if shutil.which(tool) is None]:
        pytest.skip(f"not here: {', '.join(missing)}")


def test_the_script_of_the_pack_accepts_it_and_names_what_it_did_not_run(tmp_path: Path) -> None:
    needs("sha256sum", "openssl", "ssh-keygen")
    answer = script(unpacked(FILES, tmp_path))
    assert answer.returncode == 0, answer.stdout
    assert answer.stdout.count("ok ") == 6
    for tool in ("cosign", "spicy-torchwood"):
        assert (f"not run: {tool} is not here" in answer.stdout) is (shutil.which(tool) is None)


def bent(path: str) -> Callable[[Files], Files]:
    return lambda files: files | {path: files[path][:-1] + bytes([files[path][-1] ^ 1])}


@pytest.mark.parametrize(
    ("path", "tool"),
    [
        ("SUMMARY.html", "REJECTED sha256sum"),
        ("manifest.json.sig", "REJECTED openssl: the ledger key signed the list"),
        ("seal/index.json.sig", "REJECTED openssl: the ledger key signed the seal"),
        ("manifest.json", "REJECTED ssh-keygen"),
    ],
)
def test_the_script_of_the_pack_rejects_a_changed_one(path: str, tool: str, tmp_path: Path) -> None:
    needs("sha256sum", "openssl", "ssh-keygen")
    answer = script(unpacked(bent(path)(FILES), tmp_path))
    assert answer.returncode == 1
    assert tool in answer.stdout


def test_the_script_of_the_pack_rejects_a_decision_that_nobody_signed(tmp_path: Path) -> None:
    needs("sha256sum", "openssl")
    path = next(path for path in FILES if path.startswith("decisions/") and path.endswith(".sig"))
    answer = script(unpacked(bent(path)(FILES), tmp_path))
    assert f"REJECTED openssl: the gateway signed {path.replace('.sig', '.json')}" in answer.stdout


def test_a_stranger_verifies_it_in_an_empty_folder_without_environment_and_outside_of_ours(tmp_path: Path) -> None:
    pack = tmp_path / "pack.zip"
    pack.write_bytes(zip_bytes(FILES))
    _, verdict, _ = verify_pack.stranger(pack, tmp_path)
    assert verdict == CONSISTENT


def test_every_tool_that_is_here_accepts_a_pack_and_one_rejects_a_changed_one(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.zip", tmp_path / "bad.zip"
    good.write_bytes(zip_bytes(FILES))
    bad.write_bytes(zip_bytes(bent("attestation.sigstore.json")(FILES)))
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    verdicts = [verdict for _, verdict, _ in verify_pack.judged(good, tmp_path / "a")]
    assert all(one in (CONSISTENT, "accepted") or one.startswith("not run") for one in verdicts), verdicts
    assert any(verdict.startswith("rejected") for _, verdict, _ in verify_pack.judged(bad, tmp_path / "b"))


def test_another_library_makes_the_same_root_of_all_records_and_says_when_it_cannot() -> None:
    assert verify_pack.pymerkle(FILES)[1] == "accepted"
    changed = FILES | {"ledger/records.jsonl": FILES["ledger/records.jsonl"].replace(b"worker", b"nobody", 1)}
    assert verify_pack.pymerkle(changed)[1] == "rejected"
    incident = verify_pack.pymerkle(packs.a_pack(a_ledger(), "incident"))[1]
    assert incident.startswith("not run: ")
    assert incident.endswith(" of 60 records are in this pack")


def test_the_verifier_imports_nothing_but_the_standard_library() -> None:
    source = (Path(packs.__file__).parents[3] / "countermand" / "evidence" / "verify.py").read_text(encoding="utf-8")
    imported = [line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))]
    assert set(imported) <= set(sys.stdlib_module_names)
