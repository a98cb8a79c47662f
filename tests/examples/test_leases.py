"""The demo's leases: a share that nobody renews goes back by itself, and never up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from countermand.plan.target import Split
from examples.demo.leases import AboveCap, LeaseRefused, LeaseStore
from examples.demo.split import SplitStore

NAME = "assistant"


@pytest.fixture
def splits(tmp_path: Path) -> Iterator[SplitStore]:
    store = SplitStore(tmp_path / "split.sqlite")
    store.seed(NAME, Split.candidate(0), salt="salt/")
    yield store
    store.close()


@pytest.fixture
def leases(splits: SplitStore) -> LeaseStore:
    return LeaseStore(splits.database, splits)


def set_share(splits: SplitStore, candidate_bp: int) -> None:
    splits.write(splits.get(NAME), Split.candidate(candidate_bp), key=f"to {candidate_bp}", fence=3)


async def test_a_lease_that_nobody_renews_brings_back_the_share_it_began_with(
    splits: SplitStore, leases: LeaseStore
) -> None:
    leases.hold(NAME, "one", cap_bp=100, seconds=0.1)
    set_share(splits, 100)
    assert leases.expire() == []
    await asyncio.sleep(0.2)
    (back,) = leases.expire()
    assert (back.candidate_bp, back.idempotency_key, back.fence) == (0, "lease/one/expired", 3)
    assert splits.get(NAME) == back
    assert leases.expire() == []
    with pytest.raises(LeaseRefused, match="expired"):
        leases.hold(NAME, "one", cap_bp=100, seconds=5)


async def test_a_renewed_lease_goes_on(splits: SplitStore, leases: LeaseStore) -> None:
    leases.hold(NAME, "one", cap_bp=100, seconds=0.1)
    set_share(splits, 100)
    leases.hold(NAME, "one", cap_bp=100, seconds=60)
    await asyncio.sleep(0.2)
    assert leases.expire() == []
    assert splits.get(NAME).candidate_bp == 100


async def test_an_expired_lease_never_gives_the_candidate_more(splits: SplitStore, leases: LeaseStore) -> None:
    set_share(splits, 100)
    leases.hold(NAME, "one", cap_bp=200, seconds=0.1)
    set_share(splits, 0)
    await asyncio.sleep(0.2)
    assert leases.expire() == []
    assert splits.get(NAME).candidate_bp == 0
    assert leases.on(NAME) is None


def test_no_share_above_the_cap_is_accepted_while_it_is_on(splits: SplitStore, leases: LeaseStore) -> None:
    leases.hold(NAME, "one", cap_bp=100, seconds=60)
    leases.refuse_above(NAME, Split.candidate(100))
    with pytest.raises(AboveCap, match="101"):
        leases.refuse_above(NAME, Split.candidate(101))
    leases.release(NAME, "one")
    leases.refuse_above(NAME, Split.candidate(10_000))


def test_a_lease_ends_only_when_its_share_is_given_back(splits: SplitStore, leases: LeaseStore) -> None:
    leases.hold(NAME, "one", cap_bp=100, seconds=60)
    set_share(splits, 100)
    with pytest.raises(LeaseRefused, match="set 0 bp first"):
        leases.release(NAME, "one")
    set_share(splits, 0)
    leases.release(NAME, "one")
    leases.release(NAME, "one")
    with pytest.raises(LeaseRefused, match="released"):
        leases.hold(NAME, "one", cap_bp=100, seconds=60)


def test_there_is_one_lease_at_a_time_and_its_cap_stays(splits: SplitStore, leases: LeaseStore) -> None:
    leases.hold(NAME, "one", cap_bp=100, seconds=60)
    with pytest.raises(LeaseRefused, match="'one' is on"):
        leases.hold(NAME, "two", cap_bp=100, seconds=60)
    with pytest.raises(LeaseRefused, match="nothing else is accepted"):
        leases.hold(NAME, "one", cap_bp=5_000, seconds=60)


def test_no_lease_begins_above_its_cap(splits: SplitStore, leases: LeaseStore) -> None:
    set_share(splits, 101)
    with pytest.raises(LeaseRefused, match="101 bp, more than 100 bp"):
        leases.hold(NAME, "one", cap_bp=100, seconds=60)
