"""The rival rules do what their sources say, on traffic small enough to check by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from river.drift import PageHinkley
from scipy.stats import mannwhitneyu, norm

from bench.detection.rules import burn_rate, change_points, fixed_limits, mann_whitney, mixtures, repeated_tests
from bench.detection.rules.catalogue import RULES
from bench.detection.scenarios import SCENARIOS
from bench.detection.traffic import Traffic

NEVER = math.inf


def traffic(candidate, baseline=None, known=None, n=1_000, usual=0.005):
    """One watch with these bad outputs per minute; 5 of 1,000 on the baseline unless stated."""
    seen = np.ones(len(candidate), bool) if known is None else np.array(known, bool)
    other = [5] * len(candidate) if baseline is None else baseline
    return Traffic(
        candidate_bad=np.array(candidate, float)[:, None] * seen[:, None],
        baseline_bad=np.array(other, float)[:, None] * seen[:, None],
        candidate=n,
        baseline=n,
        known=seen[:, None],
        usual=usual,
        excess=np.zeros((len(candidate), 1)),
    )


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_no_rule_fires_on_two_arms_that_are_always_equal(rule):
    assert rule.judge(traffic([5] * 130)) == NEVER


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_judges_each_watch_on_its_own(rule):
    drawn = SCENARIOS["5x"].draw(9, 6)
    assert list(rule.judge(drawn)[:2]) == list(rule.judge(drawn.part(2)))


def test_the_default_of_argo_fires_at_the_first_minute_above_the_limit():
    assert fixed_limits.argo_default(traffic([5, 10, 11, 5])) == 3


def test_argo_counts_failures_however_far_apart():
    bad = [11, 5, 5, 11, 5, 11, 5, 5, 5, 11]
    assert fixed_limits.argo_limit_3(traffic(bad)) == 10
    assert fixed_limits.argo_limit_3(traffic(bad[:-1])) == NEVER


def test_argo_with_an_interval_measures_at_its_end_only():
    # Four windows of five minutes whose mean is above the limit.
    assert fixed_limits.argo_5_minutes(traffic([11] * 20)) == 20
    assert fixed_limits.argo_5_minutes(traffic([11] * 19)) == NEVER


def test_argo_against_the_control_needs_three_windows_above_twice_its_rate():
    assert fixed_limits.argo_times_control(traffic([11] * 40)) == 30
    assert fixed_limits.argo_times_control(traffic([10] * 40)) == NEVER
    assert fixed_limits.argo_times_control(traffic([11] * 40, baseline=[0] * 40)) == NEVER


def test_three_in_a_row_starts_anew_after_a_minute_below_or_without_data():
    assert fixed_limits.three_in_a_row(traffic([11, 11, 5, 11, 11, 11])) == 6
    assert fixed_limits.three_in_a_row(traffic([11] * 6, known=[1, 1, 0, 1, 1, 1])) == 6


def test_flagger_counts_checks_without_data_as_failed():
    assert fixed_limits.flagger_like(traffic([5, 11, 5, 11, 5, 11], known=[1, 1, 0, 1, 0, 1])) == 6
    assert fixed_limits.flagger_like(traffic([11, 5, 11, 5, 11, 5, 11])) == NEVER


def test_a_burn_rate_alert_needs_both_windows():
    hour = burn_rate.HOUR
    # One bad minute lifts the short window, not the long one; five times the budget lifts both after a while.
    assert burn_rate.scaled(traffic([5] * hour + [60] + [5] * 10)) == NEVER
    fired = burn_rate.scaled(traffic([5] * hour + [25] * 30))
    assert hour + 15 <= fired <= hour + 17


def test_the_judge_finds_a_shift_of_the_minute_rates_and_no_shift_in_equal_ones():
    rng = np.random.default_rng(3)
    baseline = rng.poisson(5, (60, 200)).astype(float)
    equal, worse = rng.poisson(5, (60, 200)).astype(float), rng.poisson(8, (60, 200)).astype(float)
    assert mann_whitney.judge(equal, baseline).mean() <= 0.03
    assert mann_whitney.judge(worse, baseline).all()


def test_the_bound_of_the_judge_is_that_of_the_rank_test():
    """A bound above 0 means that the one-sided rank test at 1 % rejects, up to the correction for ties."""
    rng = np.random.default_rng(4)
    baseline, candidate = rng.normal(0, 1, (60, 400)), rng.normal(0.43, 1, (60, 400))
    tests = [
        mannwhitneyu(x, y, alternative="greater", method="asymptotic").pvalue < 0.01
        for x, y in zip(candidate.T, baseline.T, strict=True)
    ]
    differences = np.sort((candidate[:, None] - baseline[None]).reshape(3600, -1), axis=0)
    out = int(np.floor(1800 - 0.5 - norm.ppf(0.99) * np.sqrt(3600 * 121 / 12)))
    assert 0.3 < np.mean(tests) < 0.7
    assert np.mean((differences[out] > 0) == tests) >= 0.99
    # The judge asks for more than a bound above 0: a quarter of the shift.
    high = mann_whitney.judge(candidate, baseline)
    shift = np.median(differences, axis=0)
    assert (high == (differences[out].astype(np.float32) > 0.25 * np.abs(shift).astype(np.float32))).all()


def test_the_judge_leaves_out_minutes_without_data():
    quiet, known = [5, 6] * 60, [minute % 3 != 0 for minute in range(120)]
    assert mann_whitney.hourly(traffic([20, 21] * 60, baseline=quiet, known=known)) == 60
    assert mann_whitney.hourly(traffic([20, 21] * 60, baseline=quiet, known=[False] * 120)) == NEVER


def test_the_z_value_is_the_pooled_two_proportion_statistic():
    z = repeated_tests.z_values(traffic([10, 10], baseline=[5, 5]))
    pooled = 15 / 2_000
    assert z[0, 0] == pytest.approx(0.005 / math.sqrt(pooled * (1 - pooled) * 2 / 1_000))
    assert z[1, 0] == pytest.approx(z[0, 0] * math.sqrt(2))


def test_the_constant_of_the_group_sequential_design_spends_one_percent():
    rng, walks = np.random.default_rng(24), 200_000
    walk = np.cumsum(rng.standard_normal((repeated_tests.LOOKS, walks), dtype=np.float32), axis=0)
    crossed = (walk > repeated_tests.OBRIEN_FLEMING * math.sqrt(repeated_tests.LOOKS)).any(axis=0).mean()
    assert crossed == pytest.approx(0.01, abs=0.0008)


def test_the_mixtures_fire_for_a_worse_candidate_only():
    worse, better = traffic([15] * 30), traffic([5] * 30, baseline=[15] * 30)
    for rule in (mixtures.msprt, mixtures.lindon_malek):
        assert rule(worse) < 15
        assert rule(better) == NEVER


def test_page_hinkley_fires_where_that_of_river_does():
    rng = np.random.default_rng(5)
    values = rng.normal(0, 1, (300, 20)) + np.where(np.arange(300) > 150, 1.5, 0)[:, None]
    ours = change_points.page_hinkley(values, np.ones((300, 1), bool), delta=0.5, limit=13.0, fading=0.999)
    theirs = []
    for column in values.T:
        detector = PageHinkley(min_instances=30, delta=0.5, threshold=13.0, alpha=0.999, mode="up")
        hits = (minute + 1 for minute, value in enumerate(column) if _found(detector, value))
        theirs.append(next(hits, NEVER))
    assert list(ours) == theirs
    assert np.isfinite(ours).all()


def _found(detector, value):
    detector.update(float(value))
    return detector.drift_detected


def test_adwin_counts_a_rise_and_not_a_fall():
    rise = np.repeat([0.0, 3.0], 200)[:, None] + np.random.default_rng(6).normal(0, 1, (400, 1))
    known = np.ones((400, 1), bool)
    assert 200 < change_points.adwin(rise, known, delta=0.002, clock=1) < 230
    assert change_points.adwin(-rise, known, delta=0.002, clock=1) == NEVER
