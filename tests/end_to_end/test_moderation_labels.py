"""Real labels that are really missing: moderation categories of prompts (OpenAI, MIT), through the real intake.

Whoever labelled the prompts left categories out. What was not labelled is unknown here, never a pass.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.stack import Stack, running
from tests.waiting import until

ROOT = Path(__file__).parents[2]
LABELS = ROOT.parent / "shared" / "data" / "moderation_labels.jsonl"
RELEASE = "moderated"
#: Category of the file → signal and its usual rate. 86 % of the prompts have a label for violence, 46 % for hate.
SIGNALS = {"V": ("violence", 0.065), "H": ("hate", 0.21)}
PROMPTS = 1_680


def playbook() -> bytes:
    """The plain playbook for these two categories, each with a trigger of its own."""
    text = (ROOT / "tests" / "rules" / "playbook" / "plain.yaml").read_text()
    signals = "".join(
        f"    {name}: {{kind: rate, bad: higher, expect: {usual}, family: safety, meaning: Prompts with {name}, "
        f"source: judge, unit: prompt, lag: days, weaknesses: Prompts instead of answers}}\n"
        for name, usual in SIGNALS.values()
    )
    triggers = "".join(
        f"    - {{id: {name}, severity: sev2, share: 0.5, protects: {{kind: safety, what: Nobody reads {name}}}, "
        f"any: [{{signal: {name}, tolerate: {{ratio: 1.5}}}}]}}\n"
        for name, _ in SIGNALS.values()
    )
    text = re.sub(
        r"  signals:\n    hall.*?(?=\napprovals:)", f"  signals:\n{signals}  triggers:\n{triggers}", text, flags=re.S
    )
    healthy = "    - {signal: violence, at_most: 0.2, min_scored: 400}\n"
    return re.sub(r"    - \{signal: hall.*?\}\n    - \{signal: mod.*?\}\n", healthy, text).encode()


async def command(stack: Stack, *arguments: str, **environment: str) -> dict[str, Any]:
    """What a command of the command line answers as JSON."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "countermand.cli", *arguments, "-o", "json"),
        cwd=ROOT,
        env=stack.place.environment | {"COUNTERMAND_URL": stack.place.console_url} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    answer: dict[str, Any] = json.loads(said)
    return answer


async def feed(stack: Stack, category: str, arm: str) -> dict[str, Any]:
    token = str(stack.place.keys / "judge.token")
    return await command(
        stack,
        *("replay", str(LABELS), "--release", RELEASE, "--signal", SIGNALS[category][0], "--label", category),
        *("--bad", "1", "--allow-missing", "--arm", arm, "--rate", "70", "--token-file", token),
    )


async def rows(stack: Stack) -> list[dict[str, Any]]:
    """All rows that were judged."""
    items = (await stack.call("GET", f"/api/v1/releases/{RELEASE}/rows"))["items"]
    return [item for item in items if item["judged"]]


def served(item: dict[str, Any], signal: str) -> int:
    """Outputs of both arms in a row."""
    return sum(block["served"] for block in item["row"]["blocks"] if block["signal"] == signal)


def covered(item: dict[str, Any], signal: str) -> bool:
    """Were at least 80 % of what each arm served labelled?"""
    blocks = [block for block in item["row"]["blocks"] if block["signal"] == signal]
    return all(block["scored"] and block["scored"] >= 0.8 * block["served"] for block in blocks)


@pytest.mark.skipif(not LABELS.exists(), reason=f"real data not found: {LABELS.name} in ../shared/data")
@pytest.mark.timeout(240)
async def test_labels_that_are_missing_are_unknown_and_categories_with_enough_of_them_are_judged(
    tmp_path: Path,
) -> None:
    file = tmp_path / "playbook.yaml"
    file.write_bytes(playbook())
    async with running(tmp_path / "data") as stack:
        await stack.register(playbook(), RELEASE)
        arms = ("baseline", "candidate")
        answers = await asyncio.gather(*(feed(stack, category, arm) for category in SIGNALS for arm in arms))

        async def all_judged() -> list[dict[str, Any]] | None:
            found = await rows(stack)
            return found if found and served(found[-1], "violence") == 0 else None

        judged = await until(all_judged, "the last prompt is judged", within=30)
        end = judged[-1]["row"]["start"]
        judged = [item for item in judged if item["row"]["start"] < end]
        replayed = await command(
            stack,
            *("criteria", "replay", str(file), "--release", RELEASE, "--to", end),
            COUNTERMAND_TOKEN=stack.tokens["local|lena"],
        )

    assert [(answer["sent"], answer["rejected"]) for answer in answers] == [(PROMPTS, [])] * 4
    assert [answer["unlabelled"] for answer in answers] == [230, 230, 909, 909]
    words = {name: [item["judged"]["triggers"][name]["word"] for item in judged] for name, _ in SIGNALS.values()}
    for name, said in words.items():
        for item, word in zip(judged, said, strict=True):
            assert (word == "unknown") != covered(item, name), (name, word, item["row"])
    assert sum(word in ("ok", "watch") for word in words["violence"]) >= 5
    assert words["hate"].count("unknown") > len(judged) / 2
    for item in judged:
        if not all(covered(item, name) for name, _ in SIGNALS.values()):
            assert item["judged"]["word"] == "unknown"
    live = [word for word, _ in groupby(item["judged"]["word"] for item in judged)]
    assert [change["word"] for change in replayed["items"]] == live
    assert (replayed["first_trigger"], replayed["fired_then"]) == (None, None)
