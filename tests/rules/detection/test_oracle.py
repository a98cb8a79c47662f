"""The benchmark's rival by Lindon & Malek is the published one: savvi computes the same (DET §15, row 15)."""

from __future__ import annotations

import numpy as np
import pytest
from savvi.multinomial import Multinomial

from bench.detection.rules.mixtures import beta_mixture


@pytest.mark.parametrize("part", [0.5, 0.25, 0.05])
@pytest.mark.parametrize("weight", [2.0, 100.0])
def test_the_beta_mixture_of_the_benchmark_equals_that_of_savvi(part, weight):
    rng = np.random.default_rng(15)
    blocks = np.stack([rng.poisson(200 * part * 1.1, 60), rng.poisson(200 * (1 - part), 60)], axis=1)
    oracle = Multinomial(0.01, np.array([part, 1 - part]), k=weight)
    theirs = []
    for block in blocks:
        oracle.update(block)
        theirs.append(np.log(oracle.odds))
    bad_c, bad_t = np.cumsum(blocks, axis=0).T.astype(float)
    assert beta_mixture(bad_c, bad_t, part, weight) == pytest.approx(theirs, rel=1e-9, abs=1e-9)


def test_savvi_tells_a_wrong_prior_apart():
    oracle = Multinomial(0.01, np.array([0.5, 0.5]), k=100)
    oracle.update(np.array([70, 30]))
    assert abs(float(beta_mixture(np.array(70.0), np.array(30.0), 0.5, 101.0)) - np.log(oracle.odds)) > 1e-3
