"""What is drawn of a signal: one number per arm, by the signal's kind, with its unit and how it is said."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from countermand.detection.figures import plural, rate
from countermand.detection.models import Arm, Block, BlockState, Row
from countermand.playbook.model import SignalSpec
from countermand.playbook.units import plain

#: Steps of a score's declared range, and growth of latency buckets without declared edges (detection.md §4).
_STEPS = 10_000
_GROWTH = 1.05


class Counted(NamedTuple):
    """What known blocks of one arm add up to. `total`: of scores, in steps of their range; `hist`: by bucket."""

    bad: int
    scored: int
    total: int
    hist: Mapping[int, int]


@dataclass(frozen=True)
class Measure:
    """Title and unit of a signal's line. `from_zero`: the axis begins at 0."""

    title: str
    unit: str
    digits: int
    from_zero: bool


def measure(spec: SignalSpec) -> Measure | None:
    """How a signal is drawn; None where one line per arm would not show what is compared."""
    share = ("per 10,000", " per 10,000", 0) if spec.show == "per_10000" else ("%", " %", 2)
    match spec.kind:
        case "rate" | "judgement":
            return Measure(f"bad {plural(spec.unit)}, {share[0]}", share[1], share[2], from_zero=True)
        case "missing":
            return Measure(f"{plural(spec.unit)} never scored, {share[0]}", share[1], share[2], from_zero=True)
        case "score":
            return Measure("mean score", "", 3, from_zero=False)
        case "latency":
            return Measure(f"{_quantile(spec)}, {spec.measured_in}", f" {spec.measured_in}", 0, from_zero=True)
        case _:
            return None


def counted(name: str, spec: SignalSpec, row: Row, arm: Arm) -> Counted | None:
    """What one row knows of an arm; None when its block is missing, unknown or too sparsely labelled."""
    block = row.find(spec.of if spec.kind == "missing" and spec.of else name, arm)
    if block is None:
        return None
    if spec.kind == "missing":
        return Counted(block.served - block.scored, block.served, 0, {}) if block.served else None
    if block.state is not BlockState.ok or not block.scored or block.scored < spec.min_coverage * block.served:
        return None
    return Counted(block.bad, block.scored, block.sum or 0, block.hist)


def pooled(parts: Iterable[Counted | None]) -> Counted:
    """Known parts added up."""
    bad = scored = total = 0
    hist: Counter[int] = Counter()
    for part in parts:
        if part is not None:
            bad, scored, total = bad + part.bad, scored + part.scored, total + part.total
            hist.update(part.hist)
    return Counted(bad, scored, total, hist)


def value(spec: SignalSpec, found: Counted) -> float | None:
    """The number that is drawn, in the unit of `measure`; None when nothing is known."""
    if not found.scored:
        return None
    match spec.kind:
        case "score" if spec.range is not None:
            low, high = map(float, spec.range)
            return round(low + (high - low) * found.total / found.scored / _STEPS, 4)
        case "latency":
            return _upper_edge(spec, found.hist)
        case _:
            return round(found.bad * (10_000 if spec.show == "per_10000" else 100) / found.scored, 3)


def spoken(spec: SignalSpec, found: Counted) -> str:
    """The number with its sample: `9.97 % (33 of 331 outputs)`, `p99 812 ms (331 outputs)`."""
    outputs = plural(spec.unit)
    if not found.scored:
        return "unknown (nothing labelled)"
    match spec.kind:
        case "score":
            return f"mean {value(spec, found):g} ({found.scored:,} {outputs})"
        case "latency":
            return f"{_quantile(spec)} {value(spec, found):g} {spec.measured_in} ({found.scored:,} {outputs})"
        case _:
            return f"{rate(found.bad, found.scored, spec.show)} ({found.bad:,} of {found.scored:,} {outputs})"


def why_unknown(block: Block | None) -> str:
    """Why a block says nothing, in words."""
    return "no block" if block is None else (block.reason or "too few labelled").replace("_", " ")


def _quantile(spec: SignalSpec) -> str:
    """The slowest quantile that is compared: `p99`."""
    return f"p{plain(spec.quantiles[-1] * 100)}"


def _upper_edge(spec: SignalSpec, hist: Mapping[int, int]) -> float | None:
    """The upper edge of the bucket in which that quantile lies; None above the last declared edge."""
    buckets = sorted(hist)
    reached = list(accumulate(hist[bucket] for bucket in buckets))
    needed = float(spec.quantiles[-1]) * reached[-1]
    bucket = buckets[bisect_left(reached, needed)]
    if spec.edges is None:
        return round(_GROWTH**bucket, 1)
    return float(spec.edges[bucket]) if bucket < len(spec.edges) else None
