"""What is known of a target around a set: preflight, configured, observed (C11–C13, C16, C21)."""

from __future__ import annotations

import httpx
import pytest

from activities.ports import Target, TargetRejected, TargetUnavailable
from countermand.plan.evidence import judge_configured, judge_traffic
from countermand.plan.target import CheckWord, Split
from tests.adapters.targets.harness import Harness

# Users enough to see a residual share of 5 % with 99.9 % probability: 135.
RESIDUAL_BP = 500
USERS = 220


async def down_to(harness: Harness, target: Target, candidate_bp: int) -> str:
    start = await target.read(harness.member)
    outcome = await target.set(
        harness.member,
        Split.candidate(candidate_bp),
        idempotency_key=f"{start.revision}/to/{candidate_bp}",
        fence=start.fence + 1,
        expected_revision=start.revision,
    )
    assert outcome.result == "applied"
    await target.observe(harness.member)  # the first look, as a stage has it after it has settled
    return outcome.after.revision


async def judged(harness: Harness, target: Target, desired_bp: int, revision: str) -> tuple[str, str]:
    """The words for configured and observed, as a stage would judge them."""
    desired = Split.candidate(desired_bp)
    configured = judge_configured(desired, await target.read(harness.member))
    observed = judge_traffic(desired, await target.observe(harness.member), revision, RESIDUAL_BP)
    return configured.word, observed.word


async def test_c11_a_value_that_somebody_overrides_fails_the_configured_check(harness: Harness, target: Target) -> None:
    revision = await down_to(harness, target, 0)
    await harness.external_edit(harness.shares.start)
    configured, _ = await judged(harness, target, 0, revision)
    assert configured == CheckWord.failed


@pytest.mark.needs("counters")
async def test_c12_c21_traffic_is_observed_per_arm_of_the_new_revision(harness: Harness, target: Target) -> None:
    assert target.capabilities.observes == "counters"
    revision = await down_to(harness, target, 2_500)
    served = await harness.traffic(USERS)
    seen = await target.observe(harness.member)
    assert seen.revision == revision
    assert (seen.candidate_users, seen.baseline_users) == (served["candidate"], served["baseline"])
    assert min(served.values()) > 0
    assert (seen.requests, seen.errors, seen.unknown) == (USERS, 0, None)


@pytest.mark.needs("counters", "users")
async def test_c12_users_who_come_again_are_counted_once(harness: Harness, target: Target) -> None:
    await down_to(harness, target, 2_500)
    served = await harness.traffic(USERS)
    await harness.traffic(USERS)
    seen = await target.observe(harness.member)
    assert (seen.candidate_users, seen.baseline_users) == (served["candidate"], served["baseline"])
    assert (seen.requests, seen.counts) == (2 * USERS, "users")


@pytest.mark.needs("counters", "fixed routing")
async def test_c12_a_share_above_zero_is_judged_by_the_traffic(harness: Harness, target: Target) -> None:
    revision = await down_to(harness, target, 2_500)
    await harness.traffic(USERS)
    assert await judged(harness, target, 2_500, revision) == (CheckWord.passed, CheckWord.passed)


@pytest.mark.needs("counters")
async def test_c12_at_zero_no_user_reaches_the_candidate(harness: Harness, target: Target) -> None:
    revision = await down_to(harness, target, 0)
    await harness.traffic(USERS)
    seen = await target.observe(harness.member)
    assert (seen.candidate_users, seen.baseline_users, seen.errors) == (0, USERS, 0)
    assert await judged(harness, target, 0, revision) == (CheckWord.passed, CheckWord.passed)


@pytest.mark.needs("counters", "stuck router")
async def test_c12_tgt8_observed_fails_while_configured_passes_when_the_router_does_not_follow(
    harness: Harness, target: Target
) -> None:
    await harness.fault(stuck_router=True)
    revision = await down_to(harness, target, 0)
    await harness.traffic(USERS)
    assert await judged(harness, target, 0, revision) == (CheckWord.passed, CheckWord.failed)


@pytest.mark.needs("counters")
async def test_c13_without_traffic_observed_is_unknown(harness: Harness, target: Target) -> None:
    await harness.traffic(USERS)
    revision = await down_to(harness, target, 0)
    assert (await target.observe(harness.member)).requests == 0
    assert await judged(harness, target, 0, revision) == (CheckWord.passed, CheckWord.unknown)


async def test_c13_c21_a_target_that_counts_nobody_says_so(harness: Harness, target: Target) -> None:
    counts = target.capabilities.observes != "none"
    assert ("counters" in harness.lacks) is not counts
    revision = await down_to(harness, target, 0)
    assert ((await target.observe(harness.member)).unknown is None) is counts
    assert await judged(harness, target, 0, revision) == (CheckWord.passed, CheckWord.unknown)


@pytest.mark.needs("counters", "halt")
async def test_c13_after_a_reset_of_the_counters_observed_is_unknown(harness: Harness, target: Target) -> None:
    revision = await down_to(harness, target, 0)
    await harness.traffic(USERS)
    await harness.restart()
    configured = CheckWord.passed if target.capabilities.durable else CheckWord.failed
    assert await judged(harness, target, 0, revision) == (configured, CheckWord.unknown)


@pytest.mark.needs("counters", "status codes")
@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (httpx.Response(404), TargetRejected),
        (httpx.Response(503), TargetUnavailable),
        (httpx.Response(200, text="not json"), TargetUnavailable),
        (httpx.Response(200, json={"generation": 3, "requests": 10}), TargetUnavailable),
    ],
)
async def test_c13_missing_counters_are_never_read_as_zero(
    harness: Harness, target: Target, answer: httpx.Response, raised: type[Exception]
) -> None:
    harness.wire.replaced[harness.counters_path] = answer
    with pytest.raises(raised):
        await target.observe(harness.member)


@pytest.mark.needs("counters")
async def test_tgt11_errors_of_an_arm_are_counted(harness: Harness, target: Target) -> None:
    await down_to(harness, target, 0)
    await harness.fault(arms={"baseline": harness.failing})
    await harness.traffic(10)
    assert (await target.observe(harness.member)).errors == 10


async def test_c16_a_good_destination_is_ready_and_nothing_is_changed(harness: Harness, target: Target) -> None:
    before = await target.read(harness.member)
    found = await target.preflight(harness.member, Split.candidate(0))
    assert found.ready
    assert found.problems == ()
    assert found.write_permitted
    known = None if "digest" in harness.lacks else harness.member.baseline_digest
    assert found.destination_digest == known
    assert (await target.read(harness.member)).revision == before.revision


@pytest.mark.needs("digest")
async def test_c16_going_back_up_the_destination_is_the_candidate(harness: Harness, target: Target) -> None:
    found = await target.preflight(harness.member, Split.candidate(10_000))
    assert found.destination_digest == harness.member.candidate_digest


@pytest.mark.needs("missing arm")
async def test_c16_tgt15_a_destination_that_is_not_there_is_not_ready(harness: Harness, target: Target) -> None:
    await harness.fault(arms={"baseline": "missing"})
    found = await target.preflight(harness.member, Split.candidate(0))
    assert not found.ready
    assert "no baseline arm" in found.problems[0]


async def test_c16_tgt15_a_destination_that_cannot_serve_is_not_ready(harness: Harness, target: Target) -> None:
    await harness.fault(arms={"baseline": "unhealthy"})
    found = await target.preflight(harness.member, Split.candidate(0))
    assert not found.ready
    assert "not healthy" in found.problems[0]


async def test_c16_an_ailing_candidate_does_not_stand_in_the_way_of_leaving_it(
    harness: Harness, target: Target
) -> None:
    await harness.fault(arms={"candidate": "unhealthy"})
    assert (await target.preflight(harness.member, Split.candidate(harness.shares.down))).ready


@pytest.mark.needs("digest", "wrong digest")
async def test_c16_a_destination_with_another_digest_is_not_ready(harness: Harness, target: Target) -> None:
    other = harness.member.model_copy(update={"baseline_digest": "sha256:" + "0" * 64})
    found = await target.preflight(other, Split.candidate(0))
    assert not found.ready
    assert found.destination_digest == harness.member.baseline_digest
    assert harness.member.baseline_digest in found.problems[0]


@pytest.mark.needs("reader")
async def test_c16_tgt16_tgt23_a_credential_that_may_only_read_is_found_before_people_are_asked(
    harness: Harness,
) -> None:
    reader = harness.reader()
    found = await reader.preflight(harness.member, Split.candidate(0))
    assert not found.ready
    assert not found.write_permitted
    assert harness.denied in found.problems[0]


@pytest.mark.needs("restricted")
async def test_c18_tgt23_the_credential_for_one_object_cannot_change_another(harness: Harness, target: Target) -> None:
    second = harness.member.model_copy(update={"name": "second"})
    before = await target.read(second)
    with pytest.raises(TargetRejected, match=harness.denied):
        await target.set(second, Split.candidate(0), idempotency_key="c18", fence=99, expected_revision=None)
    assert (await target.read(second)).revision == before.revision


async def test_c16_an_unknown_split_is_not_ready(harness: Harness, target: Target) -> None:
    nobody = harness.member.model_copy(update={"name": "nobody"})
    found = await target.preflight(nobody, Split.candidate(0))
    assert (found.ready, found.write_permitted, found.destination_digest) == (False, False, None)
