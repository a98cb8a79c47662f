"""What counters gained during a block, from their raw samples: exact, where `increase()` extrapolates (sources.md §4).

A block reaches from after `start` up to and with `end`. It counts from the last sample at or before `start` to the
last one at or before `end`, so consecutive blocks neither share nor lose an output.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import chain, pairwise
from math import isfinite
from typing import NamedTuple, Self

_SECOND = 1000
Labels = frozenset[tuple[str, str]]

#: A counter whose newest sample is older than this many scrapes has stopped.
_STALE_SCRAPES = Fraction(5, 2)


class Series(NamedTuple):
    """Samples of one series in order of time: (milliseconds since 1970, value)."""

    labels: Labels
    samples: tuple[tuple[int, float], ...]

    @classmethod
    def of(cls, metric: Mapping[str, str], values: Iterable[tuple[float, str]]) -> Self:
        """From the answer's form, where numbers are texts. Raises ValueError for one that is not."""
        return cls(frozenset(metric.items()), tuple((round(at * _SECOND), float(value)) for at, value in values))

    def label(self, name: str) -> str | None:
        return next((value for label, value in self.labels if label == name), None)

    @property
    def process(self) -> Labels:
        """What is scraped and restarted as one: the target, or the series itself where no target is named."""
        target = frozenset(pair for pair in self.labels if pair[0] in ("job", "instance"))
        return target if any(name == "instance" for name, _ in target) else self.labels


class Window(NamedTuple):
    """One block and the scrape interval, in milliseconds."""

    start: int
    end: int
    scrape: int


class Inconsistent(Exception):
    """The counters contradict each other."""


#: By key of the playbook's query: the series that answered it.
Parts = Mapping[str, Sequence[Series]]

#: Series and what each gained in the block.
Gains = list[tuple[Series, Fraction]]


def unusable(parts: Parts, window: Window, min_coverage: Decimal) -> str | None:
    """Why one arm's counters cannot be counted: empty, not_finite, stale or coverage; None when they can.

    coverage: series that are fresh at the end ÷ series that were fresh at the start of the block.
    """
    if not all(parts.values()):
        return "empty"
    everything = [series for found in parts.values() for series in found]
    if not all(isfinite(value) for series in everything for _, value in series.samples):
        return "not_finite"
    if not all(any(_fresh(series, window.end, window) for series in found) for found in parts.values()):
        return "stale"
    before = sum(_fresh(series, window.start, window) for series in everything)
    after = sum(_fresh(series, window.end, window) for series in everything)
    return "coverage" if after < min_coverage * before else None


def gained(parts: Parts, window: Window) -> dict[str, Gains]:
    """By key of the query: what each series gained in the block.

    A counter that falls began at 0 again, and with it every counter of the same process. A series that appears in the
    block began at 0 if its process was seen before; else it counts from its first sample, because it may be old.
    Raises Inconsistent when a counter fell and another of the same process did not move.
    """
    known = {series.process for found in parts.values() for series in found if series.samples[0][0] <= window.start}
    spans = {
        key: [(series, _span(series, window, series.process in known)) for series in found]
        for key, found in parts.items()
    }
    falls: dict[Labels, set[tuple[int, int]]] = defaultdict(set)
    for series, span in chain.from_iterable(spans.values()):
        falls[series.process] |= {(u[0], v[0]) for u, v in pairwise(span) if v[1] < u[1]}
    return {key: [(series, _gain(span, falls[series.process])) for series, span in own] for key, own in spans.items()}


def total(gains: Gains) -> Fraction:
    """Their exact sum."""
    return sum((gain for _, gain in gains), Fraction())


def whole(gains: Gains) -> int:
    """Their sum, of counters that count outputs. Raises Inconsistent when it is not a whole number."""
    outputs = total(gains)
    if outputs.denominator != 1:
        raise Inconsistent(f"{outputs} is no whole number of outputs")
    return int(outputs)


def _fresh(series: Series, at: int, window: Window) -> bool:
    """Had it a sample within the last scrapes before `at`?"""
    return any(at - _STALE_SCRAPES * window.scrape <= moment <= at for moment, _ in series.samples)


def _span(series: Series, window: Window, known: bool) -> list[tuple[int, float]]:
    """The sample the block counts from, and those in it."""
    inside = [sample for sample in series.samples if window.start < sample[0] <= window.end]
    before = [sample for sample in series.samples if sample[0] <= window.start]
    if before:
        return [before[-1], *inside]
    return [(window.start, 0.0), *inside] if known else inside


def _gain(span: Sequence[tuple[int, float]], falls: set[tuple[int, int]]) -> Fraction:
    gain = Fraction()
    for (since, old), (until, new) in pairwise(span):
        restarted = any(since <= began and ended <= until for began, ended in falls)
        if restarted and new == old > 0:
            raise Inconsistent(f"a counter of the process fell, another one stayed at {new!r}")
        gain += Fraction(new) - (0 if restarted else Fraction(old))
    return gain
