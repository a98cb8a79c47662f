"""A verdict puts its words together only when somebody reads them, and is the same value before and after."""

from __future__ import annotations

import pickle
from copy import copy, deepcopy

import pytest

from countermand.canonical import digest
from countermand.detection.models import Arm, Verdict, WatchVerdict
from countermand.detection.watch import combine, start, step


def fresh(bench):
    rule = bench.rule()
    return step(rule, start(rule), bench.counted(0, (9, 1000), (4, 1000)))[1]


def read(bench):
    verdict = fresh(bench)
    assert verdict.sentence
    return verdict


@pytest.mark.parametrize("seen", [copy, deepcopy, lambda v: pickle.loads(pickle.dumps(v))])  # noqa: S301
def test_an_unread_verdict_equals_a_read_one_and_survives_copies(bench, seen):
    assert seen(fresh(bench)) == read(bench)
    assert fresh(bench) == seen(read(bench))
    assert fresh(bench) != fresh(bench).model_copy(update={"seq": 7})


def test_an_unread_verdict_is_written_whole_and_in_order_wherever_it_stands(bench):
    unread = fresh(bench)
    assert list(unread.model_dump()) == list(Verdict.model_fields)
    assert fresh(bench).model_dump_json() == read(bench).model_dump_json()
    assert digest(fresh(bench)) == digest(read(bench))
    watch = combine([fresh(bench)])
    assert WatchVerdict.model_validate_json(watch.model_dump_json()) == combine([read(bench)])


def test_every_field_of_an_unread_verdict_can_be_read_first(bench):
    whole = read(bench)
    for name in Verdict.model_fields:
        assert getattr(fresh(bench), name) == getattr(whole, name)
    assert repr(fresh(bench)) == repr(whole)
    with pytest.raises(AttributeError, match="no_such_field"):
        _ = fresh(bench).no_such_field


def test_a_record_names_the_sealed_blocks_it_rests_on(bench):
    parts = [(part, arm) for part in ("x=b", "all") for arm in reversed(Arm)]
    row = bench.row(0, *(bench.filled(arm, "hallucinations", part, scored=9, source=arm) for part, arm in parts))
    rule = bench.rule()
    read = [row.find("hallucinations", arm, part) for arm in Arm for part in ("all", "x=b")]
    record = step(rule, start(rule), row)[1].criteria[0]
    assert record.blocks == tuple(map(digest, read))
    assert record.sources == ("baseline", "candidate")


def test_traffic_that_is_not_divided_at_random_makes_the_bound_conditional(bench):
    rule = bench.rule(routing="by_class")
    _, verdict = bench.last(rule, [bench.counted(seq, (60, 1000), (5, 1000)) for seq in range(9)])
    assert verdict.guarantee.reasons[0] == "routing_not_random"
    assert verdict.sentence.endswith(
        "if those who get the candidate are like the others: traffic is not divided at random."
    )
