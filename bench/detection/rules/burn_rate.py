"""Alerts on how fast an error budget burns, over a long and a short window at once.

Source: Google SRE workbook, "Alerting on SLOs", multiwindow multi-burn-rate alerts. The budget is the usual bad rate.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.detection.traffic import Bools, Floats, Traffic, first, share, windowed

HOUR = 60


def burn_rate(traffic: Traffic, pairs: tuple[tuple[float, int, int], ...]) -> Floats:
    """Fires when both windows of a pair (factor, long, short), in minutes, burn faster than factor × budget."""
    hit: Bools = np.zeros(traffic.candidate_bad.shape, bool)
    for factor, long, short in pairs:
        limit = factor * traffic.usual
        hit |= (_rate(traffic, long) > limit) & (_rate(traffic, short) > limit)
    return first(hit)


def _rate(traffic: Traffic, rows: int) -> Floats:
    return share(windowed(traffic.candidate_bad, rows), windowed(traffic.candidate_scored, rows))


workbook = partial(burn_rate, pairs=((14.4, HOUR, 5), (6.0, 6 * HOUR, 30)))
scaled = partial(burn_rate, pairs=((2.0, HOUR, 5),))
