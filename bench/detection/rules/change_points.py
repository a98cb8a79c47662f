"""Detectors of a change in a stream of numbers, one number a minute.

They look for a change after the watch began, not for a difference between arms. Minutes without data are left out. The
z-scored difference is the difference of the arms' rates over its standard deviation at the usual rate.
"""

from __future__ import annotations

import numpy as np
from river.drift import ADWIN

from bench.detection.traffic import Bools, Floats, Traffic, first

#: Tuned to fire about once in 1,000 watch-days of the flat scenario; ADWIN looks at every number instead of every 32nd.
PAGE_HINKLEY_DELTA, PAGE_HINKLEY_LIMIT = 0.5, 13.0
ADWIN_DELTA = 0.002


def rates(traffic: Traffic) -> Floats:
    """The candidate's bad rate per minute."""
    return traffic.candidate_bad / traffic.candidate


def z_difference(traffic: Traffic) -> Floats:
    spread = traffic.usual * (1 - traffic.usual) * (1 / traffic.candidate + 1 / traffic.baseline)
    found: Floats = (rates(traffic) - traffic.baseline_bad / traffic.baseline) / np.sqrt(spread)
    return found


def page_hinkley(values: Floats, known: Bools, delta: float, limit: float, fading: float) -> Floats:
    """Minutes until the cumulative sum rises by `limit` above its minimum, after 30 numbers at least.

    Source: Page, Biometrika 1954; the variant with a running mean and a fading sum as in river's `PageHinkley`.
    """
    watches = values.shape[1]
    count, mean, total, lowest = np.zeros(watches), np.zeros(watches), np.zeros(watches), np.full(watches, np.inf)
    hit = np.zeros(values.shape, bool)
    for minute, value in enumerate(values):
        here = np.broadcast_to(known[minute], value.shape)
        count += here
        mean += here * (value - mean) / np.maximum(count, 1)
        total = np.where(here, fading * total + value - mean - delta, total)
        lowest = np.where(here, np.minimum(lowest, total), lowest)
        hit[minute] = here & (count >= 30) & (total - lowest > limit)
    return first(hit)


def page_hinkley_tuned(traffic: Traffic) -> Floats:
    return page_hinkley(z_difference(traffic), traffic.known, PAGE_HINKLEY_DELTA, PAGE_HINKLEY_LIMIT, fading=1.0)


def page_hinkley_default(traffic: Traffic) -> Floats:
    return page_hinkley(rates(traffic), traffic.known, delta=0.005, limit=50.0, fading=1 - 0.0001)


def adwin(values: Floats, known: Bools, **settings: float) -> Floats:
    """Minutes until river's ADWIN drops old numbers and the mean of the rest is higher than before.

    Source: Bifet & Gavaldà, SDM 2007, by the implementation of the river library.
    """
    minutes, watches = values.shape
    found = np.full(watches, np.inf)
    here = np.broadcast_to(known, values.shape)
    for watch in range(watches):
        detector, mean = ADWIN(**settings), 0.0
        for minute in range(minutes):
            if not here[minute, watch]:
                continue
            detector.update(float(values[minute, watch]))
            if detector.drift_detected and detector.estimation > mean:
                found[watch] = minute + 1
                break
            mean = detector.estimation
    return found


def adwin_default(traffic: Traffic) -> Floats:
    return adwin(rates(traffic), traffic.known)


def adwin_tuned(traffic: Traffic) -> Floats:
    return adwin(z_difference(traffic), traffic.known, delta=ADWIN_DELTA, clock=1)
