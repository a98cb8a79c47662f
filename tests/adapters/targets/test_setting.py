"""Setting a split: absolute, once per key, never over somebody else's change (C1–C8, C14, C21)."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import ValidationError

from activities.ports import Target, TargetRejected
from countermand.canonical import canonical, digest_bytes
from countermand.plan.target import WHOLE, SetOutcome, Split, TargetState
from tests.adapters.targets.harness import Harness

# Raw answers also hold counters and ages, in any order.
AS_READ = {"read_at", "raw_sha256"}


async def put(
    harness: Harness,
    target: Target,
    candidate_bp: int,
    *,
    start: TargetState,
    step: int = 1,
    key: str | None = None,
    expected_revision: str | None = None,
    dry_run: bool = False,
) -> SetOutcome:
    """`step` counts the fence on from where the split was at the start."""
    return await target.set(
        harness.member,
        Split.candidate(candidate_bp),
        idempotency_key=key or f"from/{start.revision}/stage/{step}",
        fence=start.fence + step,
        expected_revision=expected_revision,
        dry_run=dry_run,
    )


def ours(target: Target) -> str:
    """Who is named for our own change when only the target can tell."""
    return "our_key" if target.capabilities.stores_fence else "unknown"


async def test_c1_reading_twice_gives_one_revision_and_a_change_gives_another(harness: Harness, target: Target) -> None:
    first, second = await target.read(harness.member), await target.read(harness.member)
    assert first.split == Split.candidate(harness.shares.start)
    assert first.revision == second.revision
    await harness.external_edit(harness.shares.edited)
    assert (await target.read(harness.member)).revision != first.revision


async def test_c2_tgt2_a_set_reports_what_it_read_back(harness: Harness, target: Target) -> None:
    start = await target.read(harness.member)
    outcome = await put(harness, target, harness.shares.down, start=start, key="c2", expected_revision=start.revision)
    assert (outcome.result, outcome.by, outcome.resolved_by) == ("applied", "our_key", "response")
    assert outcome.before.split == start.split
    after = await target.read(harness.member)
    assert outcome.after.model_dump(exclude=AS_READ) == after.model_dump(exclude=AS_READ)


@pytest.mark.needs("transcript")
async def test_c2_tgt2_a_set_reads_writes_once_and_reads_again(harness: Harness, target: Target) -> None:
    start = await target.read(harness.member)
    await put(harness, target, harness.shares.down, start=start, expected_revision=start.revision)
    assert harness.transcript() == ["read", "read", "write", "read"]


async def test_c2_raw_answers_are_kept_by_digest_before_they_are_believed(harness: Harness) -> None:
    kept: dict[str, bytes] = {}

    async def keep(raw: bytes, media_type: str) -> str:
        assert media_type in ("application/json", "text/plain")
        kept[digest_bytes(raw)] = raw
        return digest_bytes(raw)

    target = harness.target(keep=keep)
    start = await target.read(harness.member)
    outcome = await put(harness, target, harness.shares.down, start=start)
    assert start.raw_sha256 != outcome.after.raw_sha256
    assert {outcome.before.raw_sha256, outcome.after.raw_sha256} <= set(kept)
    assert harness.shows(harness.shares.down) in kept[outcome.after.raw_sha256]


async def test_c3_tgt1_the_same_set_again_is_already_and_changes_nothing(harness: Harness, target: Target) -> None:
    start = await target.read(harness.member)
    first = await put(harness, target, harness.shares.down, start=start, key="c3", expected_revision=start.revision)
    again = await put(harness, target, harness.shares.down, start=start, key="c3", expected_revision=start.revision)
    assert (again.result, again.by) == ("already", ours(target))
    assert again.after.revision == first.after.revision
    assert await harness.effects("c3") == 1


async def test_c3_rel4_a_state_that_somebody_else_set_is_already_by_external(harness: Harness, target: Target) -> None:
    start = await target.read(harness.member)
    outcome = await put(harness, target, harness.shares.start, start=start, key="c3-external")
    assert (outcome.result, outcome.by) == ("already", harness.stranger)
    assert await harness.effects("c3-external") == 0


async def test_r34_a_set_sent_a_hundred_times_changes_the_target_once(harness: Harness, target: Target) -> None:
    start = await target.read(harness.member)
    first = await put(harness, target, harness.shares.down, start=start, key="r34")
    again = [await put(harness, target, harness.shares.down, start=start, key="r34") for _ in range(99)]
    assert (first.result, {outcome.result for outcome in again}) == ("applied", {"already"})
    assert (await target.read(harness.member)).revision == first.after.revision
    assert await harness.effects("r34") == 1


async def test_c4_twenty_sets_at_once_end_as_wanted(harness: Harness, target: Target) -> None:
    start = await target.read(harness.member)
    outcomes = await asyncio.gather(
        *(
            put(harness, target, harness.shares.down, start=start, key="c4", expected_revision=start.revision)
            for _ in range(20)
        )
    )
    assert {outcome.result for outcome in outcomes} <= {"applied", "already", "conflict"}
    assert (await target.read(harness.member)).split == Split.candidate(harness.shares.down)


@pytest.mark.needs("one effect")
async def test_c4_twenty_sets_at_once_take_effect_once(harness: Harness, target: Target) -> None:
    start = await target.read(harness.member)
    await asyncio.gather(
        *(
            put(harness, target, harness.shares.down, start=start, key="c4-once", expected_revision=start.revision)
            for _ in range(20)
        )
    )
    assert await harness.effects("c4-once") == 1


async def test_c5_a_stale_revision_is_a_conflict_and_nothing_is_overwritten(harness: Harness, target: Target) -> None:
    start = await target.read(harness.member)
    await harness.external_edit(harness.shares.edited)
    outcome = await put(harness, target, harness.shares.further, start=start, expected_revision=start.revision)
    assert (outcome.result, outcome.by) == ("conflict", harness.stranger)
    assert (await target.read(harness.member)).split == Split.candidate(harness.shares.edited)


@pytest.mark.needs("native compare")
async def test_c5_an_edit_between_read_and_write_is_a_conflict_by_the_targets_own_check(
    harness: Harness, target: Target
) -> None:
    assert target.capabilities.compare_and_swap == "native"
    start = await target.read(harness.member)
    await harness.fault(external_edit=7_000)
    outcome = await put(harness, target, 2_500, start=start, expected_revision=start.revision)
    assert (outcome.result, outcome.by) == ("conflict", harness.stranger)
    assert outcome.after.split == Split.candidate(7_000)
    assert {409, 412} & set(harness.wire.statuses)


async def test_c6_a_late_duplicate_that_knows_its_revision_does_not_raise_exposure(
    harness: Harness, target: Target
) -> None:
    start = await target.read(harness.member)
    first = await put(harness, target, harness.shares.down, start=start, step=1, expected_revision=start.revision)
    await put(harness, target, harness.shares.further, start=start, step=2, expected_revision=first.after.revision)
    if target.capabilities.stores_fence:
        with pytest.raises(TargetRejected, match="fence"):
            await put(harness, target, harness.shares.down, start=start, step=1, expected_revision=start.revision)
    else:
        late = await put(harness, target, harness.shares.down, start=start, step=1, expected_revision=start.revision)
        assert late.result == "conflict"
    assert (await target.read(harness.member)).split == Split.candidate(harness.shares.further)


@pytest.mark.needs("fence")
async def test_c6_tgt3_a_late_duplicate_of_stage_one_does_not_raise_exposure_after_stage_two(
    harness: Harness, target: Target
) -> None:
    assert target.capabilities.stores_fence
    start = await target.read(harness.member)
    first = await put(harness, target, harness.shares.down, start=start, step=1, key="c6/1")
    second = await put(
        harness,
        target,
        harness.shares.further,
        start=start,
        step=2,
        key="c6/2",
        expected_revision=first.after.revision,
    )
    assert (second.after.idempotency_key, second.after.fence) == ("c6/2", start.fence + 2)
    for revision in (start.revision, second.after.revision, None):
        with pytest.raises(TargetRejected, match="fence"):
            await put(harness, target, harness.shares.down, start=start, step=1, key="c6/1", expected_revision=revision)
    assert (await target.read(harness.member)).split == Split.candidate(harness.shares.further)


async def test_c7_tgt5_a_dry_run_changes_nothing_and_says_whose_it_was(harness: Harness, target: Target) -> None:
    start = await target.read(harness.member)
    outcome = await put(harness, target, harness.shares.down, start=start, dry_run=True)
    assert (outcome.result, outcome.dry_run) == ("applied", target.capabilities.dry_run)
    assert outcome.after.revision == start.revision
    assert (await target.read(harness.member)).revision == start.revision


async def test_c7_a_dry_run_still_refuses_what_a_set_refuses(harness: Harness, target: Target) -> None:
    start = await target.read(harness.member)
    stale = await put(
        harness, target, harness.shares.down, start=start, expected_revision="no such revision", dry_run=True
    )
    assert stale.result == "conflict"
    with pytest.raises(TargetRejected, match=harness.unknown_member):
        await target.set(
            harness.member.model_copy(update={"name": "no such split"}),
            Split.candidate(0),
            idempotency_key="c7",
            fence=99,
            expected_revision=None,
            dry_run=True,
        )


@pytest.mark.needs("reader")
async def test_c7_a_dry_run_with_a_credential_that_may_only_read_is_refused(harness: Harness, target: Target) -> None:
    start = await target.read(harness.member)
    with pytest.raises(TargetRejected, match=harness.denied):
        await put(harness, harness.reader(), harness.shares.down, start=start, dry_run=True)


@pytest.mark.parametrize(
    ("candidate_bp", "baseline_bp"), [(10_001, -1), (-1, 10_001), (5_000, 4_000), (250, 250), (0, 0)]
)
async def test_c8_tgt7_shares_that_are_no_split_never_reach_the_target(
    harness: Harness, target: Target, candidate_bp: int, baseline_bp: int
) -> None:
    with pytest.raises(ValidationError):
        Split(candidate_bp=candidate_bp, baseline_bp=baseline_bp)
    smuggled = Split.candidate(0).model_copy(update={"candidate_bp": candidate_bp, "baseline_bp": baseline_bp})
    with pytest.raises(TargetRejected, match="add up to 10,000"):
        await target.set(harness.member, smuggled, idempotency_key="c8", fence=99, expected_revision=None)
    assert await harness.effects("c8") == 0


@pytest.mark.needs("transcript")
async def test_c8_tgt7_shares_that_are_no_split_cost_no_call(harness: Harness, target: Target) -> None:
    smuggled = Split.candidate(0).model_copy(update={"candidate_bp": 10_001})
    with pytest.raises(TargetRejected):
        await target.set(harness.member, smuggled, idempotency_key="c8", fence=99, expected_revision=None)
    assert harness.transcript() == []


async def test_c8_tgt7_a_share_that_the_target_cannot_express_is_rejected_and_changes_nothing(
    harness: Harness, target: Target
) -> None:
    start = await target.read(harness.member)
    finer = target.capabilities.granularity_bp - 1 or 2
    if finer == 2:
        outcome = await put(harness, target, finer, start=start)
        assert outcome.after.split == Split.candidate(finer)
    else:
        with pytest.raises(TargetRejected, match="multiples of"):
            await put(harness, target, finer, start=start)
        assert (await target.read(harness.member)).revision == start.revision


async def test_c8_an_unknown_object_is_rejected(harness: Harness, target: Target) -> None:
    nobody = harness.member.model_copy(update={"name": "nobody/here"})
    with pytest.raises(TargetRejected, match=harness.unknown_member):
        await target.read(nobody)
    with pytest.raises(TargetRejected, match=harness.unknown_member):
        await target.set(nobody, Split.candidate(0), idempotency_key="c8", fence=1, expected_revision=None)


async def test_c14_down_to_zero_and_back_up_ends_byte_for_byte_where_it_began(harness: Harness, target: Target) -> None:
    start = await target.read(harness.member)
    revision = start.revision
    for step, candidate_bp in enumerate(harness.shares.journey, start=1):
        outcome = await put(harness, target, candidate_bp, start=start, step=step, expected_revision=revision)
        assert (outcome.result, outcome.after.split.candidate_bp) == ("applied", candidate_bp)
        revision = outcome.after.revision
    end = await target.read(harness.member)
    assert canonical(end.split.model_dump()) == canonical(start.split.model_dump())


async def test_c21_the_finest_share_that_is_claimed_can_be_set(harness: Harness, target: Target) -> None:
    finest = target.capabilities.granularity_bp
    assert (target.capabilities.kind == "alias") is (finest == WHOLE)
    await put(harness, target, 0, start=await target.read(harness.member))
    start = await target.read(harness.member)
    outcome = await put(harness, target, finest, start=start)
    assert outcome.after.split == Split.candidate(finest)


async def test_c21_a_target_that_stores_no_fence_says_so_and_shows_none(harness: Harness, target: Target) -> None:
    start = await target.read(harness.member)
    outcome = await put(harness, target, harness.shares.down, start=start, key="c21")
    stored = (outcome.after.idempotency_key, outcome.after.fence)
    assert stored == (("c21", start.fence + 1) if target.capabilities.stores_fence else (None, 0))
