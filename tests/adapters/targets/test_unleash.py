"""What only Unleash has: rollouts that are texts, a switch above them, strategies side by side, wide rights."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from activities.ports import TargetRejected
from adapters.target_settings import UnleashMember
from adapters.unleash_flag import FLAG, flag_in
from adapters.unleash_target import UnleashTarget
from countermand.plan.evidence import judge_configured
from countermand.plan.target import CheckWord, Member, SetOutcome, Split
from tests.adapters.targets.harness import asked_for
from tests.adapters.targets.unleash import ADMIN, UnleashHarness

PLACE = UnleashMember.model_validate(
    {
        "project": "default",
        "environment": "development",
        "flag": "assistant",
        "candidate_health": "http://127.0.0.1:1",
        "baseline_health": "http://127.0.0.1:1",
    }
)
GRADUAL: dict[str, Any] = {
    "name": "flexibleRollout",
    "parameters": {"rollout": "50", "stickiness": "userId", "groupId": "g"},
    "constraints": [],
}


def answer(*strategies: dict[str, Any], **more: Any) -> Any:
    return FLAG.validate_json(json.dumps({"name": "assistant", "enabled": True, "strategies": strategies} | more))


def rollout(text: str) -> dict[str, Any]:
    return GRADUAL | {"parameters": GRADUAL["parameters"] | {"rollout": text}}


@pytest.mark.parametrize("text", ["250", "101", "-1", "12.5", "", "٥"])
def test_tgt7_a_rollout_that_unleash_takes_and_that_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(TargetRejected, match="a whole number of 0 to 100 is accepted"):
        flag_in(answer(rollout(text)), PLACE)


@pytest.mark.parametrize(
    "found",
    [
        answer(),
        answer(GRADUAL, GRADUAL),
        answer(GRADUAL | {"name": "default"}),
        answer(GRADUAL | {"constraints": [{"contextName": "country", "operator": "IN", "values": ["NO"]}]}),
        answer(GRADUAL | {"disabled": True}),
        answer(GRADUAL, dependencies=[{"feature": "parent"}]),
    ],
)
def test_c8_a_flag_whose_rollout_alone_does_not_decide_is_refused(found: Any) -> None:
    with pytest.raises(TargetRejected, match="exactly one strategy 'flexibleRollout' is needed"):
        flag_in(found, PLACE)


def test_c8_a_mark_that_is_not_ours_is_refused() -> None:
    broken = GRADUAL | {"parameters": GRADUAL["parameters"] | {"countermand": "{}"}}
    with pytest.raises(TargetRejected, match="'countermand' is not as we wrote it"):
        flag_in(answer(broken), PLACE)


async def test_a_token_file_that_is_not_there_is_named_and_nothing_is_called(tmp_path: Path) -> None:
    target = UnleashTarget("http://127.0.0.1:1", tmp_path / "nothing", tmp_path / "nothing", {"chat": PLACE})
    with pytest.raises(TargetRejected, match="nothing cannot be read"):
        await target.read(UnleashHarness.member)
    await target.close()


def member(name: str) -> Member:
    return UnleashHarness.member.model_copy(update={"name": name})


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[UnleashHarness]:
    if not asked_for(UnleashHarness.name):
        pytest.skip("not run: make test-unleash")
    harness = UnleashHarness()
    await harness.start(tmp_path_factory.mktemp("unleash"))
    yield harness
    await harness.stop()


@pytest.fixture
async def unleash(running: UnleashHarness) -> UnleashHarness:
    await running.seed(5_000)
    return running


async def put(target: UnleashTarget, name: str, candidate_bp: int) -> SetOutcome:
    return await target.set(
        member(name),
        Split.candidate(candidate_bp),
        idempotency_key=f"to {candidate_bp}",
        fence=9,
        expected_revision=None,
    )


async def test_tgt1_a_set_leaves_bucketing_title_and_everything_else_as_it_was(unleash: UnleashHarness) -> None:
    before = (await unleash.admin.get(unleash.strategy("assistant"))).json()
    await put(unleash.target(), "chat", 2_500)
    after = (await unleash.admin.get(unleash.strategy("assistant"))).json()
    assert (before["parameters"].pop("rollout"), after["parameters"].pop("rollout")) == ("50", "25")
    for parameters in (before["parameters"], after["parameters"]):
        parameters.pop("countermand", None)
    assert after == before


async def test_c11_a_flag_that_somebody_switches_off_is_on_for_nobody_and_a_rollout_cannot_bring_it_back(
    unleash: UnleashHarness,
) -> None:
    target = unleash.target()
    switch = f"{ADMIN}/assistant/environments/development"
    (await unleash.admin.post(f"{switch}/off")).raise_for_status()
    try:
        state = await target.read(member("chat"))
        assert state.split == Split.candidate(0)
        assert judge_configured(Split.candidate(5_000), state).word is CheckWord.failed
        with pytest.raises(TargetRejected, match="switched off in 'development'; switch it on first"):
            await put(target, "chat", 2_500)
    finally:
        (await unleash.admin.post(f"{switch}/on")).raise_for_status()
    assert (await target.read(member("chat"))).split == Split.candidate(5_000)


async def test_c5_an_edit_between_our_look_and_our_patch_is_refused_by_the_condition_of_the_patch(
    unleash: UnleashHarness,
) -> None:
    target = unleash.target()
    await unleash.fault(external_edit=7_000)
    outcome = await put(target, "chat", 2_500)
    assert (outcome.result, outcome.after.split) == ("conflict", Split.candidate(7_000))
    assert 500 in unleash.wire.statuses


async def test_tgt16_a_rehearsal_leaves_nothing_in_unleashs_own_log(unleash: UnleashHarness) -> None:
    async def events() -> int:
        found = await unleash.admin.get("/api/admin/search/events?feature=IS:assistant&limit=1")
        return int(found.json()["total"])

    before = await events()
    assert (await unleash.target().preflight(member("chat"), Split.candidate(0))).ready
    assert await events() == before


async def test_c16_a_read_token_of_another_environment_is_noticed(unleash: UnleashHarness) -> None:
    elsewhere = PLACE.model_copy(update=unleash.health() | {"environment": "production"})
    place = f"{ADMIN}/assistant/environments/production"
    body = {"name": "flexibleRollout", "parameters": {"rollout": "10", "stickiness": "default", "groupId": "assistant"}}
    (await unleash.admin.post(f"{place}/strategies", json=body)).raise_for_status()
    tokens = unleash.token(unleash.read_token), unleash.token(unleash.write_token)
    target = UnleashTarget(unleash.url, *tokens, {"chat": elsewhere})
    found = await target.preflight(member("chat"), Split.candidate(0))
    assert found.problems == ("what services get is not what is set in 'production'",)
    assert (await put(target, "chat", 0)).result == "conflict"
    await target.close()


async def test_c18_tgt23_a_write_token_of_the_open_source_edition_reaches_every_flag_and_a_read_token_none(
    unleash: UnleashHarness,
) -> None:
    target = unleash.made(
        unleash.token(unleash.read_token), unleash.token(unleash.write_token), flags={"other": "greeting"}
    )
    assert (await put(target, "other", 2_500)).result == "applied"
    path, headers = unleash.strategy("greeting"), {"Authorization": f"Bearer {unleash.read_token}"}
    assert (await unleash.admin.patch(path, json=[], headers=headers)).status_code == 403
    assert (await unleash.admin.get(path, headers=headers)).status_code == 403
