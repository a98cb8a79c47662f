"""Time to detect, foretold (DET-31, §15 row 13)."""

from __future__ import annotations

from statistics import median

import pytest

from countermand.detection.forecast import forecast, sentence

TOLERANT = {"signal": "hallucinations", "tolerate": {"ratio": "1.2"}}


def rule_for(bench, expect, **changes):
    fields = {"false_alarms": {"per_release": "0.008", "reserve": "0"}, **changes}
    return bench.rule(signals={"hallucinations": {"expect": expect}}, **fields)


def delays(rule, n, effects, m=None):
    return forecast(rule, {"hallucinations": (n, m or n)}, effects).criteria[0].delays


#: detection.md §10, median blocks of 60 s at deploy and later.
TABLE = {
    ("0.0008", 1000): {2: (100, 166), 3: (28, 52), 5: (12, 23), 10: (7, 14)},
    ("0.005", 100): {3: (42, 75), 5: (16, 31), 10: (8, 16)},
    ("0.005", 1000): {1.5: (98, 163), 2: (20, 38), 3: (8, 17), 5: (6, 12)},
    ("0.05", 20): {3: (22, 41), 5: (10, 19), 10: (6, 12)},
    ("0.05", 200): {1.5: (49, 87), 2: (12, 23), 3: (6, 13), 10: (5, 12)},
}


@pytest.mark.parametrize(("expect", "n"), TABLE)
def test_the_delays_are_those_of_the_published_table(bench, expect, n):
    expected = TABLE[expect, n]
    found = delays(rule_for(bench, expect), n, list(expected))
    assert {delay.times: (delay.deploy, delay.later) for delay in found} == expected


@pytest.mark.parametrize(("expect", "n", "m"), [("0.005", 1000, 1000), ("0.05", 200, 200), ("0.02", 100, 900)])
@pytest.mark.parametrize("times", [2, 3, 5])
def test_simulated_watches_take_as_long_as_forecast(bench, expect, n, m, times):
    rule, rate = rule_for(bench, expect), float(expect)
    traffic = bench.traffic(51)

    def rows():
        return (bench.counted(i, (traffic.bad(n, times * rate), n), (traffic.bad(m, rate), m)) for i in range(200))

    simulated = median(bench.fires(rule, rows()) or 201 for _ in range(100))
    assert 0.85 <= delays(rule, n, [times], m)[0].deploy / simulated <= 1.45


def test_the_severe_lane_and_the_price_of_any_are_counted(bench):
    alone = bench.rule([{"id": "t", "any": [TOLERANT], "severe": "none"}])
    lanes = bench.rule([{"id": "t", "any": [TOLERANT], "severe": None}])
    three = bench.rule([{"id": "t", "any": [TOLERANT] * 3, "severe": "none"}])
    ten = {rule.digest: delays(rule, 1000, [10])[0].deploy for rule in (alone, lanes, three)}
    assert ten[lanes.digest] <= 4 < ten[alone.digest]
    two = {rule.digest: delays(rule, 1000, [2])[0].deploy for rule in (alone, lanes, three)}
    assert two[three.digest] > two[lanes.digest] >= two[alone.digest]


def test_what_cannot_be_forecast_says_why(bench):
    score = bench.signal_rule({"kind": "score", "bad": "lower", "range": ["0", "1"]}, {"absolute": "0.01"})
    assert forecast(score, {"s": (10, 10)}, [2]).criteria[0].why == "it depends on how much a score varies"
    rule = rule_for(bench, "0.005")
    found = forecast(rule, {}, [2]).criteria[0]
    assert sentence(rule, found, "answer") == "hallucinations: no forecast, because its traffic is not known."


def test_the_forecast_in_words_names_the_traffic_that_would_be_enough(bench):
    rule = rule_for(bench, "0.0008")
    found = forecast(rule, {"hallucinations": (100, 100)}, [1.5, 2, 3, 5]).criteria[0]
    assert sentence(rule, found, "answer") == (
        "With 100 answers a minute scored for hallucinations, twice the usual bad rate is found after about 16 hours; "
        "five times the usual bad rate is found after about 78 minutes. To find twice within 2 hours score about "
        "1,000 a minute."
    )
