"""Intervals for differences, against published examples and by how often they hold."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from countermand.compare.intervals import of_means, of_quantiles, of_shares, ranks, wilson


@pytest.mark.parametrize(
    ("k", "n", "m", "low", "high"),
    [
        # Newcombe (1998), Table II, method 10: x/n − y/m, cases a to h
        ((56, 48), 70, 80, 0.0524, 0.3339),
        ((9, 3), 10, 10, 0.1705, 0.8090),
        ((6, 2), 7, 7, 0.0582, 0.8062),
        ((5, 0), 56, 29, -0.0381, 0.1926),
        ((0, 0), 10, 20, -0.1611, 0.2775),
        ((0, 0), 10, 10, -0.2775, 0.2775),
        ((10, 0), 10, 20, 0.6791, 1.0000),
        ((10, 0), 10, 10, 0.6075, 1.0000),
    ],
)
def test_the_difference_of_shares_has_the_intervals_of_the_paper(
    k: tuple[int, int], n: int, m: int, low: float, high: float
) -> None:
    found = of_shares(k[1], m, k[0], n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)


def test_the_score_interval_of_one_share_has_the_values_of_the_paper() -> None:
    """Newcombe, Statistics in Medicine 17 (1998) 857–872, method 3."""
    for (k, n), expected in {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }.items():
        assert wilson(k, n) == pytest.approx(expected, abs=6e-5)


def test_swapping_the_sides_turns_the_interval_round() -> None:
    there, back = of_shares(3, 90, 14, 120), of_shares(14, 120, 3, 90)
    assert there == pytest.approx((-(back.high or 0), -(back.low or 0)))


def test_the_difference_of_shares_is_covered_about_as_often_as_it_says() -> None:
    random = Random(5)  # noqa: S311
    held = 0
    for _ in range(2_000):
        k, l = (sum(random.random() < p for _ in range(120)) for p in (0.03, 0.08))  # noqa: E741
        low, high = of_shares(k, 120, l, 120)
        held += (low or 0) <= 0.05 <= (high or 0)
    assert 0.93 <= held / 2_000 <= 0.98


def test_the_difference_of_means_is_covered_about_as_often_as_it_says_and_few_outputs_have_none() -> None:
    random = Random(6)  # noqa: S311

    def sums(n: int, shift: int) -> tuple[int, int, int]:
        steps = [int(10_000 * random.betavariate(2, 3)) // 2 + shift for _ in range(n)]
        return n, sum(steps), sum(step * step for step in steps)

    held = 0
    for _ in range(1_500):
        found = of_means(sums(60, 0), sums(80, 300))
        assert found is not None
        held += (found.low or 0) <= 300 <= (found.high or 0)
    assert 0.93 <= held / 1_500 <= 0.97
    assert of_means(sums(29, 0), sums(80, 0)) is None


def test_ranks_enclose_the_quantile_as_often_as_they_say() -> None:
    random = Random(7)  # noqa: S311
    low, high = ranks(200, 0.9, 0.95)
    held = 0
    for _ in range(3_000):
        values = sorted(random.random() for _ in range(200))
        held += values[low - 1] <= 0.9 < values[high - 1]
    assert 0.945 <= held / 3_000 <= 0.985


def test_a_quantile_that_no_value_bounds_is_open() -> None:
    assert ranks(20, 0.99, 0.95)[1] == 21
    assert ranks(3, 0.5, 0.95) == (0, 4)
    few = Counter({5: 3})
    assert of_quantiles(few, few, 0.5) == ((None, None), (None, None))


def test_buckets_of_a_quantile_enclose_it() -> None:
    hist = {10: 500, 20: 450, 30: 50}
    (low, high), _ = of_quantiles(hist, hist, 0.5)
    assert (low, high) == (10, 20)
    assert of_quantiles(hist, hist, 0.99)[0] == (30, 30)


def test_a_million_outputs_are_ranked_at_once() -> None:
    low, high = ranks(1_000_000, 0.99, 0.975)
    assert 989_700 < low < 990_000 < high < 990_300
