"""The bet of one block (DET §4.2, DET-8, DET-9)."""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countermand.detection.evalue import ODDS, bets, log_add_all, log_evidence, log_mean, pay_off
from countermand.detection.guesses import (
    MIN_DIFFERENCES,
    learn_dispersion,
    learn_guess,
    measured_dispersion,
    seed_guess,
    tempering,
)


def log_mean_of_e(bet, candidate, baseline, candidate_rate, baseline_rate):
    """ln E[E] in closed form: every output of an arm has the same mean factor."""
    stake_c, a, stake_t, m = bet
    return candidate * math.log1p(stake_c * (candidate_rate - a)) - baseline * -math.log1p(
        -stake_t * (baseline_rate - m)
    )


def test_no_bet_gains_on_average_when_the_release_is_exactly_at_the_tolerance(bench):
    draw = bench.traffic(1).draw
    worst, points = -math.inf, 0
    while points < 100_000:
        ratio, absolute = draw.uniform(0.3, 2), draw.uniform(-0.2, 0.3) if draw.random() < 0.7 else 0.0
        rate = draw.random() if draw.random() < 0.5 else math.exp(draw.uniform(-10, -0.1))
        candidate_rate = ratio * rate + absolute
        if not 0 <= candidate_rate <= 1:
            continue
        candidate, baseline = (int(math.exp(draw.uniform(0, math.log(20_000)))) for _ in range(2))
        guess = rate * math.exp(draw.uniform(-math.log(10), math.log(10)))
        for bet in bets(candidate, baseline, guess, ratio, absolute):
            worst = max(worst, log_mean_of_e(bet, candidate, baseline, candidate_rate, rate))
        points += 1
    assert worst <= 1e-9


@pytest.mark.parametrize(
    ("candidate", "baseline", "guess", "ratio", "absolute", "rate"),
    [(7, 5, 0.1, 1.2, 0.0, 0.1), (4, 9, 0.02, 1.0, 0.1, 0.3), (6, 6, 0.9, 0.5, 0.0, 0.2)],
)
def test_the_closed_form_is_the_mean_over_all_possible_counts(candidate, baseline, guess, ratio, absolute, rate):
    candidate_rate = ratio * rate + absolute

    def probability(k, n, p):
        return math.comb(n, k) * p**k * (1 - p) ** (n - k)

    means = [0.0] * len(ODDS)
    for x in range(candidate + 1):
        for y in range(baseline + 1):
            weight = probability(x, candidate, candidate_rate) * probability(y, baseline, rate)
            for k, nats in enumerate(log_evidence(x, candidate, y, baseline, guess, ratio, absolute)):
                means[k] += weight * math.exp(nats)
    for bet, mean in zip(bets(candidate, baseline, guess, ratio, absolute), means, strict=True):
        assert math.log(mean) == pytest.approx(log_mean_of_e(bet, candidate, baseline, candidate_rate, rate), abs=1e-12)
        assert mean <= 1 + 1e-12


@pytest.mark.parametrize("rate", [0.005, 0.05, 0.3, 0.7])
def test_the_right_bet_grows_as_fast_as_the_information_allows(rate):
    n, factor = 1000, ODDS[4]
    odds = factor * rate / (1 - rate)
    harmed = odds / (1 + odds)
    middle = (harmed + rate) / 2

    def divergence(p, q):
        return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))

    stake_c, a, stake_t, m = bets(n, n, rate, 1.0, 0.0)[4]
    growth = n * (
        harmed * math.log1p(stake_c * (1 - a))
        + (1 - harmed) * math.log1p(-stake_c * a)
        + rate * math.log1p(-stake_t * (1 - m))
        + (1 - rate) * math.log1p(stake_t * m)
    )
    bound = n * (divergence(harmed, middle) + divergence(rate, middle))
    assert 0.99 * bound <= growth <= bound * (1 + 1e-9)


@given(
    candidate=st.integers(1, 100_000),
    baseline=st.integers(1, 100_000),
    guess=st.floats(0, 1),
    ratio=st.floats(0.25, 10),
    absolute=st.floats(-0.2, 0.5),
)
def test_no_single_output_can_cost_more_than_95_percent(candidate, baseline, guess, ratio, absolute):
    for stake_c, a, stake_t, m in bets(candidate, baseline, guess, ratio, absolute):
        assert stake_c * a <= 0.95 + 1e-9
        assert stake_t * (1 - m) <= 0.95 + 1e-9


def test_a_tolerance_that_no_rate_can_exceed_gives_no_evidence():
    assert log_evidence(50, 50, 0, 50, 0.5, 1.0, 1.0) == [0.0] * len(ODDS)


def test_the_guess_starts_with_ten_bad_outputs_and_forgets_a_thirtieth_per_block():
    guess = seed_guess(Decimal("0.005"))
    assert guess == (10_000_000, 2_000_000_000)
    assert learn_guess(guess, 7, 1000) == (9_666_666 + 7_000_000, 1_933_333_333 + 1_000_000_000)
    assert seed_guess(Decimal("0.3")) == (10_000_000, 33_333_333)


def test_dispersion_is_measured_from_successive_differences_after_thirty_of_them():
    dispersion = (0, 0, 0)
    blocks = [(10, 1000), (30, 1000)] * 16
    for count, (before, now) in enumerate(pairwise(blocks), start=1):
        dispersion = learn_dispersion(dispersion, before, now)
        assert (measured_dispersion(dispersion) is None) == (count < MIN_DIFFERENCES)
    expected = 0.02**2 / (0.01 * 0.99 / 1000 + 0.03 * 0.97 / 1000)
    assert measured_dispersion(dispersion) == pytest.approx(expected, rel=1e-6)


def test_blocks_without_any_bad_output_say_nothing_about_dispersion():
    dispersion = (0, 0, 0)
    for _ in range(50):
        dispersion = learn_dispersion(dispersion, (0, 1000), (0, 1000))
    assert measured_dispersion(dispersion) is None


@pytest.mark.parametrize(
    ("dispersion", "zero_tolerance", "phi"),
    [
        ((0, 0, 29), False, 1.5),
        ((110, 100, 30), False, 1.0),
        ((126, 100, 30), False, 1.26),
        ((9000, 100, 30), False, 20.0),
        ((80, 100, 30), True, 1.25),
        ((200, 100, 30), True, 2.5),
        ((0, 0, 0), True, 1.875),
    ],
)
def test_evidence_is_tempered_by_the_measured_dispersion_or_the_assumed_one(dispersion, zero_tolerance, phi):
    assert tempering(dispersion, 1.5, zero_tolerance) == pytest.approx(phi)


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
def test_adding_evidence_rounds_down_by_less_than_two_micronats(x, y):
    top = max(x, y)
    exact = top + 1e6 * math.log(math.exp((x - top) / 1e6) + math.exp((y - top) / 1e6))
    assert exact - 2 < log_add_all([x], y)[0] <= exact + 1e-6
    assert log_mean([x, y], 1) == log_add_all([x], y)[0]


@given(
    candidate=st.tuples(st.integers(0, 5_000), st.integers(1, 5_000)),
    baseline=st.tuples(st.integers(0, 5_000), st.integers(1, 5_000)),
    guess=st.floats(0, 1),
    ratio=st.floats(0.25, 10),
    absolute=st.floats(-0.2, 0.5),
)
def test_the_fast_way_pays_the_stated_bets_to_the_last_bit(candidate, baseline, guess, ratio, absolute):
    (bad_c, good_c), (bad_t, good_t) = candidate, baseline
    n_c, n_t = bad_c + good_c, bad_t + good_t
    stated = pay_off(bets(n_c, n_t, guess, ratio, absolute), bad_c, n_c, bad_t, n_t)
    assert log_evidence(bad_c, n_c, bad_t, n_t, guess, ratio, absolute) == stated
