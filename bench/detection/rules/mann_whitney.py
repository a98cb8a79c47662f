"""A judge in the manner of Kayenta: is the candidate's distribution of minute rates shifted upward?

Source: spinnaker/kayenta, the Netflix judge: "High" when the lower 98 % bound of the Hodges–Lehmann shift (asymptotic,
with continuity correction) lies above a quarter of the shift's absolute value. Our own code; the bound is taken as an
order statistic of the pairwise differences and without the correction for ties, which narrows it by about 1 %.
Kayenta's guidance is at least 50 points per metric: the hourly rule. Minutes without data are left out.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from bench.detection.traffic import Bools, Floats, Traffic

_FRACTION = 0.25
_Z = float(norm.ppf(0.99))
_LAST = 60


def judge(candidate: Floats, baseline: Floats) -> Bools:
    """Which columns are "High"; the rows are the minutes of one window."""
    n, m = len(candidate), len(baseline)
    differences = (candidate[:, None, :] - baseline[None, :, :]).reshape(n * m, -1).T.astype(np.float32)
    # So many of the smallest differences lie below the bound; windows too short for one use the smallest of all.
    out = max(0, int(np.floor(n * m / 2 - 0.5 - _Z * np.sqrt(n * m * (n + m + 1) / 12))))
    middle = (n * m - 1) // 2
    found = np.partition(differences, (out, middle, n * m // 2), axis=1)
    shift = (found[:, middle] + found[:, n * m // 2]) / 2
    high: Bools = found[:, out] > _FRACTION * np.abs(shift)
    return high


def kayenta(traffic: Traffic, every: int) -> Floats:
    """Fires at the first window that is "High"; judged every so many minutes on the last hour."""
    candidate = traffic.candidate_bad / traffic.candidate
    baseline = traffic.baseline_bad / traffic.baseline
    found = np.full(traffic.watches, np.inf)
    open_watches = np.arange(traffic.watches)
    for minute in range(every, len(candidate) + 1, every):
        window = slice(max(0, minute - _LAST), minute)
        arms = candidate[window, open_watches], baseline[window, open_watches]
        high = _judged(*arms, traffic.known, window, open_watches)
        found[open_watches[high]] = minute
        open_watches = open_watches[~high]
    return found


def _judged(candidate: Floats, baseline: Floats, known: Bools, window: slice, watches: NDArray[np.int64]) -> Bools:
    if known.shape[1] == 1:
        return judge(candidate, baseline)
    high: Bools = np.zeros(len(watches), bool)
    for place, watch in enumerate(watches):
        kept = known[window, watch]
        if kept.any():
            high[place] = judge(candidate[kept, place, None], baseline[kept, place, None])[0]
    return high


hourly = partial(kayenta, every=60)
every_ten_minutes = partial(kayenta, every=10)
