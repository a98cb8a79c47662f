"""Sequential tests that may be looked at any time: mixtures of likelihood ratios on all outputs so far.

Both test "no difference at all" and fire at 100 to 1, when the candidate is the worse arm.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaln

from bench.detection.traffic import Floats, Traffic, first, share

_LIMIT = float(np.log(100))


def msprt(traffic: Traffic) -> Floats:
    """Normal mixture over the difference of rates, with a quarter of the usual rate as its standard deviation.

    Source: Johari, Koomen, Pekelis & Walsh, always-valid inference (2017/2022), the mixture SPRT of Robbins.
    """
    bad_c, bad_t = np.cumsum(traffic.candidate_bad, axis=0), np.cumsum(traffic.baseline_bad, axis=0)
    n_c, n_t = np.cumsum(traffic.candidate_scored, axis=0), np.cumsum(traffic.baseline_scored, axis=0)
    pooled = share(bad_c + bad_t, n_c + n_t)
    variance = pooled * (1 - pooled) * (share(np.ones_like(n_c), n_c) + share(np.ones_like(n_t), n_t))
    difference = share(bad_c, n_c) - share(bad_t, n_t)
    prior = (traffic.usual / 4) ** 2
    seen = variance > 0
    safe = np.where(seen, variance, 1.0)
    log_ratio = 0.5 * np.log(safe / (safe + prior)) + difference**2 * prior / (2 * safe * (safe + prior))
    return first(seen & (difference > 0) & (log_ratio >= _LIMIT))


def lindon_malek(traffic: Traffic) -> Floats:
    """Beta mixture over the candidate's part of all bad outputs, with the weight of 100 bad outputs.

    Source: Lindon & Malek, anytime-valid inference for multinomial count data (NeurIPS 2022, arXiv 2011.03567).
    """
    bad_c, bad_t = np.cumsum(traffic.candidate_bad, axis=0), np.cumsum(traffic.baseline_bad, axis=0)
    part = traffic.candidate / (traffic.candidate + traffic.baseline)
    more = bad_c * (1 - part) > bad_t * part
    return first(more & (beta_mixture(bad_c, bad_t, part) >= _LIMIT))


def beta_mixture(bad_c: Floats, bad_t: Floats, part: float, weight: float = 100.0) -> Floats:
    """ln of the mixture's likelihood ratio against "the candidate has its `part` of the bad outputs", in nats.

    The prior of the candidate's part is Beta(weight · part, weight · (1 − part)).
    """
    a, b = weight * part, weight * (1 - part)
    found: Floats = betaln(a + bad_c, b + bad_t) - betaln(a, b) - bad_c * np.log(part) - bad_t * np.log1p(-part)
    return found
