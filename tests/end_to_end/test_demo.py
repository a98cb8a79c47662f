"""The newcomer's first command, unattended: every step really happens, or it says which one did not."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.end_to_end.stack import processes_of

ROOT = Path(__file__).parents[2]


@pytest.mark.xdist_group("the usual ports")
@pytest.mark.timeout(300)
async def test_the_unattended_demo_rolls_back_a_bad_release_proves_it_and_leaves_no_process(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "countermand.cli", "demo", "--auto", "--data", str(data)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 240)
    text = said.decode()
    assert process.returncode == 0, text
    assert "proofs hold" in text
    assert processes_of(data) == []
