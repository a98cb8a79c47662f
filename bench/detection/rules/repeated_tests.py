"""Tests of two proportions on all outputs so far, looked at again and again."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.stats import norm

from bench.detection.traffic import Floats, Traffic, first, share

#: Looks of the group-sequential design, one an hour, and its constant for 1 % in all, one-sided: z at the last look.
LOOKS = 24
OBRIEN_FLEMING = 2.47


def z_values(traffic: Traffic) -> Floats:
    """The pooled two-proportion z of all outputs up to each minute; 0 where there is no bad output yet."""
    bad_c, bad_t = np.cumsum(traffic.candidate_bad, axis=0), np.cumsum(traffic.baseline_bad, axis=0)
    n_c, n_t = np.cumsum(traffic.candidate_scored, axis=0), np.cumsum(traffic.baseline_scored, axis=0)
    pooled = share(bad_c + bad_t, n_c + n_t)
    spread = np.sqrt(pooled * (1 - pooled) * (share(np.ones_like(n_c), n_c) + share(np.ones_like(n_t), n_t)))
    return share(share(bad_c, n_c) - share(bad_t, n_t), spread)


def peeked(traffic: Traffic, level: float) -> Floats:
    """Fires when a one-sided test at `level` rejects, every minute: the textbook test, used as it must not be."""
    return first(z_values(traffic) > float(norm.isf(level)))


def obrien_fleming(traffic: Traffic) -> Floats:
    """Fires when z exceeds c·√(24/look) at one of 24 hourly looks.

    Source: O'Brien & Fleming, Biometrics 1979; Jennison & Turnbull, Group Sequential Methods.
    """
    z = z_values(traffic)
    hours = np.arange(1, len(z) + 1)[:, None] / 60
    return first((hours % 1 == 0) & (z > OBRIEN_FLEMING * np.sqrt(LOOKS / hours)))


peeked_5 = partial(peeked, level=0.05)
peeked_01 = partial(peeked, level=0.001)
