"""Files that are changed whole: nobody reads half, nobody overwrites what came in between, nothing is left over."""

from __future__ import annotations

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from activities.ports import TargetRejected, TargetUnavailable
from adapters import target_file
from adapters.target_file import read_file, replace_file, require_writable
from adapters.target_http import Lost


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.json"
    path.write_text("0")
    path.chmod(0o640)
    return path


def test_a_file_is_replaced_by_rename_and_keeps_its_mode(file: Path) -> None:
    before = file.stat()
    assert replace_file(file, lambda text: text + b"1")
    assert (file.read_text(), file.stat().st_mode) == ("01", before.st_mode)
    assert file.stat().st_ino != before.st_ino


def test_writers_take_turns_and_no_write_is_lost(file: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: replace_file(file, lambda text: str(int(text) + 1).encode()), range(40)))
    assert file.read_text() == "40"


def test_an_edit_that_gives_nothing_leaves_the_file_as_it_is(file: Path) -> None:
    before = file.stat()
    assert not replace_file(file, lambda _: None)
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_an_edit_that_raises_leaves_the_file_and_the_lock_free(file: Path) -> None:
    def refuse(_: bytes) -> bytes:
        raise TargetRejected("no")

    with pytest.raises(TargetRejected, match="no"):
        replace_file(file, refuse)
    assert replace_file(file, lambda _: b"again")


def test_a_lock_that_is_not_given_back_makes_the_file_unavailable(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_file, "_LOCK_SECONDS", 0.1)
    other = os.open(file.with_name(".weights.json.lock"), os.O_RDWR | os.O_CREAT)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(TargetUnavailable, match="another writer"):
        replace_file(file, lambda _: b"late")
    os.close(other)
    assert file.read_text() == "0"


def test_a_disk_that_fails_in_the_middle_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TargetUnavailable, match="No space left on device"):
        replace_file(file, lambda _: b"half")
    assert file.read_text() == "0"


def test_tgt16_the_right_to_write_is_proved_without_touching_the_file(file: Path) -> None:
    before = file.stat()
    require_writable(file)
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert [path.name for path in file.parent.iterdir() if path.name.endswith(".new")] == []


@pytest.mark.parametrize("place", ["nowhere/weights.json", "weights.json/weights.json"])
def test_c16_a_place_that_cannot_be_written_is_rejected_by_name(file: Path, place: str) -> None:
    with pytest.raises(TargetRejected, match="cannot be written"):
        require_writable(file.parent / place)
    with pytest.raises(TargetRejected, match="cannot be read"):
        read_file(file.parent / place)


def test_c9_a_rename_that_may_not_survive_a_crash_is_not_called_done(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def fails_on_folders(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(5, "Input/output error")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fails_on_folders)
    with pytest.raises(Lost, match="may be lost at a crash"):
        replace_file(file, lambda _: b"new")
    assert file.read_text() == "new"
