"""What only a flag file has: its rule, its neighbours, and the providers that read it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from activities.ports import TargetRejected
from countermand.plan.evidence import users_needed
from countermand.plan.target import SetOutcome, Split, TargetState
from tests.adapters.targets import routers_environment
from tests.adapters.targets.flagd import FlagdHarness, flags

USERS = 4_000
Entry = dict[str, Any]


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[FlagdHarness]:
    harness = FlagdHarness()
    await harness.start(tmp_path)
    await harness.seed(5_000)
    yield harness
    await harness.stop()


async def put(file: FlagdHarness, candidate_bp: int, start: TargetState, *, key: str = "one") -> SetOutcome:
    return await file.target().set(
        file.member,
        Split.candidate(candidate_bp),
        idempotency_key=key,
        fence=start.fence + 1,
        expected_revision=start.revision,
    )


class Reader:
    """An OpenFeature provider in a process of its own. Raises AssertionError when it does not answer."""

    def __init__(self, path: Path) -> None:
        command = [str(routers_environment.python()), str(Path(__file__).with_name("flag_reader.py")), str(path)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, users: int = USERS) -> tuple[dict[str, set[int]], int | None]:
        """Users by the variant they get, and the generation that the provider has read."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{users}\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return {variant: set(numbers) for variant, numbers in answer["served"].items()}, answer["generation"]

    async def until(self, generation: int) -> dict[str, set[int]]:
        for _ in range(100):
            if (await asyncio.to_thread(self.ask, 1))[1] == generation:
                return (await asyncio.to_thread(self.ask))[0]
            await asyncio.sleep(0.05)
        raise AssertionError(f"the provider did not read generation {generation} within 5 s")

    def close(self) -> None:
        self._process.communicate(timeout=10)


@pytest.fixture
async def readers(file: FlagdHarness) -> AsyncIterator[Callable[[], Reader]]:
    if routers_environment.python() is None:
        pytest.skip(f"not run: no OpenFeature provider is installed ({routers_environment.HOW})")
    opened: list[Reader] = []

    def reader() -> Reader:
        opened.append(Reader(file.file))
        return opened[-1]

    yield reader
    for one in opened:
        await asyncio.to_thread(one.close)


async def test_c12_a_real_provider_gives_users_the_share_that_was_set_and_takes_nobody_new(
    file: FlagdHarness, readers: Callable[[], Reader]
) -> None:
    reader = readers()
    half, _ = await asyncio.to_thread(reader.ask)
    first = await put(file, 2_500, await file.target().read(file.member))
    quarter = await reader.until(1)
    assert 0.22 < len(quarter["canary"]) / USERS < 0.28
    assert quarter["canary"] < half["canary"]
    second = await put(file, 0, first.after, key="two")
    none = await reader.until(2)
    assert set(none) == {"stable"}
    assert users_needed(second.after.split, 100) < USERS
    anew, generation = await asyncio.to_thread(readers().ask)
    assert (anew, generation) == (none, 2)


async def test_c12_a_real_provider_keeps_the_last_good_flags_when_somebody_breaks_the_file(
    file: FlagdHarness, readers: Callable[[], Reader]
) -> None:
    first = await put(file, 0, await file.target().read(file.member))
    reader = readers()
    await reader.until(1)
    file.file.write_text('{"flags": ')
    await asyncio.sleep(0.3)
    assert set((await asyncio.to_thread(reader.ask))[0]) == {"stable"}
    with pytest.raises(TargetRejected, match="not JSON"):
        await put(file, 2_500, first.after)


async def test_tgt1_only_the_weights_and_the_mark_of_the_flag_are_changed(file: FlagdHarness) -> None:
    await put(file, 1, await file.target().read(file.member))
    document = json.loads(file.file.read_text())
    metadata = document["flags"]["assistant"].pop("metadata")
    assert document == flags(1)
    assert list(document["flags"]) == ["assistant", "greeting"]
    assert metadata["generation"] == 1
    assert all(isinstance(value, str | int) for value in metadata.values())


async def test_tgt2_another_flag_of_the_file_may_change_between_plan_and_set(file: FlagdHarness) -> None:
    start = await file.target().read(file.member)
    document = json.loads(file.file.read_text())
    document["flags"]["greeting"]["defaultVariant"] = "off"
    file.file.write_text(json.dumps(document))
    assert (await put(file, 2_500, start)).result == "applied"
    assert json.loads(file.file.read_text())["flags"]["greeting"]["defaultVariant"] == "off"


async def test_c6_an_edit_by_hand_loses_the_key_and_keeps_the_fence(file: FlagdHarness) -> None:
    done = await put(file, 2_500, await file.target().read(file.member))
    await file.external_edit(7_000)
    seen = await file.target().read(file.member)
    assert (seen.idempotency_key, seen.fence) == (None, done.after.fence)
    await file.external_edit(2_500)
    assert (await file.target().read(file.member)).idempotency_key == "one"


def disabled(entry: Entry) -> None:
    entry["state"] = "DISABLED"


def third_arm(entry: Entry) -> None:
    entry["targeting"]["fractional"].append(["other", 10])


def conditional(entry: Entry) -> None:
    entry["targeting"] = {"if": [{"==": [{"var": "tier"}, "paid"]}, "stable", entry["targeting"]]}


def no_rule(entry: Entry) -> None:
    del entry["targeting"]


def variant_gone(entry: Entry) -> None:
    del entry["variants"]["stable"]


def half_a_weight(entry: Entry) -> None:
    entry["targeting"]["fractional"][1][1] = 2.5


def foreign_mark(entry: Entry) -> None:
    entry["metadata"] = {"countermand": "mine"}


@pytest.mark.parametrize("edit", [disabled, third_arm, conditional, no_rule, variant_gone, half_a_weight, foreign_mark])
async def test_c8_a_flag_of_another_shape_is_rejected_and_left_alone(
    file: FlagdHarness, edit: Callable[[Entry], None]
) -> None:
    document = json.loads(file.file.read_text())
    edit(document["flags"]["assistant"])
    file.file.write_text(json.dumps(document))
    before = file.file.read_bytes()
    with pytest.raises(TargetRejected, match="flag 'assistant'"):
        await file.target().set(file.member, Split.candidate(0), idempotency_key="c8", fence=1, expected_revision=None)
    assert not (await file.target().preflight(file.member, Split.candidate(0))).ready
    assert file.file.read_bytes() == before


async def test_c16_a_default_variant_that_is_the_candidate_is_found_before_people_are_asked(file: FlagdHarness) -> None:
    document = json.loads(file.file.read_text())
    document["flags"]["assistant"]["defaultVariant"] = "canary"
    file.file.write_text(json.dumps(document))
    found = await file.target().preflight(file.member, Split.candidate(0))
    assert not found.ready
    assert "without a targeting key" in found.problems[0]


async def test_tgt6_weights_that_could_not_be_restored_are_found_before_people_are_asked(file: FlagdHarness) -> None:
    document = json.loads(file.file.read_text())
    document["flags"]["assistant"]["targeting"]["fractional"][1:] = [["canary", 1], ["stable", 2]]
    file.file.write_text(json.dumps(document))
    found = await file.target().preflight(file.member, Split.candidate(0))
    assert "could not be restored" in found.problems[0]
    assert (await file.target().read(file.member)).split == Split.candidate(3_334)
