"""Run pytest; when few tests fail, repeat exactly those once, alone: python -m scripts.run_tests [pytest's arguments].

A test that only falls while others crowd the machine does not refuse a good tree; a real failure stays red. Both runs
print their closing line.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

#: More failures than this are no accident of a busy machine.
MOST_REPEATED = 12


def run(arguments: list[str]) -> int:
    """pytest's exit code: of the first run, or of the repetition where there was one."""
    with tempfile.TemporaryDirectory() as cache:  # of its own: an older run's failures are not this run's
        told = Path(cache, "told.xml")
        code = _pytest("-o", f"cache_dir={cache}", f"--junitxml={told}", *arguments)
        kept = Path(cache, "v/cache/lastfailed")
        failed = sorted(json.loads(kept.read_text())) if kept.exists() else []
        fell = told.exists() and "crashed while running" in told.read_text()  # and took tests along that nobody ran
    if code != 1 or fell or not 0 < len(failed) <= MOST_REPEATED:  # 1: tests failed; all else is no test's matter
        return code
    print(f"\n{len(failed)} failed beside others and run once more, alone:", *failed, sep="\n  ", flush=True)
    return _pytest("-p", "no:xdist", *failed)


def _pytest(*arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
