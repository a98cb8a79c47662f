"""Criteria with longer blocks of their own, for few labels (DET-22)."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from countermand.detection.composition import Node, combined
from countermand.detection.models import Arm, VerdictWord
from countermand.detection.state import State
from countermand.detection.watch import advance, start

PEOPLE = {"kind": "judgement", "bad": "higher", "expect": "0.1", "block": "10m", "min_coverage": "0.5"}


def people(bench, **changes):
    return bench.signal_rule(PEOPLE, {"ratio": "1.2"}, **changes)


def few(bench, seq, bad, label=True):
    """A minute with two labels on each arm, or with traffic and no label at all."""
    blocks = [bench.filled(Arm.candidate, bad=bad, scored=2), bench.filled(Arm.baseline, bad=0, scored=2)]
    if not label:
        blocks = [bench.unknown(arm, "no_traffic", signal="s") for arm in Arm]
    return bench.row(seq, *blocks)


def test_labels_are_pooled_and_judged_once_per_block_of_the_criterion(bench):
    rule = people(bench)
    state, used = start(rule), []
    for seq in range(20):
        state = advance(rule, state, few(bench, seq, 1, label=seq % 3 > 0))
        used.append(bool(state.criteria[0].used))
        assert State.model_validate_json(state.model_dump_json()) == state
    assert [seq for seq, judged in enumerate(used) if judged] == [9, 19]
    assert state.criteria[0].counts[1] == 2 * 13


def test_until_the_first_block_is_complete_nothing_is_known_then_it_stays_known(bench):
    verdicts = [v for _, v in bench.watch(people(bench), [few(bench, seq, 0) for seq in range(15)])]
    assert [v.word for v in verdicts] == [VerdictWord.unknown] * 9 + [VerdictWord.ok] * 6
    assert verdicts[0].criteria[0].unknown.reason == "pooling"
    assert "labels are pooled" in verdicts[0].sentence


def test_a_block_without_any_label_is_unknown(bench):
    rows = [few(bench, seq, 0, label=False) for seq in range(25)]
    verdicts = [v for _, v in bench.watch(people(bench), rows)]
    assert {v.word for v in verdicts} == {VerdictWord.unknown}


def test_the_evidence_between_blocks_grows_only_by_new_mass(bench):
    rule = people(bench)
    state, _ = bench.last(rule, [few(bench, seq, 2) for seq in range(10)])
    after = advance(rule, state, few(bench, 10, 2))
    assert after.criteria[0].evidence[0] - state.criteria[0].evidence[0] < 2000


def test_people_find_harm_in_few_labels(bench):
    rule, traffic = people(bench), bench.traffic(91)

    def row(seq):
        arms = (Arm.candidate, 0.5), (Arm.baseline, 0.1)
        return bench.row(seq, *(bench.filled(arm, bad=traffic.bad(5, rate), scored=5) for arm, rate in arms))

    assert bench.fires(rule, [row(seq) for seq in range(200)]) <= 60


@given(st.lists(st.integers(-5_000_000, 5_000_000), min_size=1, max_size=6), st.data())
def test_without_one_clock_the_kth_largest_pays_for_the_choice(values, data):
    n, k = len(values), data.draw(st.integers(1, len(values)))
    node = Node(k=k, members=tuple(range(n)))
    exact = sorted(values)[n - k] - 1e6 * math.log(n - k + 1)
    assert exact - 2 < combined(node, values, one_clock=False) <= exact
    assert combined(node, values, one_clock=False) <= combined(node, values) + 2


def test_a_combination_of_different_blocks_has_no_common_clock(bench):
    other = {"signal": "hallucinations", "tolerate": {"ratio": "1.2"}}
    mixed = bench.rule(
        [{"id": "t", "any": [{"signal": "s", "tolerate": {"ratio": "1.2"}}, other]}],
        signals={"hallucinations": {}, "s": {**PEOPLE, "show": None}},
    )
    assert not mixed.main.one_clock
    assert people(bench).main.one_clock


def test_a_block_of_its_own_is_a_multiple_of_the_block(bench):
    with pytest.raises(ValidationError, match="'90s' is not a whole number of blocks of 1m"):
        bench.signal_rule({**PEOPLE, "block": "90s"}, {"ratio": "1.2"})
