"""Fixed limits on measurements, counted: what progressive-delivery controllers do out of the box.

The limit is twice the usual bad rate, 1 % where 0.5 % is usual. A minute without data gives no measurement, except
where a controller counts it as failed.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.detection.traffic import Bools, Floats, Traffic, first, share, windowed

_TIMES_USUAL = 2.0


def argo(traffic: Traffic, every: int, limit: int) -> Floats:
    """Fires when more than `limit` measurements failed, however far apart; each reads the last `every` minutes.

    Source: argoproj/argo-rollouts, analysis metrics: `failureLimit` (default 0), cumulative.
    """
    bad, scored = windowed(traffic.candidate_bad, every), windowed(traffic.candidate_scored, every)
    return first(_count(share(bad, scored) > _TIMES_USUAL * traffic.usual, every) > limit)


def argo_control(traffic: Traffic, every: int, limit: int) -> Floats:
    """As `argo`, with a query that compares: fails when the rate is more than twice the control's.

    Without a bad output of the control the quotient has no value, and the measurement does not fail.
    """
    candidate = share(windowed(traffic.candidate_bad, every), windowed(traffic.candidate_scored, every))
    baseline = share(windowed(traffic.baseline_bad, every), windowed(traffic.baseline_scored, every))
    return first(_count((candidate > _TIMES_USUAL * baseline) & (baseline > 0), every) > limit)


def _count(failed: Bools, every: int) -> Floats:
    """Failures so far, measured every so many minutes."""
    measured = np.arange(1, len(failed) + 1) % every == 0
    return np.cumsum(failed & measured[:, None], axis=0, dtype=float)


def in_a_row(traffic: Traffic, times: int) -> Floats:
    """Fires when so many minutes in a row were above the limit; a minute without data interrupts them.

    Source: the `for:` clause of Prometheus alerting rules.
    """
    above = share(traffic.candidate_bad, traffic.candidate_scored) > _TIMES_USUAL * traffic.usual
    return first(windowed(above.astype(float), times) == times)


def flagger(traffic: Traffic, threshold: int) -> Floats:
    """Fires when `threshold` checks failed since the revision began; a check without data counts as failed.

    Source: fluxcd/flagger, canary analysis: failed checks are reset by a new revision only.
    """
    above = share(traffic.candidate_bad, traffic.candidate_scored) > _TIMES_USUAL * traffic.usual
    return first(np.cumsum(above | ~traffic.known, axis=0) >= threshold)


argo_default = partial(argo, every=1, limit=0)
argo_limit_3 = partial(argo, every=1, limit=3)
argo_5_minutes = partial(argo, every=5, limit=3)
argo_times_control = partial(argo_control, every=10, limit=2)
three_in_a_row = partial(in_a_row, times=3)
flagger_like = partial(flagger, threshold=5)
