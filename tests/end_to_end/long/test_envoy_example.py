"""The Envoy example as its users start it, with less traffic: it proves every claim, or says which one did not hold."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from countermand.cli.exits import Exit
from examples.envoy.load import read_requests
from tests.adapters.targets import routers_environment
from tests.end_to_end.stack import processes_of

ROOT = Path(__file__).parents[3]
#: Enough for 688 requests at 0 % within seconds; 200 a second would need most of a small machine.
RATE = 100

needs_envoy = pytest.mark.skipif(
    routers_environment.program("envoy") is None, reason=f"not run: no Envoy ({routers_environment.HOW})"
)


async def run(*arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.envoy", *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 430)
    return process.returncode, said.decode()


@needs_envoy
@pytest.mark.timeout(460)
async def test_a_rollback_over_a_real_envoy_loses_no_request_and_leaves_no_process(tmp_path: Path) -> None:
    data = tmp_path / "envoy"
    code, text = await run("--rate", str(RATE), "--healthy", "5", "--data", str(data))
    assert code == 0, text
    assert "proofs hold" in text
    assert "each stage is seen in the answers of users" in text
    requests = read_requests(data / "requests.csv")
    assert len(requests) > 10 * RATE
    assert not any(request.failed for request in requests)
    assert (data / "rollback.svg").read_text().startswith("<?xml")
    assert processes_of(data) == []


@needs_envoy
async def test_a_directory_that_is_not_the_examples_own_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    await asyncio.to_thread(precious.write_text, "kept")
    code, text = await run("--data", str(tmp_path))
    assert code == Exit.usage
    assert "is not empty and not a demo's" in text
    assert await asyncio.to_thread(precious.read_text) == "kept"
