"""Sealed blocks: what they refuse, that they add up, and that order changes nothing (DET-2, DET-3, §15 row 6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from countermand.detection.blocks import Arm, Block, BlockState

SCORES = st.lists(st.integers(0, 10_000), max_size=30)


def scores(bench, values):
    return bench.filled(Arm.candidate, **bench.moments([value / 10_000 for value in values]))


@given(SCORES, SCORES)
def test_the_block_of_two_sets_of_scores_is_the_sum_of_their_blocks(bench, first, second):
    assert scores(bench, first) + scores(bench, second) == scores(bench, first + second)


@given(st.lists(st.sampled_from(["a", "b", "c"])), st.lists(st.sampled_from(["a", "b", "c"])))
def test_categories_and_buckets_add_up(bench, first, second):
    def block(values):
        counts = {value: values.count(value) for value in values}
        hist = {ord(value): count for value, count in counts.items()}
        return bench.filled(Arm.baseline, scored=len(values), counts=counts, hist=hist)

    assert block(first) + block(second) == block(first + second)


def test_an_unknown_part_makes_the_sum_unknown(bench):
    known, dark = bench.block(Arm.candidate, 1, 10), bench.unknown(Arm.candidate, "stale")
    for total in (known + dark, dark + known):
        assert (total.state, total.reason, total.scored) == (BlockState.unknown, "stale", 10)


def test_blocks_of_different_arms_do_not_add_up(bench):
    with pytest.raises(ValueError, match=r"'hallucinations' of the candidate \(all\) and 'hallucinations' of the base"):
        bench.block(Arm.candidate, 1, 10) + bench.block(Arm.baseline, 1, 10)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"bad": 3, "scored": 2}, "bad 3 ≤ scored 2"),
        ({"scored": 2, "sum": 100}, "given together"),
        ({"scored": 2, "sum": 20_001, "sumsq": 2 * 10**8}, "no 2 scores between 0 and 10000"),
        ({"scored": 2, "sum": 10_000, "sumsq": 49_999_999}, "no 2 scores"),
        ({"scored": 3, "hist": {7: 2}}, "hist holds 2 outputs, scored are 3"),
        ({"scored": 3, "counts": {"a": 4}}, "counts holds 4 outputs, scored are 3"),
        ({"scored": 3, "counts": {"A b": 3}}, "should match pattern"),
        ({"scored": -1}, "greater than or equal to 0"),
        ({"scored": 2**53}, "less than"),
    ],
)
def test_impossible_sums_are_refused(bench, fields, said):
    with pytest.raises(ValidationError, match=said):
        bench.filled(Arm.candidate, **fields)


def test_a_block_of_a_rate_holds_nothing_else_in_json(bench):
    """What a kind does not use must not change the digest of sealed rows."""
    assert set(bench.block(Arm.candidate, 1, 10).model_dump(mode="json")) == {
        "signal", "arm", "segment", "state", "reason", "served", "scored", "bad",
    }  # fmt: skip


@given(st.permutations(range(4)))
def test_the_digest_of_a_row_does_not_depend_on_the_order_of_its_blocks(bench, order):
    blocks = [bench.block(arm, 1, 10, signal=signal) for signal in ("a", "b") for arm in Arm]
    assert bench.row(0, *(blocks[i] for i in order)).digest == bench.row(0, *blocks).digest


def test_a_second_block_of_one_signal_arm_and_segment_is_refused(bench):
    part = bench.block(Arm.candidate, 1, 10)
    with pytest.raises(ValidationError, match="at most one block per signal, arm and segment"):
        bench.row(0, part, part)


def test_a_block_with_every_sum_survives_json(bench):
    block = bench.filled(Arm.candidate, **bench.moments([0.5, 0.25]), hist={3: 2}, counts={"a": 1, "b": 1})
    assert Block.model_validate_json(block.model_dump_json()) == block
