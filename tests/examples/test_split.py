"""The demo's split: who is moved when a share changes, and what the store refuses."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from countermand.detection.models import Arm
from countermand.plan.target import Split
from examples.demo.split import KeyReused, LowerFence, Moved, SplitStore, UnknownSplit, arm_of

USERS = [f"user-{number}" for number in range(20_000)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SplitStore]:
    store = SplitStore(tmp_path / "split.sqlite")
    store.seed("assistant", Split.candidate(5_000), salt="salt/")
    yield store
    store.close()


def served_by_candidate(candidate_bp: int) -> set[str]:
    return {user for user in USERS if arm_of("salt/", user, candidate_bp) is Arm.candidate}


def test_shrinking_the_share_never_moves_a_baseline_user_to_the_candidate() -> None:
    shares = (10_000, 5_000, 2_500, 1_000, 1, 0)
    before = served_by_candidate(shares[0])
    assert before == set(USERS)
    for share in shares[1:]:
        after = served_by_candidate(share)
        assert after <= before
        before = after
    assert before == set()


@pytest.mark.parametrize("candidate_bp", [500, 2_500, 5_000])
def test_the_share_of_users_is_the_share_asked_for(candidate_bp: int) -> None:
    assert len(served_by_candidate(candidate_bp)) / len(USERS) == pytest.approx(candidate_bp / 10_000, abs=0.012)


def test_a_user_is_with_the_same_arm_at_every_request() -> None:
    assert served_by_candidate(3_000) == served_by_candidate(3_000)


def test_another_salt_draws_other_users() -> None:
    other = {user for user in USERS if arm_of("other/", user, 5_000) is Arm.candidate}
    assert len(other & served_by_candidate(5_000)) < 0.6 * len(other)


def test_a_change_is_one_new_generation_with_a_line_of_history(store: SplitStore) -> None:
    state, already = store.change("assistant", Split.candidate(0), key="k", fence=1, generation=1, dry_run=False)
    assert (state.generation, state.candidate_bp, state.idempotency_key, already) == (2, 0, "k", False)
    assert store.get("assistant") == state
    assert store.history("assistant")[-1] == state
    assert [line.generation for line in store.history("assistant")] == [1, 2]


def test_a_key_that_was_applied_is_not_applied_again_whatever_came_after(store: SplitStore) -> None:
    for generation, (share, key) in enumerate([(2_500, "one"), (0, "two")], start=1):
        store.change(
            "assistant",
            Split.candidate(share),
            key=key,
            fence=generation,
            generation=generation,
            dry_run=False,
        )
    state, already = store.change("assistant", Split.candidate(2_500), key="one", fence=1, generation=1, dry_run=False)
    assert (state.candidate_bp, state.generation, already) == (0, 3, True)
    with pytest.raises(KeyReused):
        store.change("assistant", Split.candidate(9_000), key="one", fence=3, generation=3, dry_run=False)


@pytest.mark.parametrize(
    ("name", "fence", "generation", "refusal"),
    [
        ("nobody", 5, 2, UnknownSplit),
        ("assistant", 4, 2, LowerFence),
        ("assistant", 5, 1, Moved),
        ("assistant", 5, None, Moved),
    ],
)
def test_a_refused_change_changes_nothing(
    store: SplitStore, name: str, fence: int, generation: int | None, refusal: type[Exception]
) -> None:
    now, _ = store.change("assistant", Split.candidate(2_500), key="one", fence=5, generation=1, dry_run=False)
    for dry_run in (True, False):
        with pytest.raises(refusal):
            store.change(name, Split.candidate(0), key="two", fence=fence, generation=generation, dry_run=dry_run)
    assert store.get("assistant") == now


def test_the_history_cannot_be_rewritten(store: SplitStore, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "split.sqlite")
    for statement in ("update split_history set candidate_bp = 0", "delete from split_history"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            other.execute(statement)
    other.close()


def test_seeding_again_keeps_what_was_set(store: SplitStore) -> None:
    store.change("assistant", Split.candidate(0), key="k", fence=1, generation=1, dry_run=False)
    store.seed("assistant", Split.candidate(5_000), salt="another/")
    assert (store.get("assistant").candidate_bp, store.salt("assistant")) == (0, "salt/")
