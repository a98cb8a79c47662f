"""Rules people already have, against tables written by hand (DET §6)."""

from __future__ import annotations

import pytest

from countermand.detection.models import Arm, VerdictWord
from countermand.detection.thresholds import soonest


def rule_of(bench, bad="higher", **rule):
    return bench.rule(
        [{"id": "legacy", "any": [{"signal": "hallucinations", "rule": rule}]}],
        signals={"hallucinations": {"bad": bad}},
    )


def run(bench, rule, table):
    """Breached after each row; a row is (bad, scored) of the candidate, or None for unknown."""
    rows = [
        bench.row(seq, bench.unknown(Arm.candidate) if counts is None else bench.block(Arm.candidate, *counts))
        for seq, counts in enumerate(table)
    ]
    return [(state.criteria[0].breached, verdict) for state, verdict in bench.watch(rule, rows)]


def breached(bench, rule, table):
    return "".join("X" if found else "." for found, _ in run(bench, rule, table))


OUT, IN = (2, 100), (0, 100)


@pytest.mark.parametrize(
    ("window", "hold", "table", "expected"),
    [
        ("1m", "0s", [IN, OUT, IN], ".X."),
        ("1m", "3m", [OUT, OUT, OUT, OUT, IN, OUT], "..XX.."),
        ("1m", "3m", [OUT, OUT, None, OUT], "...X"),
        ("1m", "3m", [OUT, OUT, OUT, None, None], "..XXX"),
        ("1m", "2m", [OUT, IN, OUT, IN], "...."),
        # 2 of 200, then 2 of 300: the value is the sum of counts, not the mean of the rates of blocks
        ("3m", "0s", [IN, (3, 100), (0, 1), IN, IN], ".XXX."),
        # exactly at the limit is inside
        ("2m", "0s", [(1, 100), (1, 100)], ".."),
        # an unknown block leaves the window with its time: the third row sees only itself
        ("2m", "0s", [(4, 100), None, IN], "XX."),
    ],
)  # fmt: skip
def test_a_bound_is_breached_when_the_value_is_outside_for_the_whole_time(bench, window, hold, table, expected):
    rule = rule_of(bench, bound={"above": "1%", "window": window, "for": hold})
    assert breached(bench, rule, table) == expected


@pytest.mark.parametrize(
    ("interval", "limit", "count", "table", "expected"),
    [
        ("1m", 0, "cumulative", [IN, OUT, IN], ".XX"),
        ("1m", 2, "cumulative", [OUT, IN, OUT, IN, OUT, IN], "....XX"),
        ("1m", 2, "consecutive", [OUT, OUT, IN, OUT, OUT, OUT, IN], ".....X."),
        ("1m", 1, "consecutive", [OUT, None, OUT], "..X"),
        ("1m", 1, "cumulative", [OUT, None, None, OUT], "...X"),
        # measured once per interval, over all its blocks
        ("2m", 0, "cumulative", [OUT, IN, OUT, OUT], "...X"),
        ("2m", 0, "cumulative", [(5, 100), None, IN, IN], ".XXX"),
        ("2m", 0, "consecutive", [OUT, OUT, None, None, IN, IN], ".XXXX."),
    ],
)
def test_a_failure_limit_counts_measurements_outside(bench, interval, limit, count, table, expected):
    rule = rule_of(bench, failure_limit={"above": "1%", "interval": interval, "limit": limit, "count": count})
    assert breached(bench, rule, table) == expected


def test_limits_are_compared_in_the_signals_own_direction(bench):
    rule = rule_of(bench, bad="lower", bound={"below": "0.7", "window": "1m", "for": "0s"})
    assert breached(bench, rule, [(30, 100), (31, 100), (100, 100)]) == ".XX"


def test_a_breach_fires_the_trigger_without_any_bound(bench):
    rule = rule_of(bench, failure_limit={"above": "1%", "interval": "1m", "limit": 0})
    verdicts = [verdict for _, verdict in run(bench, rule, [IN, OUT, IN])]
    assert [verdict.word for verdict in verdicts] == [
        VerdictWord.ok,
        VerdictWord.trigger,
        VerdictWord.trigger,
    ]
    assert verdicts[0].guarantee.word == "none"
    assert (verdicts[1].alpha, verdicts[1].micronats, verdicts[1].odds, verdicts[1].limit_odds) == (None,) * 4
    assert verdicts[1].criteria[0].breached is True


def test_only_unknown_blocks_are_never_ok(bench):
    rule = rule_of(bench, bound={"above": "1%", "window": "5m", "for": "0s"})
    words = {verdict.word for _, verdict in run(bench, rule, [None] * 20)}
    assert words == {VerdictWord.unknown}


def test_a_baseline_is_not_needed(bench):
    rule = rule_of(bench, bound={"above": "1%", "window": "5m", "for": "0s"})
    assert [verdict.word for _, verdict in run(bench, rule, [IN])] == [VerdictWord.ok]


def test_the_longest_window_stays_small(bench):
    rule = rule_of(bench, bound={"above": "50%", "window": "1h", "for": "1h"})
    rows = [bench.row(seq, bench.block(Arm.candidate, 4_000, 100_000)) for seq in range(70)]
    state, _ = bench.last(rule, rows)
    assert len(state.criteria[0].window) == 60
    assert len(state.criteria[0].model_dump_json()) <= 1024


def test_failed_checks_fire_at_the_threshold_and_are_never_reset(bench):
    rule = rule_of(bench, failed_checks={"above": "0.01", "interval": "1m", "threshold": 3})
    assert breached(bench, rule, [OUT, IN, OUT, None, IN, OUT, IN, IN]) == ".....XXX"
    slow = rule_of(bench, failed_checks={"above": "0.01", "interval": "2m", "threshold": 1})
    # one check per two blocks, of the sums of both; exactly at the limit is inside
    assert breached(bench, slow, [OUT, IN, (3, 100), IN, IN]) == "...XX"


def test_n_of_m_counts_the_last_m_known_blocks(bench):
    rule = rule_of(bench, n_of_m={"above": "0.01", "n": 2, "m": 3})
    assert breached(bench, rule, [OUT, IN, OUT, IN, IN, OUT, None, OUT, IN]) == "..X....XX"


def test_a_burn_rate_needs_both_windows_of_a_pair(bench):
    pairs = [{"long": "4m", "short": "1m", "factor": 10}]
    rule = rule_of(bench, burn_rate={"budget": "0.001", "pairs": pairs})
    # the budget burns ten times too fast above 1 % of outputs
    assert breached(bench, rule, [IN, OUT, IN, OUT, OUT, IN, None, OUT]) == "....X..X"
    assert breached(bench, rule, [IN, IN, IN, OUT]) == "...."


def test_times_the_baseline_is_measured_in_windows(bench):
    rule = rule_of(bench, times_baseline={"ratio": 2, "window": "2m", "interval": "2m", "limit": 1})

    def run_both(table):
        rows = [
            bench.row(seq, bench.unknown(Arm.candidate), bench.block(Arm.baseline, 1, 100))
            if candidate is None
            else bench.counted(seq, (candidate, 100), (baseline, 100))
            for seq, (candidate, baseline) in enumerate(table)
        ]
        return "".join("X" if state.criteria[0].breached else "." for state, _ in bench.watch(rule, rows))

    assert run_both([(3, 1), (2, 1), (3, 1), (2, 1)]) == "...X"
    # twice is not more than twice; an unknown block adds nothing on either side
    assert run_both([(2, 1), (2, 1), (None, 1), (3, 1), (9, 1)]) == "....."
    assert run_both([(3, 1), (None, 1), (9, 1), (None, 1), (0, 1)]) == "...XX"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            {"failed_checks": {"above": "0.01", "interval": "1m", "threshold": 3}},
            "above 100 per 10,000 is a failed check, 3 are a breach: 1 so far.",
        ),
        ({"n_of_m": {"above": "0.01", "n": 2, "m": 3}}, "above 100 per 10,000 in 2 of 3 blocks is a breach: 1 now."),
        (
            {"burn_rate": {"budget": "0.01", "pairs": [{"long": "1h", "short": "5m", "factor": "14.4"}]}},
            "a budget of 100 per 10,000 used up 14.4 times over 1 hour and 5 minutes is a breach: not now.",
        ),
    ],
)
def test_each_rule_says_what_would_breach_it(bench, rule, said):
    [(_, verdict)] = run(bench, rule_of(bench, **rule), [OUT])
    assert verdict.criteria[0].sentence.endswith(said)
    assert verdict.guarantee.reasons == ("threshold_rule",)


@pytest.mark.parametrize(
    "written",
    [
        {"bound": {"above": "1%", "window": "3m", "for": "4m"}},
        {"failure_limit": {"above": "1%", "interval": "3m", "limit": 2}},
        {"failure_limit": {"above": "1%", "interval": "3m", "limit": 2, "count": "consecutive"}},
        {"failed_checks": {"above": "1%", "interval": "3m", "threshold": 2}},
        {"n_of_m": {"above": "1%", "n": 2, "m": 3}},
        {"times_baseline": {"ratio": 2, "window": "3m", "interval": "4m", "limit": 1}},
        {"burn_rate": {"budget": "1%", "pairs": [{"long": "5m", "short": "2m", "factor": 1}]}},
    ],
)
def test_the_soonest_breach_is_the_one_of_blocks_that_are_all_outside(bench, written):
    rule = rule_of(bench, **written)
    assert bench.fires(rule, (bench.counted(seq, OUT, IN) for seq in range(20))) == soonest(rule.criteria[0])
