"""What only HAProxy has: its answers in text, its ways to balance, and operators at its other sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from activities.ports import TargetRejected, TargetUnavailable
from adapters.haproxy_target import HaproxyTarget
from adapters.target_settings import HaproxyMember
from countermand.plan.evidence import judge_configured, judge_traffic
from countermand.plan.target import CheckWord, Member, Split
from tests.adapters.targets.haproxy import HaproxyHarness

BACKENDS = ("sticky", "static", "crowded")


def member(name: str) -> Member:
    return HaproxyHarness.member.model_copy(update={"name": name})


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HaproxyHarness]:
    missing = HaproxyHarness.missing()
    if missing is not None:
        pytest.skip(f"not run: {missing}")
    harness = HaproxyHarness()
    await harness.start(tmp_path_factory.mktemp("haproxy"))
    yield harness
    await harness.stop()


@pytest.fixture
async def haproxy(running: HaproxyHarness) -> HaproxyHarness:
    await running.seed(5_000)
    return running


@pytest.fixture
def target(haproxy: HaproxyHarness) -> HaproxyTarget:
    others = {name: HaproxyMember(backend=name, candidate="canary", baseline="stable") for name in BACKENDS}
    others["nobody"] = HaproxyMember(backend="chat", candidate="nobody", baseline="stable")
    others["nowhere"] = HaproxyMember(backend="nowhere", candidate="canary", baseline="stable")
    return haproxy.made("read.sock", "write.sock", **others)


async def put(target: HaproxyTarget, name: str, candidate_bp: int) -> str:
    done = await target.set(
        member(name), Split.candidate(candidate_bp), idempotency_key="x", fence=1, expected_revision=None
    )
    return done.after.revision


async def test_c12_users_whom_a_cookie_keeps_on_the_candidate_make_observed_unknown_and_never_good(
    haproxy: HaproxyHarness, target: HaproxyTarget
) -> None:
    await haproxy.admin("set server sticky/stable weight 0")
    async with httpx.AsyncClient(base_url=haproxy.client.base_url, trust_env=False, timeout=60) as user:
        assert (await user.get("/sticky")).headers["x-release-arm"] == "candidate"
        revision = await put(target, "sticky", 0)
        await target.observe(member("sticky"))
        assert (await user.get("/sticky")).headers["x-release-arm"] == "candidate"
    seen = await target.observe(member("sticky"))
    configured = judge_configured(Split.candidate(0), await target.read(member("sticky")))
    observed = judge_traffic(Split.candidate(0), seen, revision, 100)
    assert (configured.word, observed.word) == (CheckWord.passed, CheckWord.unknown)
    assert "cookie 'ARM'" in observed.sentence


async def test_c13_a_read_socket_that_does_not_show_the_algorithm_makes_observed_unknown(
    haproxy: HaproxyHarness,
) -> None:
    seen = await haproxy.made("user.sock", "write.sock").observe(haproxy.member)
    assert seen.unknown is not None
    assert "algorithm ''" in seen.unknown


async def test_c8_an_algorithm_that_takes_no_weights_is_rejected_in_haproxys_words(
    haproxy: HaproxyHarness, target: HaproxyTarget
) -> None:
    before = await target.read(member("static"))
    with pytest.raises(TargetRejected, match="static LB algorithm"):
        await put(target, "static", 2_500)
    assert (await target.read(member("static"))).revision == before.revision


@pytest.mark.parametrize(
    ("name", "words"),
    [("nobody", "not show servers 'nobody'"), ("nowhere", "no backend"), ("crowded", "also serves by")],
)
async def test_c8_c16_a_backend_without_both_arms_or_with_others_is_rejected(
    target: HaproxyTarget, name: str, words: str
) -> None:
    with pytest.raises(TargetRejected, match=words):
        await target.read(member(name))
    found = await target.preflight(member(name), Split.candidate(0))
    assert (found.ready, found.write_permitted) == (False, False)


async def test_c16_a_server_without_a_health_check_is_not_called_healthy(target: HaproxyTarget) -> None:
    found = await target.preflight(member("static"), Split.candidate(0))
    assert not found.ready
    assert "'no check'" in found.problems[0]


async def test_c11_a_server_that_an_operator_took_out_has_no_share_whatever_its_weight(
    haproxy: HaproxyHarness, target: HaproxyTarget
) -> None:
    before = await target.read(haproxy.member)
    await haproxy.admin("set server chat/stable state drain")
    drained = await target.read(haproxy.member)
    assert drained.split == Split.candidate(10_000)
    assert drained.revision != before.revision
    assert not (await target.preflight(haproxy.member, Split.candidate(0))).ready
    await haproxy.admin("set server chat/stable state ready")


async def test_tgt6_weights_that_could_not_be_restored_are_found_before_people_are_asked(
    haproxy: HaproxyHarness, target: HaproxyTarget
) -> None:
    await haproxy.admin("set server chat/canary weight 1;set server chat/stable weight 2")
    assert (await target.read(haproxy.member)).split == Split.candidate(3_334)
    found = await target.preflight(haproxy.member, Split.candidate(0))
    assert "could not be restored" in found.problems[0]
    assert found.write_permitted


async def test_tgt15_the_arm_that_grows_is_raised_before_the_other_is_lowered(
    haproxy: HaproxyHarness, target: HaproxyTarget
) -> None:
    await put(target, "chat", 2_500)
    await put(target, "chat", 9_000)
    down, up = (line for line in haproxy.lines if line.startswith("set"))
    assert down == "set server chat/stable weight 150;set server chat/canary weight 50"
    assert up == "set server chat/canary weight 180;set server chat/stable weight 20"


async def test_c9_a_socket_that_is_not_there_is_unavailable(haproxy: HaproxyHarness, tmp_path: Path) -> None:
    nowhere = haproxy.made("nowhere.sock", "write.sock")
    with pytest.raises(TargetUnavailable, match="was not sent: FileNotFoundError"):
        await nowhere.read(haproxy.member)


async def test_c9_an_answer_that_is_not_known_is_resolved_by_reading_back(
    haproxy: HaproxyHarness, target: HaproxyTarget
) -> None:
    await haproxy.fault(says="Weights are set on Fridays only.\n\n", writes=2)
    with pytest.raises(TargetUnavailable, match="as it was"):
        await put(target, "chat", 2_500)
    assert (await target.read(haproxy.member)).split == Split.candidate(5_000)


async def test_c5_a_line_of_which_only_half_was_done_is_a_conflict_and_people_are_asked(
    haproxy: HaproxyHarness, target: HaproxyTarget
) -> None:
    await haproxy.fault(half=True)
    done = await target.set(
        haproxy.member, Split.candidate(2_500), idempotency_key="half", fence=1, expected_revision=None
    )
    assert (done.result, done.by) == ("conflict", "unknown")
    assert done.after.split == Split.candidate(4_000)  # 100 of 250


async def test_c10_an_answer_that_breaks_off_is_not_read(haproxy: HaproxyHarness, target: HaproxyTarget) -> None:
    await haproxy.fault(reads_say="# pxname,svname,")
    with pytest.raises(TargetUnavailable, match="not whole"):
        await target.read(haproxy.member)
