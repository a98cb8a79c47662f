"""Leases against the real service: caps and expiry hold at the target, whatever becomes of the writer."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from activities.ports import Leases, TargetRejected, TargetUnavailable
from adapters.embedded_target import EmbeddedTarget
from countermand.plan.target import Split
from tests.adapters.targets.harness import Harness
from tests.waiting import until


@pytest.fixture
def leased(harness: Harness) -> EmbeddedTarget:
    target = harness.target()
    if not target.capabilities.leases:
        assert not isinstance(target, Leases)
        pytest.skip("not expressible: leases")
    assert isinstance(target, EmbeddedTarget)
    return target


async def give(target: EmbeddedTarget, harness: Harness, candidate_bp: int) -> None:
    await target.set(
        harness.member,
        Split.candidate(candidate_bp),
        idempotency_key=uuid4().hex,
        fence=(await target.read(harness.member)).fence + 1,
        expected_revision=None,
    )


async def shows(target: EmbeddedTarget, harness: Harness, candidate_bp: int) -> None:
    async def there() -> bool:
        try:
            return (await target.read(harness.member)).split.candidate_bp == candidate_bp
        except TargetUnavailable:
            return False

    await until(there, f"the target shows {candidate_bp} bp", within=20)


async def test_the_target_goes_back_by_itself_when_nobody_renews(leased: EmbeddedTarget, harness: Harness) -> None:
    await give(leased, harness, 0)
    lease_id = uuid4().hex
    state = await leased.lease(harness.member, lease_id=lease_id, cap_bp=100, seconds=1)
    assert (state.lease_id, state.cap_bp, state.returns_to) == (lease_id, 100, Split.candidate(0))
    await give(leased, harness, 100)
    await shows(leased, harness, 0)
    assert (await leased.read(harness.member)).idempotency_key == f"lease/{lease_id}/expired"
    with pytest.raises(TargetRejected, match="409"):
        await leased.lease(harness.member, lease_id=lease_id, cap_bp=100, seconds=1)


async def test_the_target_refuses_more_than_the_cap(leased: EmbeddedTarget, harness: Harness) -> None:
    await give(leased, harness, 0)
    lease_id = uuid4().hex
    await leased.lease(harness.member, lease_id=lease_id, cap_bp=100, seconds=60)
    with pytest.raises(TargetRejected, match="422"):
        await give(leased, harness, 101)
    await leased.release(harness.member, lease_id)
    await give(leased, harness, 101)


async def test_a_lease_ends_only_when_the_share_is_given_back(leased: EmbeddedTarget, harness: Harness) -> None:
    await give(leased, harness, 0)
    lease_id = uuid4().hex
    await leased.lease(harness.member, lease_id=lease_id, cap_bp=100, seconds=60)
    await give(leased, harness, 100)
    with pytest.raises(TargetRejected, match="409"):
        await leased.release(harness.member, lease_id)
    await give(leased, harness, 0)
    await leased.release(harness.member, lease_id)
    await leased.release(harness.member, lease_id)


@pytest.mark.needs("halt")
async def test_a_lease_that_runs_out_while_the_target_is_down_goes_back_at_its_start(
    leased: EmbeddedTarget, harness: Harness
) -> None:
    await give(leased, harness, 0)
    lease_id = uuid4().hex
    await leased.lease(harness.member, lease_id=lease_id, cap_bp=100, seconds=2)
    await give(leased, harness, 100)
    await harness.halt()
    await asyncio.sleep(2.5)
    await harness.restart()
    state = await leased.read(harness.member)
    assert (state.split, state.idempotency_key) == (Split.candidate(0), f"lease/{lease_id}/expired")
