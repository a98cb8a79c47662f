"""From what counters gained to the sums of a block, by kind of signal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor, inf
from typing import Any

from adapters.prometheus_counts import Gains, Inconsistent, Parts, Window, gained, total, whole
from adapters.prometheus_http import Unknown
from countermand.detection.blocks import SCORE_STEPS
from countermand.playbook.signals import SignalSpec


def sums_of(spec: SignalSpec, parts: Parts, share: float | None, window: Window) -> dict[str, Any]:
    """Fields of the CountedBlock: served, scored, and bad, sum and sumsq, or hist.

    `share`: what the expression gave, if the query has one. Raises Inconsistent, or Unknown: no_traffic,
    out_of_range, or other_edges when the histogram has other buckets than the playbook.
    """
    gains = gained(parts, window)
    own: dict[str, Any]
    if "histogram" in gains:
        hist = _hist([float(edge) for edge in spec.edges or ()], gains["histogram"])
        scored, own = sum(hist.values()), {"hist": {k: n for k, n in hist.items() if n}}
    elif "count" in gains:
        scored = whole(gains["count"])
        own = _steps(spec, scored, total(gains["sum"]), total(gains["sumsq"])) if scored else {}
    else:
        scored = whole(gains["total"])
        own = {"bad": whole(gains["bad"]) if share is None else _bad(spec, share, scored)}
    served = whole(gains["served"]) if "served" in gains else scored
    if not scored:
        raise Unknown("empty" if served else "no_traffic")
    return {"served": served, "scored": scored, **own}


def _bad(spec: SignalSpec, share: float, scored: int) -> int:
    if not 0 <= share <= 1:
        raise Unknown("out_of_range")
    return floor((share if spec.bad == "higher" else 1 - share) * scored + 0.5)


def _steps(spec: SignalSpec, n: int, scores: Fraction, squares: Fraction) -> dict[str, int]:
    """Sums in the signal's own units as sums of steps of its range.

    Exporters add up floats, so sums may be off by one step per output before they contradict the range or each other.
    """
    low, high = (Fraction(end) for end in spec.range or (0, 1))
    step = (high - low) / SCORE_STEPS
    exact = (scores - n * low) / step
    exact_squares = (squares - 2 * low * scores + n * low * low) / step**2
    if not -n <= exact <= (SCORE_STEPS + 1) * n or exact_squares > SCORE_STEPS * (exact + n):
        raise Unknown("out_of_range")
    if exact_squares < exact * exact / n - SCORE_STEPS * n:
        raise Inconsistent(f"no {n} scores add up to {scores} and their squares to {squares}")
    steps = min(max(round(exact), 0), SCORE_STEPS * n)
    least = ceil(Fraction(steps**2, n))
    return {"sum": steps, "sumsq": min(max(round(exact_squares), least), SCORE_STEPS * steps)}


def _hist(edges: Sequence[float], gains: Gains) -> dict[int, int]:
    """Outputs by bucket, from cumulative counters."""
    upper: dict[float, Gains] = defaultdict(list)
    for series, gain in gains:
        upper[float(series.label("le") or "nan")].append((series, gain))
    wanted = [*edges, inf]
    if sorted(upper) != wanted or len({len(those) for those in upper.values()}) != 1:
        raise Unknown("other_edges")
    below = [0, *(whole(upper[edge]) for edge in wanted)]
    return {k: more - less for k, (less, more) in enumerate(pairwise(below))}
