"""The severe lane, warm-up, and the standing watch after the declared length (DET-13, DET-15, DET-16)."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from countermand.detection.models import Arm, VerdictWord
from countermand.detection.watch import advance, start, step

ALL_BAD = ((1000, 1000), (5, 1000))
FINE = ((4, 1000), (5, 1000))


def with_severe(bench, *criteria, severe=None, form="any", **changes):
    members = list(criteria) or [{"signal": "hallucinations", "tolerate": {"ratio": "1.2"}}]
    return bench.rule([{"id": "t", form: members, "severe": severe}], **changes)


def tolerances(rule):
    return [(criterion.lane, criterion.ratio, criterion.absolute) for criterion in rule.criteria]


def test_a_trigger_of_one_criterion_has_a_severe_lane_with_a_fifth_of_its_budget(bench):
    rule = with_severe(bench)
    assert [(lane.name, lane.alpha, lane.sustain_blocks) for lane in rule.lanes] == [
        ("main", Decimal("0.0072"), 5),
        ("severe", Decimal("0.0018"), 3),
    ]
    assert tolerances(rule) == [("main", Decimal("1.2"), 0), ("severe", 3, 0)]


@pytest.mark.parametrize(
    ("written", "absolute"), [({"absolute": "0.01"}, "0.05"), ({"absolute": "0.02"}, "0.06"), ({"ratio": "3"}, None)]
)
def test_the_severe_tolerance_is_wider_or_there_is_none(bench, written, absolute):
    rule = with_severe(bench, {"signal": "hallucinations", "tolerate": written})
    assert tolerances(rule)[1:] == ([("severe", 1, Decimal(absolute))] if absolute else [])


def test_severe_none_gives_the_whole_budget_to_the_main_lane(bench):
    assert [lane.alpha for lane in with_severe(bench, severe="none").lanes] == [Decimal("0.009")]


def test_a_combination_has_a_severe_lane_only_if_it_is_written(bench):
    criteria = [{"signal": "hallucinations", "tolerate": {"ratio": "1.2"}}] * 2
    assert len(with_severe(bench, *criteria, form="all").lanes) == 1
    rule = with_severe(bench, *criteria, form="all", severe={"ratio": 4, "sustain": "2m"})
    assert [lane.sustain_blocks for lane in rule.lanes] == [5, 2]
    assert tolerances(rule)[2:] == [("severe", 4, 0)] * 2


def test_serious_harm_fires_after_three_blocks_and_the_verdict_names_the_lane(bench):
    rule = with_severe(bench)
    verdicts = [v for _, v in bench.watch(rule, [bench.counted(i, *ALL_BAD) for i in range(4)])]
    assert [v.word for v in verdicts] == [VerdictWord.ok, VerdictWord.watch, VerdictWord.trigger, VerdictWord.trigger]
    fired = verdicts[2]
    assert (fired.lane, fired.alpha, fired.latched_at) == ("severe", "0.0018", 2)
    assert "up to 3 times is tolerated" in fired.sentence
    assert "at most 0.18 % of watches" in fired.sentence
    assert fired.micronats >= fired.limit_micronats


def test_two_blocks_never_fire_even_with_a_severe_lane(bench):
    rule = with_severe(bench)
    rows = [bench.counted(i, *(ALL_BAD if i % 3 else FINE)) for i in range(2)]
    assert bench.last(rule, rows)[0].latched_at is None


def test_tenfold_harm_is_found_within_five_blocks(bench):
    traffic = bench.traffic(31)

    def rows():
        return (bench.counted(i, (traffic.bad(1000, 0.05), 1000), (traffic.bad(1000, 0.005), 1000)) for i in range(30))

    found = sorted(bench.fires(with_severe(bench), rows()) or 31 for _ in range(100))
    assert found[50] <= 5


def test_warm_up_rows_give_no_evidence_in_the_main_lane_and_keep_the_severe_lane_alive(bench):
    criterion = {"signal": "hallucinations", "tolerate": {"ratio": "1.2"}, "warm_up": "10m"}
    rule = with_severe(bench, criterion)
    verdicts = [v for _, v in bench.watch(rule, [bench.counted(i, *ALL_BAD) for i in range(3)])]
    assert [v.word for v in verdicts] == [VerdictWord.unknown] * 2 + [VerdictWord.trigger]
    assert verdicts[2].lane == "severe"
    assert verdicts[0].criteria[0].unknown.reason == "warm_up"
    assert "its first blocks only teach what is usual" in verdicts[0].sentence
    alone = with_severe(bench, criterion, severe="none")
    assert bench.fires(alone, [bench.counted(i, *ALL_BAD) for i in range(20)]) == 15


def test_latency_warms_up_for_five_blocks(bench):
    rule = bench.signal_rule({"kind": "latency"}, {"slower_by": "10%"})
    traffic = bench.traffic(1)
    rows = [
        bench.row(i, *(bench.filled(arm, scored=100, hist=traffic.latencies(100)) for arm in Arm)) for i in range(6)
    ]
    words = [v.word for _, v in bench.watch(rule, rows)]
    assert words == [VerdictWord.unknown] * 5 + [VerdictWord.ok]


def short(bench):
    return with_severe(bench, severe="none", watch="5m", false_alarms={"per_release": "0.01", "standing": "90d"})


def test_after_the_declared_length_the_watch_starts_afresh_and_goes_on(bench):
    rule = short(bench)
    state, _ = bench.last(rule, [bench.counted(i, *ALL_BAD) for i in range(4)] + [bench.counted(4, *FINE)])
    assert state.latched_at is None
    state, verdict = step(rule, state, bench.dark(5))
    assert state.criteria[0].evidence == (0,) * 7
    assert verdict.standing
    state = advance(rule, state, bench.dark(6))
    assert state.criteria[0].evidence == (math.floor(math.log(2) * 1e6),) * 7


def test_the_standing_watch_fires_at_the_accepted_time_between_false_alarms(bench):
    rule = short(bench)
    assert rule.main.standing.limit == math.ceil(math.log(90 * 24 * 60) * 1e6)
    state = start(rule)
    for i in range(30):
        state = advance(rule, state, bench.counted(i, *FINE))
    rows = 0
    while state.latched_at is None:
        state, verdict = step(rule, state, bench.counted(30 + rows, *ALL_BAD))
        rows += 1
    assert 3 <= rows <= 6
    assert (verdict.standing, verdict.limit_odds) == (True, "129600")
