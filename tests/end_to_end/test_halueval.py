"""Real labels: ChatGPT answers that people marked as hallucinated or not (HaluEval, MIT), through the real intake."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tests.end_to_end.stack import Stack, running
from tests.waiting import until

ROOT = Path(__file__).parents[2]
ANSWERS = ROOT.parent / "shared" / "data" / "halueval_general.jsonl.gz"
#: 18 % of the answers are marked; three times that is a much worse candidate.
TRIPLED = "0.54"


def playbook() -> bytes:
    """The demo's playbook for what people marked: one signal at its real rate."""
    text = (ROOT / "examples" / "demo" / "playbook.yaml").read_text()
    return text.replace("expect: 0.03", "expect: 0.18").encode()


async def feed(stack: Stack, release: str, arm: str, *more: str) -> dict[str, int]:
    """`countermand replay` as a person would start it: 40 answers a second for half a minute."""
    token = stack.place.keys / "judge.token"
    command = [sys.executable, "-m", "countermand.cli", "replay", str(ANSWERS), "--release", release]
    command += ["--signal", "hallucinations", "--label", "hallucination", "--bad", "true", "--arm", arm]
    command += ["--rate", "40", "--limit", "1200", "--token-file", str(token), "-o", "json", *more]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env=stack.place.environment | {"COUNTERMAND_URL": stack.place.console_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    assert process.returncode in (0, 4), complained.decode()
    answer: dict[str, int] = json.loads(said)
    return answer


@pytest.mark.skipif(not ANSWERS.exists(), reason=f"real data not found: {ANSWERS.name} in ../shared/data")
@pytest.mark.timeout(240)
async def test_a_candidate_that_hallucinates_three_times_as_often_opens_an_incident_and_an_equal_one_does_not(
    tmp_path: Path,
) -> None:
    async with running(tmp_path / "data") as stack:
        for release in ("worse", "equal"):
            await stack.register(playbook(), release)
        answers = await asyncio.gather(
            feed(stack, "worse", "baseline"),
            feed(stack, "worse", "candidate", "--resample-bad", TRIPLED),
            feed(stack, "equal", "baseline"),
            feed(stack, "equal", "candidate", "--resample-bad", "0.18", "--seed", "7"),
        )

        async def opened() -> dict[str, object] | None:
            return await stack.incident_of("worse")

        incident = await until(opened, "the worse candidate opens an incident", within=30)
        assert incident["trigger"] == "bad-answers"
        assert await stack.incident_of("equal") is None
        equal = await stack.call("GET", "/api/v1/releases/equal")
        assert equal["verdict"]["word"] != "trigger"
    accepted = [answer["accepted"] for answer in answers]
    assert accepted[0] >= 1_000
    assert accepted[2] == accepted[3] == 1_200
