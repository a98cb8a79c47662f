"""What rules without a bound cost: how often they fire on days without harm (§6)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countermand.detection import thresholds
from countermand.detection.criterion_rules import ThresholdRule
from countermand.detection.false_fires import false_fires, fires, simulated_days
from countermand.detection.models import Arm
from countermand.detection.state import ThresholdState

MINUTE = timedelta(minutes=1)


def limit(kind, **fields):
    both = {"arms": tuple(Arm)} if kind == "times_baseline" else {}
    common = {"signal": "hallucinations", "reads": "hallucinations", "bad": "higher", "unit": "answer"}
    defaults = {"limit": "0.01", "window": 1, "times": 1, "show": "percent", "expect": "0.005", "min_coverage": "0.8"}
    return ThresholdRule.model_validate({**common, **defaults, **both, "kind": kind, **fields})


def per_1000(criterion, usual=0.005, traffic=(1000, 1000)):
    return false_fires(criterion, MINUTE, usual, traffic).per_1000


@pytest.mark.parametrize(
    ("criterion", "sheet", "within"),
    [
        # The column "flat" of §13: 1,000 outputs per minute and arm, 0.5 % bad.
        (limit("cumulative", times=0), 1000, 0.1),
        (limit("cumulative", times=3), 1000, 0.1),
        (limit("cumulative", window=5, times=3), 0, 0.1),
        (limit("bound", times=3), 3.4, 0.3),
        (limit("failed_checks", times=5), 1000, 0.1),
        (limit("times_baseline", limit="2", window=10, interval=10, times=2), 0, 0.1),
        (limit("burn_rate", limit="0.005", window=60, pairs=[[60, 5, "2"]]), 15, 15),
    ],
)
def test_rules_people_run_fire_as_often_as_in_the_table_of_peers(criterion, sheet, within):
    assert per_1000(criterion) == pytest.approx(sheet, abs=within)


RULES = [
    limit("bound", window=3, times=2),
    limit("bound", window=2, times=1, outside="below", limit="0.3", bad="lower"),
    limit("n_of_m", window=4, times=2, limit="0.3"),
    limit("times_baseline", limit="1.5", window=4, interval=2, times=1),
    limit("burn_rate", limit="0.1", window=6, pairs=[[6, 2, "2"], [4, 1, "3"]]),
]


@given(
    days=st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=1, max_size=30),
    rule=st.sampled_from(RULES),
)
def test_running_sums_breach_when_the_rule_does(bench, days, rule):
    state, found = ThresholdState(), None
    for t, (bad, usual) in enumerate(days):
        state = thresholds.advance(rule, state, bench.counted(t, (bad, 10), (usual, 10)))
        if state.breached:
            found = t
            break
    assert fires(rule, list(zip(*days, strict=True)), (10, 10)) == found


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 3), (3, 3), (2, 5)])
def test_n_of_m_is_computed_over_all_patterns(n, m):
    rule = limit("n_of_m", window=m, times=n, limit="0.5")
    rows, q = 8, 0.2
    exact = sum(
        q ** sum(bits) * (1 - q) ** (rows - sum(bits))
        for bits in product((0, 1), repeat=rows)
        if any(sum(bits[max(t + 1 - m, 0) : t + 1]) >= n for t in range(rows))
    )
    # Blocks of a single output are outside exactly when it is bad.
    assert false_fires(rule, timedelta(hours=3), q, (1, 1)).per_1000 == pytest.approx(1000 * exact)


@pytest.mark.parametrize("times", [1, 3])
def test_runs_are_computed_over_all_patterns(times):
    rule = limit("bound", times=times, limit="0.5")
    rows, q = 8, 0.3
    exact = sum(
        q ** sum(bits) * (1 - q) ** (rows - sum(bits))
        for bits in product((0, 1), repeat=rows)
        if any(all(bits[t : t + times]) for t in range(rows - times + 1))
    )
    assert false_fires(rule, timedelta(hours=3), q, (1, 1)).per_1000 == pytest.approx(1000 * exact)


def test_what_is_simulated_agrees_with_what_is_computed():
    """A window of one block is computed, the same rule written as 1-of-9 is simulated."""
    computed = per_1000(limit("bound", limit="0.0125"))
    again = false_fires(limit("n_of_m", window=9, times=1, limit="0.0125"), MINUTE, 0.005, (1000, 1000))
    assert again.days == 208
    assert again.per_1000 == pytest.approx(computed, abs=4 * (computed * (1000 - computed) / 208) ** 0.5)
    assert list(simulated_days(0.005, (1000, 50), 20, 2)) == list(simulated_days(0.005, (1000, 50), 20, 2))


def test_the_sentence_claims_no_more_than_it_knows():
    assert false_fires(limit("cumulative", window=5, times=3), MINUTE, 0.005, (1000, 1000)).sentence == (
        "on fewer than 1 of 1,000 days without any harm it fires all the same (computed)"
    )
    quiet = false_fires(limit("bound", window=5, times=10), MINUTE, 0.005, (1000, 1000))
    assert quiet.sentence == (
        "on fewer than 15 of 1,000 days without any harm it fires all the same (simulated with 208 days)"
    )
    assert false_fires(limit("firing", limit=Decimal(0)), MINUTE, 0.005, (1000, 1000)) is None
