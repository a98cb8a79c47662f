"""What is measured of one rule in one scenario."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import beta

from bench.detection.scenarios import Scenario
from bench.detection.traffic import Floats


@dataclass(frozen=True)
class Cell:
    """One rule in one scenario.

    false_per_1000: watches that fired wrongly: ever in a harmless day, before the harm in a harmful one; low, high: its
    95 % interval (Clopper–Pearson). Of harmful days, over the watches that did not fire wrongly: power, the share that
    found the harm; median and p95 of the delay in minutes, None if the watch of that rank never fired; excess and
    excess_p95, bad outputs served beyond the usual until then. seconds: computing time per watch.
    """

    rule: str
    scenario: str
    watches: int
    false_per_1000: float
    low: float
    high: float
    seconds: float
    power: float | None = None
    median: float | None = None
    p95: float | None = None
    excess: float | None = None
    excess_p95: float | None = None


def cell(rule: str, scenario: Scenario, minutes: Floats, excess: Floats, seconds: float) -> Cell:
    """minutes: until the rule fired, per watch; excess: bad outputs beyond the usual until then, or in all."""
    watches = len(minutes)
    wrong = minutes <= scenario.begin if scenario.harm else np.isfinite(minutes)
    low, high = interval(int(wrong.sum()), watches)
    measured = Cell(
        rule=rule,
        scenario=scenario.name,
        watches=watches,
        false_per_1000=1_000 * float(wrong.mean()),
        low=1_000 * low,
        high=1_000 * high,
        seconds=seconds / watches,
    )
    if not scenario.harm:
        return measured
    delays = minutes[~wrong] - scenario.begin
    return replace(
        measured,
        power=float(np.isfinite(delays).mean()) if len(delays) else None,
        median=_rank(delays, 0.5),
        p95=_rank(delays, 0.95),
        excess=_rank(excess[~wrong], 0.5),
        excess_p95=_rank(excess[~wrong], 0.95),
    )


def interval(hits: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper–Pearson bounds of a share."""
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, hits, of - hits + 1)) if hits else 0.0
    high = float(beta.isf(tail, hits + 1, of - hits)) if hits < of else 1.0
    return low, high


def _rank(values: Floats, share: float) -> float | None:
    """The smallest value that at least this share does not exceed; None without values or if that is infinite."""
    if not len(values):
        return None
    found = float(np.sort(values)[max(0, int(np.ceil(share * len(values))) - 1)])
    return found if np.isfinite(found) else None
