"""Without a concurrent baseline: a bound from past weeks, and its label (DET-26)."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from countermand.detection.kinds.past_weeks import needed_ratio, seasonal
from countermand.detection.models import Arm, Row, VerdictWord
from countermand.detection.rules import compile_rules

N = 1000


def history(bench, weeks=3, rates=(0.004, 0.005, 0.006)):
    """One baseline row per hour, with another rate in every week; Sunday 1 March 2026 is the first day."""
    start = bench.row(0).start - timedelta(weeks=weeks)
    rows = []
    for hour in range(weeks * 168):
        block = bench.block(Arm.baseline, round(N * rates[hour // 168]), N)
        rows.append(Row(seq=hour, start=start + timedelta(hours=hour), block=timedelta(minutes=1), blocks=(block,)))
    return rows


def rule_without_control(bench, rows, ratio="1.5"):
    detection = bench.detection(
        [{"id": "t", "any": [{"signal": "hallucinations", "tolerate": {"ratio": ratio}}]}],
        signals={"hallucinations": {"baseline": "none"}},
    )
    return compile_rules(detection, rows)[0]


def lone(bench, seq, bad):
    return bench.row(seq, bench.block(Arm.candidate, bad, N))


def test_the_bound_of_an_hour_is_the_mean_over_weeks_and_two_standard_errors(bench):
    bounds = seasonal(history(bench), "hallucinations")
    assert len(bounds) == 168
    assert set(bounds) == {math.ceil((0.005 + 2 * 0.001 / 3**0.5) * 1e9)}


def test_an_hour_known_from_one_week_only_has_no_bound(bench):
    assert seasonal(history(bench, weeks=1), "hallucinations") == ()
    bounds = seasonal([*history(bench, weeks=1), *history(bench, weeks=2)[:5]], "hallucinations")
    assert sum(bound >= 0 for bound in bounds) == 5


def test_days_that_differ_need_a_wider_tolerance(bench):
    assert needed_ratio(history(bench, rates=(0.005,) * 3), "hallucinations") == pytest.approx(1)
    assert needed_ratio(history(bench), "hallucinations") == pytest.approx(1 + 3 * (2 / 3) ** 0.5 * 0.001 / 0.005)


def test_harm_is_found_and_the_verdict_says_what_it_rests_on(bench):
    rule = rule_without_control(bench, history(bench))
    assert bench.fires(rule, [lone(bench, seq, 30) for seq in range(20)]) <= 9
    _, verdict = bench.last(rule, [lone(bench, seq, 30) for seq in range(20)])
    assert (verdict.guarantee.word, verdict.guarantee.reasons[0]) == ("conditional", "no_control")
    assert "if past weeks are a fair comparison" in verdict.sentence
    assert "past weeks at this hour" in verdict.criteria[0].sentence


def test_the_usual_rate_is_never_called_worse(bench):
    rule = rule_without_control(bench, history(bench))
    traffic = bench.traffic(61)
    assert bench.fires(rule, [lone(bench, seq, traffic.bad(N, 0.006)) for seq in range(300)]) is None


def test_without_history_nothing_is_known(bench):
    rule = rule_without_control(bench, [])
    _, verdict = bench.last(rule, [lone(bench, 0, 500)])
    assert verdict.word is VerdictWord.unknown
    assert "two past weeks of this hour are needed" in verdict.sentence
