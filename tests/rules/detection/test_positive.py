"""Exact bounds from counts (GOV-31, TGT-11)."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countermand.detection.positive import enough_to_pass, missed, n_min, share_interval, upper_bound


def at_most(k, n, p):
    """P(X ≤ k), exactly."""
    p = Fraction(p)
    return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


@given(st.integers(1, 40), st.data(), st.sampled_from(["0.6", "0.9", "0.95", "0.999"]))
def test_the_upper_bound_is_where_the_counts_become_too_unlikely(n, data, confidence):
    k = data.draw(st.integers(0, n - 1))
    bound = upper_bound(k, n, Decimal(confidence))
    assert float(at_most(k, n, bound)) == pytest.approx(1 - float(confidence), rel=1e-9)


@given(st.integers(1, 40), st.data())
def test_the_interval_leaves_half_of_the_error_on_each_side(n, data):
    k = data.draw(st.integers(0, n))
    low, high = share_interval(k, n, 0.99)
    assert low <= k / n <= high
    assert (low == 0) == (k == 0)
    assert (high == 1) == (k == n)
    if k < n:
        assert float(at_most(k, n, high)) == pytest.approx(0.005, rel=1e-9)
    if k > 0:
        assert float(1 - at_most(k - 1, n, low)) == pytest.approx(0.005, rel=1e-9)


@pytest.mark.parametrize("n", [1, 20, 1000, 10**6])
def test_without_any_bad_output_the_bound_has_a_closed_form(n):
    assert upper_bound(0, n, Decimal("0.95")) == pytest.approx(-math.expm1(math.log(0.05) / n), rel=1e-9)


@pytest.mark.parametrize(
    ("k", "n", "confidence", "bound"),
    [
        # Poisson limits (half the 95 % points of chi-square with 22 and 202 degrees of freedom), over n
        (10, 10**6, "0.95", 16.9622e-6),
        (100, 10**6, "0.95", 118.0794e-6),
        # normal limit with continuity: 0.5 + 1.6449 · 0.0005
        (500_000, 10**6, "0.95", 0.500823),
        (999_990, 10**6, "0.95", 1 - 5.4254e-6),
    ],
)
def test_a_million_outputs_agree_with_the_limits_of_the_books(k, n, confidence, bound):
    assert upper_bound(k, n, Decimal(confidence)) == pytest.approx(bound, rel=2e-5)


@pytest.mark.parametrize(("k", "n"), [(0, 0), (7, 7)])
def test_nothing_good_seen_means_anything_is_possible(k, n):
    assert upper_bound(k, n, Decimal("0.95")) == 1.0


def test_nothing_seen_rules_out_no_share():
    assert share_interval(0, 0) == (0.0, 1.0)


def test_a_tenth_of_a_thousand_users_agrees_with_the_published_interval():
    # Clopper–Pearson 95 % for 10 of 100, as printed in textbooks
    assert share_interval(10, 100, 0.95) == pytest.approx((0.0490, 0.1762), abs=5e-5)


@pytest.mark.parametrize(
    ("residual", "confidence", "needed"),
    [
        (0.05, 0.999, 135),
        (0.02, 0.999, 342),
        (0.01, 0.999, 688),
        (0.9, 0.999, 3),
        (0.5, 0.75, 2),
        (0.5, 0.4, 1),
    ],
)
def test_enough_is_where_a_remaining_share_would_have_shown(residual, confidence, needed):
    assert n_min(residual, confidence) == needed


@given(st.floats(0.001, 0.6), st.floats(0.5, 0.9999))
def test_one_fewer_would_not_be_enough(residual, confidence):
    n = n_min(residual, confidence)
    assert 1 - (1 - residual) ** n >= confidence - 1e-6
    assert n == 1 or 1 - (1 - residual) ** (n - 1) < confidence + 1e-6


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: upper_bound(3, 2, Decimal("0.95")),
        lambda: upper_bound(-1, 2, Decimal("0.95")),
        lambda: upper_bound(1, 2, Decimal("1")),
        lambda: share_interval(1, 2, 0.0),
        lambda: n_min(0.0),
        lambda: n_min(0.05, 1.0),
    ],
)
def test_impossible_questions_are_refused(wrong):
    with pytest.raises(ValueError, match=r"is not a share|must lie between 0 and 1"):
        wrong()


def test_gov_31_how_often_a_healthy_service_does_not_pass_is_counted_exactly() -> None:
    fewest = next(bad for bad in range(4_000) if upper_bound(bad, 4_000, Decimal("0.95")) > 0.003)
    by_hand = 1 - sum(math.comb(4_000, bad) * 0.0008**bad * 0.9992 ** (4_000 - bad) for bad in range(fewest))
    assert missed(0.0008, 0.003, 4_000, Decimal("0.95")) == pytest.approx(by_hand, rel=1e-6)
    assert missed(0.05, 0.04, 1_000, Decimal("0.95")) > 0.999, "what is worse than accepted does not pass"
    assert (missed(0, 0.04, 1_000, Decimal("0.95")), missed(0, 0.04, 20, Decimal("0.95"))) == (0, 1)


def test_gov_31_the_number_that_is_named_is_enough_and_not_far_too_much() -> None:
    enough = enough_to_pass(0.0008, 0.003, 1_000, Decimal("0.95"), 0.01)
    assert enough is not None
    assert missed(0.0008, 0.003, enough, Decimal("0.95")) <= 0.01 < missed(0.0008, 0.003, enough // 2, Decimal("0.95"))
    assert enough_to_pass(0.002, 0.002, 1_000_000, Decimal("0.95"), 0.01) is None
