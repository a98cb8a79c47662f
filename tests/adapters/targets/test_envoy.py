"""What only Envoy has: layers above ours, routes that read no runtime, and a file that people may break."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from activities.ports import TargetRejected, TargetUnavailable
from adapters.envoy_target import EnvoyTarget
from adapters.target_settings import EnvoyMember
from countermand.plan.evidence import judge_check, judge_configured, judge_traffic
from countermand.plan.target import CheckWord, Member, SetOutcome, Split
from countermand.playbook.integrity import ErrorRate
from tests.adapters.targets.envoy import EnvoyHarness
from tests.adapters.targets.upstreams import ask

USERS = 150


def member(name: str) -> Member:
    return EnvoyHarness.member.model_copy(update={"name": name})


@asynccontextmanager
async def alone(folder: Path) -> AsyncIterator[EnvoyHarness]:
    """An Envoy that runs for this block."""
    missing = EnvoyHarness.missing()
    if missing is not None:
        pytest.skip(f"not run: {missing}")
    harness = EnvoyHarness()
    await harness.start(folder)
    try:
        yield harness
    finally:
        await harness.stop()


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EnvoyHarness]:
    async with alone(tmp_path_factory.mktemp("envoy")) as harness:
        yield harness


@pytest.fixture
async def envoy(running: EnvoyHarness) -> EnvoyHarness:
    await running.seed(5_000)
    return running


@pytest.fixture
def target(envoy: EnvoyHarness) -> EnvoyTarget:
    def place(prefix: str, candidate: str = "canary", routing: str = "per_request") -> EnvoyMember:
        return EnvoyMember.model_validate(
            {"prefix": prefix, "candidate": candidate, "baseline": "stable", "routing": routing}
        )

    return envoy.made(
        fixed=place("routing.fixed"),
        sticky=place("routing.chat", routing="sticky"),
        nobody=place("routing.ghost", candidate="nobody"),
        unset=place("routing.unset"),
    )


async def put(target: EnvoyTarget, name: str, candidate_bp: int) -> SetOutcome:
    return await target.set(
        member(name),
        Split.candidate(candidate_bp),
        idempotency_key=f"to {candidate_bp}",
        fence=1,
        expected_revision=None,
    )


async def test_c11_an_override_in_the_admin_layer_fails_configured_and_no_write_pretends_to_help(
    envoy: EnvoyHarness, target: EnvoyTarget
) -> None:
    await put(target, "chat", 0)
    (await envoy.admin.post("/runtime_modify?routing.chat.canary=3000")).raise_for_status()
    before = envoy.file.read_bytes()
    configured = judge_configured(Split.candidate(0), await target.read(envoy.member))
    assert configured.word is CheckWord.failed
    with pytest.raises(TargetRejected, match=r"'routing\.chat\.canary' by layer 'admin'"):
        await put(target, "chat", 100)
    found = await target.preflight(envoy.member, Split.candidate(0))
    assert any("does not decide" in problem for problem in found.problems)
    assert envoy.file.read_bytes() == before
    (await envoy.admin.post("/runtime_modify?routing.chat.canary=")).raise_for_status()
    assert (await put(target, "chat", 100)).result == "applied"


async def test_c12_tgt8_a_route_that_reads_no_runtime_fails_observed_while_configured_passes(
    envoy: EnvoyHarness, target: EnvoyTarget
) -> None:
    done = await put(target, "fixed", 0)
    await target.observe(member("fixed"))
    served = await ask(envoy.client, USERS, "/fixed")
    assert served["candidate"] > 0
    configured = judge_configured(Split.candidate(0), await target.read(member("fixed")))
    observed = judge_traffic(Split.candidate(0), await target.observe(member("fixed")), done.after.revision, 500)
    assert (configured.word, observed.word) == (CheckWord.passed, CheckWord.failed)


async def test_tgt11_requests_that_envoy_fails_by_itself_are_requests_and_errors(tmp_path: Path) -> None:
    """An arm that cannot be reached serves nothing: its share is not counted, its errors are."""
    async with alone(tmp_path) as envoy:
        target = envoy.target()
        await put(target, "chat", 0)
        await envoy.upstreams.arms["baseline"].stop()
        await target.observe(envoy.member)
        for _ in range(40):
            assert (await envoy.client.get("/chat")).status_code == 503
        seen = await target.observe(envoy.member)
        assert (seen.candidate_users, seen.baseline_users, seen.requests, seen.errors) == (0, 0, 40, 40)
        ends = ErrorRate(id="errors", kind="error_rate", meaning="few requests fail", max_error_rate=Decimal("0.05"))
        found = judge_check(ends, await target.preflight(envoy.member, Split.candidate(0)), seen, "sha256:x")
        assert (found.word, found.sentence.split(";")[0]) == (CheckWord.failed, "40 of 40 requests failed")


async def test_c13_a_route_that_keeps_users_together_makes_observed_unknown(
    envoy: EnvoyHarness, target: EnvoyTarget
) -> None:
    seen = await target.observe(member("sticky"))
    assert judge_traffic(Split.candidate(5_000), seen, seen.revision, 500).word is CheckWord.unknown


async def test_c13_c16_a_cluster_that_is_not_there_is_neither_counted_nor_ready(target: EnvoyTarget) -> None:
    with pytest.raises(TargetUnavailable, match="counts no requests of cluster 'nobody'"):
        await target.observe(member("nobody"))
    with pytest.raises(TargetUnavailable, match="'nobody'"):
        await target.preflight(member("nobody"), Split.candidate(0))


async def test_c8_runtime_keys_that_are_not_set_anywhere_are_rejected(target: EnvoyTarget) -> None:
    with pytest.raises(TargetRejected, match=r"no runtime key 'routing\.unset\.canary'"):
        await target.read(member("unset"))


async def test_c8_a_file_that_somebody_broke_is_rejected_and_left_alone(
    envoy: EnvoyHarness, target: EnvoyTarget
) -> None:
    whole = envoy.file.read_bytes()
    envoy.file.write_text('{"resources": ')
    with pytest.raises(TargetRejected, match="not JSON with one resource"):
        await put(target, "chat", 0)
    assert envoy.file.read_text() == '{"resources": '
    envoy.file.write_bytes(whole)


async def test_tgt1_other_keys_of_the_file_stay(envoy: EnvoyHarness, target: EnvoyTarget) -> None:
    document = json.loads(envoy.file.read_text())
    document["resources"][0]["layer"]["health.cap"] = 7
    envoy.file.write_text(json.dumps(document))
    await put(target, "chat", 2_500)
    assert json.loads(envoy.file.read_text())["resources"][0]["layer"]["health.cap"] == 7


async def test_c5_a_file_that_envoy_has_not_taken_is_a_conflict_and_not_overwritten(
    envoy: EnvoyHarness, target: EnvoyTarget
) -> None:
    # In-place writes are not watched: Envoy goes on with what it read before.
    document = json.loads(envoy.file.read_text())
    document["resources"][0]["layer"]["routing.chat.canary"] = 9_999
    envoy.file.write_text(json.dumps(document))
    assert (await put(target, "chat", 2_500)).result == "conflict"
    assert json.loads(envoy.file.read_text())["resources"][0]["layer"]["routing.chat.canary"] == 9_999
    assert "do not say the same" in (await target.preflight(envoy.member, Split.candidate(0))).problems[-1]
