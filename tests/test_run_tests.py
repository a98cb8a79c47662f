"""`make test` repeats what fails on a crowded machine, and nothing else gets through."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "scripts" / "run_tests.py"
FALLS_ONCE = """
from pathlib import Path
def test_falls_once():
    seen = Path("seen")
    if not seen.exists():
        seen.touch()
        raise AssertionError
def test_stands():
    with Path("runs").open("a") as runs:
        runs.write("x")
"""


def run(
    place: Path, source: str, side_by_side: tuple[str, ...] = ("-p", "no:xdist")
) -> subprocess.CompletedProcess[str]:
    (place / "test_it.py").write_text(source)
    command = [sys.executable, str(SCRIPT), "-q", *side_by_side, "test_it.py"]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)


def test_a_test_that_falls_once_is_repeated_alone_and_both_closing_lines_are_shown(tmp_path: Path) -> None:
    done = run(tmp_path, FALLS_ONCE)
    assert done.returncode == 0
    assert "1 failed, 1 passed in" in done.stdout
    assert "= 1 passed in" in done.stdout
    assert (tmp_path / "runs").read_text() == "x", "what had passed is not repeated"


def test_a_test_that_falls_again_is_red(tmp_path: Path) -> None:
    done = run(tmp_path, "def test_falls(): assert False\ndef test_stands(): pass")
    assert done.returncode == 1
    assert "1 failed, 1 passed in" in done.stdout
    assert "= 1 failed in" in done.stdout


def test_more_than_a_dozen_failures_are_red_at_once(tmp_path: Path) -> None:
    falls = FALLS_ONCE.replace("seen", "seen_by_{n}").replace("test_falls_once", "test_falls_{n}")
    done = run(tmp_path, "\n".join(falls.replace("{n}", str(n)) for n in range(13)))
    assert done.returncode == 1
    assert "once more" not in done.stdout


def test_a_process_that_dies_takes_tests_along_and_is_red_at_once(tmp_path: Path) -> None:
    dies = (
        "import os\ndef test_dies():\n    if 'PYTEST_XDIST_WORKER' in os.environ: os._exit(3)\ndef test_stands(): pass"
    )
    done = run(tmp_path, dies, ("-n", "1", "--max-worker-restart", "0"))
    assert done.returncode == 1
    assert "once more" not in done.stdout


def test_a_file_that_cannot_be_imported_is_red_with_its_own_code(tmp_path: Path) -> None:
    done = run(tmp_path, "import nothing_of_this_name")
    assert done.returncode == 2
    assert "once more" not in done.stdout


def test_no_test_at_all_is_red(tmp_path: Path) -> None:
    assert run(tmp_path, "").returncode == 5
