"""No kind of signal gains on average when the release is exactly at its tolerance (DET §15 rows 1 and 2)."""

from __future__ import annotations

import math
from itertools import product
from statistics import fmean, stdev

import pytest

from countermand.detection.evalue import bets_on
from countermand.detection.kinds import categories, past_weeks, score_gaps
from countermand.detection.kinds.gaps import KAPPA, centres
from countermand.detection.moments import (
    STEPS,
    largest_loss,
    log_evidence_of_counts,
    log_evidence_of_moments,
)

#: Random points at the boundary per closed form.
POINTS = 100_000


def wrong(draw, rate):
    """A guess of a rate that is off by up to ten times."""
    return min(max(rate * math.exp(draw.uniform(-2.3, 2.3)), 1e-6), 1 - 1e-6)


def test_the_mean_of_e_for_a_gap_is_at_most_one_in_closed_form(bench):
    draw = bench.traffic(21).draw
    worst, points = -math.inf, 0
    while points < POINTS:
        rates = [draw.random() ** draw.choice((1, 4)) for _ in range(3)]
        accepted = draw.uniform(0, 0.3)
        # At the boundary: candidate·group − candidate·rest − baseline·group + baseline·rest = accepted
        group = accepted + rates[0] + rates[1] - rates[2]
        if not 0 <= group <= 1:
            continue
        true = [group, rates[0], rates[1], rates[2]]
        sizes = [int(math.exp(draw.uniform(0, 9))) + 1 for _ in range(4)]
        middle, noise = centres([wrong(draw, rate) for rate in true], sizes, accepted)
        stake = min(draw.choice(STEPS) / noise, 0.9 * min(sizes))
        mean = stake * (sum(k * m for k, m in zip(KAPPA, middle, strict=True)) - accepted)
        for k, p, m, n in zip(KAPPA, true, middle, sizes, strict=True):
            mean += n * math.log1p(k * stake / n * (p - m))
        worst = max(worst, mean)
        points += 1
    assert worst <= 1e-9


def test_the_bet_on_a_gap_is_the_product_over_outputs(bench):
    cells = [(1, 3, 10, 0.2), (-1, 1, 20, 0.1), (-1, 2, 15, 0.15), (1, 4, 30, 0.12)]
    stake, accepted = 2.5, 0.02
    product = math.exp(stake * (sum(k * m for k, _, _, m in cells) - accepted))
    for k, bad, n, m in cells:
        product *= (1 + k * stake / n * (1 - m)) ** bad * (1 - k * stake / n * m) ** (n - bad)
    assert log_evidence_of_counts(stake, cells, accepted) == pytest.approx(math.log(product))


def test_the_mean_of_e_for_another_mix_is_at_most_one_in_closed_form(bench):
    """The bet on one output of an arm multiplies its mean factors; both arms have the same true mix."""
    draw = bench.traffic(22).draw
    worst = -math.inf
    for _ in range(POINTS):
        k = draw.randrange(2, 8)
        true, q, p = ([draw.random() ** 3 + 1e-3 for _ in range(k)] for _ in range(3))
        true, q, p = ([x / sum(mix) for x in mix] for mix in (true, q, p))
        n, t = (int(math.exp(draw.uniform(0, 8))) + 1 for _ in range(2))
        mixed = [(n * x + t * y) / (n + t) for x, y in zip(q, p, strict=True)]
        mean = n * math.log(sum(w * x / r for w, x, r in zip(true, q, mixed, strict=True)))
        mean += t * math.log(sum(w * y / r for w, y, r in zip(true, p, mixed, strict=True)))
        worst = max(worst, mean)
    assert worst <= 1e-9


def test_the_bet_on_another_mix_is_the_product_over_outputs():
    q, p, candidate, baseline = [0.2, 0.8], [0.5, 0.5], (3, 7), (10, 20)
    mixed = [(10 * x + 30 * y) / 40 for x, y in zip(q, p, strict=True)]
    product = math.prod(
        (x / r) ** c * (y / r) ** t for x, y, r, c, t in zip(q, p, mixed, candidate, baseline, strict=True)
    )
    assert categories.log_evidence(q, p, candidate, baseline) == pytest.approx(math.log(product))


def test_the_mean_of_e_against_past_weeks_is_at_most_one_for_every_rate_up_to_the_bound(bench):
    draw = bench.traffic(23).draw
    for _ in range(POINTS):
        bound, ratio, absolute = draw.random() ** 3, draw.uniform(0.3, 2), draw.uniform(-0.2, 0.3)
        a = min(max(ratio * bound + absolute, 1e-6), 1 - 1e-6)
        rate, n = a * draw.random() if draw.random() < 0.5 else a, int(math.exp(draw.uniform(0, 9.9)))
        # E is a product of equal factors, one if the output is bad and one if it is not.
        one_bad = past_weeks.log_evidence(1, 1, bound, ratio, absolute)
        one_good = past_weeks.log_evidence(0, 1, bound, ratio, absolute)
        for good, bad in zip(one_good, one_bad, strict=True):
            assert n * math.log(rate * math.exp(bad) + (1 - rate) * math.exp(good)) <= 1e-9


def test_the_mean_of_e_for_better_than_past_weeks_is_at_most_one_for_every_rate_from_the_boundary_up(bench):
    draw, parts = bench.traffic(26).draw, (0.25, 0.5, 0.75, 1.0)
    for _ in range(POINTS // 4):
        boundary = draw.random() ** 3 + 1e-5
        rate = min(boundary * draw.choice((1, 1.5)), 1)
        usual, n = wrong(draw, boundary / 2), int(math.exp(draw.uniform(0, 9.9)))
        one_bad, one_good = (past_weeks.log_evidence_of_less(bad, 1, boundary, usual, parts) for bad in (1, 0))
        for good, bad in zip(one_good, one_bad, strict=True):
            assert n * math.log(rate * math.exp(bad) + (1 - rate) * math.exp(good)) <= 1e-9


def test_the_mean_of_e_of_the_certificate_is_at_most_one_in_closed_form(bench):
    """The arms are swapped: the candidate is exactly as bad as what is ruled out."""
    draw, points, worst = bench.traffic(27).draw, 0, -math.inf
    while points < POINTS // 2:
        ratio, absolute = draw.uniform(1, 4), draw.uniform(0, 0.3) if draw.random() < 0.5 else 0.0
        rate = draw.random() ** 4
        candidate_rate = ratio * rate + absolute
        if candidate_rate > 1:
            continue
        points += 1
        n, t = (int(math.exp(draw.uniform(0, 9.9))) for _ in range(2))
        b = wrong(draw, rate)
        boundary = min(ratio * b + absolute, 1 - 1e-6)
        assumed = [(b, boundary - part * (boundary - b)) for part in (0.25, 0.5, 0.75, 1.0)]
        for stake_x, a, stake_y, m in bets_on(assumed, t, n, 1 / ratio, -absolute / ratio):
            mean = t * math.log1p(stake_x * (rate - a)) + n * math.log1p(-stake_y * (candidate_rate - m))
            worst = max(worst, mean)
    assert worst <= 1e-9


DISTRIBUTIONS = {
    "beta": lambda draw, mean: draw.betavariate(mean * 5, (1 - mean) * 5),
    "two values": lambda draw, mean: float(draw.random() < mean),
    "three values": lambda draw, mean: draw.choice((0.0, mean, min(2 * mean, 1.0))) if mean <= 0.5 else mean,
    "skewed": lambda draw, mean: mean / 0.9 if draw.random() < 0.9 else 0.0,
}


@pytest.mark.parametrize("shape", DISTRIBUTIONS)
@pytest.mark.parametrize("ratio", [0.8, 1.0, 1.3])
def test_the_mean_of_e_for_scores_is_at_most_one_up_to_chance(bench, full, shape, ratio):
    """Monte Carlo with wrong guesses: mean − 4 standard errors ≤ 1 in each of 1,440 cells."""
    draw, sample, rounds = bench.traffic(24).draw, DISTRIBUTIONS[shape], 1000 if full else 150
    for n, t in ((5, 5), (30, 10), (10, 40)):
        for mean_t, accepted in product((0.05, 0.15, 0.3, 0.5), (0.0, 0.05)):
            mean_c = ratio * mean_t + accepted
            guess_c, guess_t = wrong(draw, mean_c), wrong(draw, mean_t)
            noise = 0.02 / n + ratio**2 * 0.02 / t
            most = min(0.9 * n / largest_loss(1, guess_c), 0.9 * t / (ratio * largest_loss(-1, guess_t)))
            found: list[list[float]] = [[] for _ in STEPS]
            for _ in range(rounds):
                x, y = [sample(draw, mean_c) for _ in range(n)], [sample(draw, mean_t) for _ in range(t)]
                cells = (
                    (1.0, n, sum(x), sum(z * z for z in x), guess_c),
                    (-ratio, t, sum(y), sum(z * z for z in y), guess_t),
                )
                for i, step in enumerate(STEPS):
                    found[i].append(math.exp(log_evidence_of_moments(min(step / noise, most), cells, accepted)))
            for one in found:
                assert fmean(one) - 4 * stdev(one) / math.sqrt(rounds) <= 1


def test_the_mean_of_e_for_a_gap_of_scores_is_at_most_one_up_to_chance(bench):
    """Monte Carlo over four cells at the boundary, with wrong guesses."""
    draw, rounds = bench.traffic(25).draw, 400
    for shape, sample in DISTRIBUTIONS.items():
        for sizes in ((4, 20, 6, 30), (15, 15, 15, 15)):
            true = [0.35, 0.2, 0.25, 0.15]
            accepted = true[0] - true[1] - true[2] + true[3]
            middle = score_gaps.centres([wrong(draw, mean) for mean in true], list(sizes), accepted)
            noise, most = 0.02 * sum(1 / n for n in sizes), score_gaps.most(middle, list(sizes))
            found: list[list[float]] = [[] for _ in STEPS]
            for _ in range(rounds):
                values = [[sample(draw, mean) for _ in range(n)] for n, mean in zip(sizes, true, strict=True)]
                cells = [
                    (float(k), len(x), sum(x), sum(z * z for z in x), m)
                    for k, x, m in zip(KAPPA, values, middle, strict=True)
                ]
                for i, step in enumerate(STEPS):
                    found[i].append(math.exp(log_evidence_of_moments(min(step / noise, most), cells, accepted)))
            for one in found:
                assert fmean(one) - 4 * stdev(one) / math.sqrt(rounds) <= 1, shape
