"""`backtest list|label|check|export|import` on the command line: what is sent, what is read, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from countermand.cli.exits import Exit
from countermand.learning.episode_file import IMPORTED, SUFFIX, written
from tests.rules.cli.conftest import Shell
from tests.rules.cli.fake_console import FakeConsole
from tests.rules.learning import pasts

CALM, ROWS = pasts.quiet("calm", 20)
KNOWN = {"schema": "countermand.episodes/v1", "items": [CALM.model_dump(mode="json")]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / f"calm{SUFFIX}").write_bytes(written(CALM, ROWS))
    return tmp_path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    directory.mkdir()
    return directory


def test_the_list_shows_every_episode_and_asks_for_one_service(console: FakeConsole, shell: Shell) -> None:
    console.on("GET /api/v1/episodes", (200, KNOWN))
    ran = shell("backtest", "list", "--service", "test-bot", "-o", "table")
    assert (ran.code, "calm" in ran.out, "quiet" in ran.out) == (0, True, True)
    (sent,) = console.of("GET /api/v1/episodes")
    assert sent.query == {"service": ["test-bot"]}


def test_a_label_sends_what_the_episode_was_and_the_version_that_was_seen(console: FakeConsole, shell: Shell) -> None:
    after = CALM.model_dump(mode="json") | {"kind": "near_miss", "label_version": 2}
    path = "POST /api/v1/episodes/calm/labels"
    console.on(path, (200, {"episode": after}))
    order = ("backtest", "label", "calm", "--kind", "near_miss", "--version", "2", "--note", "Close.", "-o", "table")
    ran = shell(*order, "--harm-start", "2026-03-03T00:00:05Z")
    assert (ran.code, "calm is near miss, label 2" in ran.out) == (0, True)
    (sent,) = console.of(path)
    assert sent.body == {
        "kind": "near_miss", "version": 2, "note": "Close.", "harm_start": "2026-03-03T00:00:05+00:00",
    }  # fmt: skip


def test_a_check_tells_a_good_file_from_one_with_a_changed_count(folder: Path, shell: Shell) -> None:
    good = folder / f"calm{SUFFIX}"
    bad = folder / f"bad{SUFFIX}"
    bad.write_bytes(good.read_bytes().replace(b'"bad":', b'"bad":1', 1))
    ran = shell("backtest", "check", str(good), "-o", "table")
    assert (ran.code, "calm, quiet" in ran.out) == (0, True)
    ran = shell("backtest", "check", str(good), str(bad), "-o", "table")
    assert (ran.code, "not those that the header was written for" in ran.out) == (Exit.failed, True)


def test_imported_files_are_the_same_bytes_and_may_be_imported_again(folder: Path, data: Path, shell: Shell) -> None:
    for _ in range(2):
        assert shell("backtest", "import", str(folder), "--data", str(data)).code == 0
    assert (data / IMPORTED / f"calm{SUFFIX}").read_bytes() == (folder / f"calm{SUFFIX}").read_bytes()


def test_of_a_folder_with_one_bad_file_nothing_is_imported(folder: Path, data: Path, shell: Shell) -> None:
    bad = (folder / f"calm{SUFFIX}").read_bytes().replace(b'"bad":', b'"bad":1', 1)
    (folder / f"last{SUFFIX}").write_bytes(bad)
    ran = shell("backtest", "import", str(folder), "--data", str(data))
    assert (ran.code, "not those that the header was written for" in ran.err, (data / IMPORTED).exists()) == (
        Exit.failed,
        True,
        False,
    )


def test_an_imported_episode_is_never_replaced_by_another_of_its_name(folder: Path, data: Path, shell: Shell) -> None:
    assert shell("backtest", "import", str(folder), "--data", str(data)).code == 0
    kept = (data / IMPORTED / f"calm{SUFFIX}").read_bytes()
    (folder / f"calm{SUFFIX}").write_bytes(written(CALM.model_copy(update={"note": "Changed."}), ROWS))
    ran = shell("backtest", "import", str(folder), "--data", str(data))
    assert (ran.code, "of the same name" in ran.err) == (Exit.failed, True)
    assert (data / IMPORTED / f"calm{SUFFIX}").read_bytes() == kept


def test_there_is_no_import_into_a_directory_that_is_not_there(folder: Path, shell: Shell) -> None:
    ran = shell("backtest", "import", str(folder), "--data", str(folder / "nowhere"))
    assert (ran.code, "there is no directory" in ran.err) == (Exit.usage, True)
