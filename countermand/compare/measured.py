"""What was measured of two versions, signal by signal: both numbers, their difference and what it may be at most.

What nobody measured is said to be so; it is never a zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from countermand.compare.intervals import CONFIDENCE, Interval, of_means, of_quantiles, of_shares
from countermand.compare.readings import Reading, Sums, known, lower_edge, reading, scale, unit_of, unread, upper_edge
from countermand.detection.blocks import Arm, Block, Row
from countermand.detection.figures import plural, rate
from countermand.plan.target import Value
from countermand.playbook.signals import SignalSpec

_SHARES = ("rate", "judgement", "missing")
_COMPARED = (*_SHARES, "score", "latency", "categories")
#: What must be the same in both playbooks for two numbers to mean the same.
_MEANING = ("kind", "bad", "unit", "range", "clipped", "quantiles", "edges", "measured_in", "of", "categories")

Word = Literal["worse", "better", "different", "no_difference_shown", "not_measured"]


class Delta(Value):
    """One signal of both versions. `difference` = b − a, and `low` and `high` what it may be with `confidence`; None:
    not bounded. `blockwise`: the difference inside blocks, weighted (Mantel & Haenszel, JNCI 22, 1959); None: the
    versions did not serve side by side, or the signal has no such number."""

    signal: str
    category: str | None = None
    meaning: str
    unit: str
    a: Reading
    b: Reading
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float = CONFIDENCE
    method: str = ""
    blockwise: float | None = None
    word: Word
    sentence: str


class Side(NamedTuple):
    """One version: the signals of the playbook it was watched with, and which arm it was."""

    signals: Mapping[str, SignalSpec]
    arm: Arm


class Measured:
    """Adds up rows of two versions, `a` and `b`, and says how they differ."""

    def __init__(self, a: Side, b: Side, *, concurrent: bool) -> None:
        self._a, self._b, self._concurrent = a, b, concurrent
        self._sums: dict[str, tuple[Sums, Sums]] = {name: (Sums(), Sums()) for name in {**a.signals, **b.signals}}
        self._inside: dict[str, tuple[float, float]] = {}

    def together(self, rows: Iterable[Row]) -> None:
        """Rows of the one release that served both; a block counts when both sides of it are known."""
        for row in rows:
            for name, spec in self._a.signals.items():
                x, y = known(name, spec, row, self._a.arm), known(name, spec, row, self._b.arm)
                if x is not None and y is not None:
                    self._sums[name][0].add(x, spec.kind)
                    self._sums[name][1].add(y, spec.kind)
                    self._weigh(name, spec, x, y)

    def apart(self, rows: Iterable[Row], which: Literal["a", "b"]) -> None:
        """Rows of the release of one side."""
        side, at = (self._a, 0) if which == "a" else (self._b, 1)
        for row in rows:
            for name, spec in side.signals.items():
                if (block := known(name, spec, row, side.arm)) is not None:
                    self._sums[name][at].add(block, spec.kind)

    def _weigh(self, name: str, spec: SignalSpec, x: Block, y: Block) -> None:
        n, m = (x.served, y.served) if spec.kind == "missing" else (x.scored, y.scored)
        if spec.kind in _SHARES:
            one, other = (x.bad, y.bad) if spec.kind != "missing" else (x.served - x.scored, y.served - y.scored)
        elif spec.kind == "score":
            one, other = x.sum or 0, y.sum or 0
        else:
            return
        top, weight = self._inside.get(name, (0.0, 0.0))
        w = n * m / (n + m)
        self._inside[name] = top + w * (other / m - one / n), weight + w

    def deltas(self) -> tuple[Delta, ...]:
        """Every signal of either playbook, in the order of b's."""
        names = [*self._b.signals, *(name for name in self._a.signals if name not in self._b.signals)]
        return tuple(delta for name in names for delta in self._of(name))

    def _of(self, name: str) -> Iterator[Delta]:
        spec, other = self._b.signals.get(name), self._a.signals.get(name)
        shown = spec or other
        assert shown is not None  # noqa: S101  # names come from these two
        if spec is None or other is None:
            yield _nothing(name, shown, f"only the playbook of {'a' if spec is None else 'b'} measures it")
        elif differ := [key for key in _MEANING if getattr(spec, key) != getattr(other, key)]:
            yield _nothing(name, shown, f"the two playbooks define its {differ[0].replace('_', ' ')} differently")
        elif spec.kind not in _COMPARED:
            yield _nothing(name, spec, f"it is of kind {spec.kind}, which is judged within one release only")
        else:
            a, b = self._sums[name]
            lacking = [side for side, sums in (("a", a), ("b", b)) if not sums.scored]
            if lacking:
                both = "side by side" if self._concurrent else f"of {' and '.join(lacking)}"
                yield _nothing(name, spec, f"no known block {both}", a, b)
            elif spec.kind == "categories":
                yield from _mix(name, spec, a, b)
            else:
                yield _delta(name, spec, a, b, self._blockwise(name, spec))

    def _blockwise(self, name: str, spec: SignalSpec) -> float | None:
        top, weight = self._inside.get(name, (0.0, 0.0))
        return top / weight * scale(spec) if weight else None


def _nothing(name: str, spec: SignalSpec, why: str, a: Sums | None = None, b: Sums | None = None) -> Delta:
    readings = [
        reading(spec, sums) if sums is not None and sums.scored and spec.kind != "categories" else unread()
        for sums in (a, b)
    ]
    return Delta(
        signal=name,
        meaning=spec.meaning,
        unit=unit_of(spec),
        a=readings[0],
        b=readings[1],
        word="not_measured",
        sentence=f"Not measured: {why}.",
    )


def _delta(name: str, spec: SignalSpec, a: Sums, b: Sums, blockwise: float | None) -> Delta:
    one, other = reading(spec, a), reading(spec, b)
    found: Interval | None
    if spec.kind == "score":
        found, method = (
            of_means((a.scored, a.total, a.squares), (b.scored, b.total, b.squares)),
            "Welch 1947, large samples",
        )
    elif spec.kind == "latency":
        found, method = _of_latencies(spec, a, b), "order statistics, exact (conservative)"
    else:
        found, method = of_shares(a.bad, a.scored, b.bad, b.scored), "Newcombe 1998, method 10"
    size = 1.0 if spec.kind == "latency" else scale(spec)
    low, high = (None, None) if found is None else found
    difference = None if one.value is None or other.value is None else other.value - one.value
    return _worded(
        Delta(
            signal=name,
            meaning=spec.meaning,
            unit=unit_of(spec),
            a=one,
            b=other,
            difference=None if difference is None else round(difference, 6),
            low=None if low is None else round(low * size, 6),
            high=None if high is None else round(high * size, 6),
            method="" if found is None else method,
            blockwise=None if blockwise is None else round(blockwise, 6),
            word="no_difference_shown",
            sentence="",
        ),
        # A rate counts what is bad, whichever way the signal itself points.
        worse_is_higher=spec.kind != "score" or spec.bad == "higher",
    )


def _mix(name: str, spec: SignalSpec, a: Sums, b: Sums) -> Iterator[Delta]:
    for category in (*(spec.categories or ()), "other"):
        k, l = a.counts[category], b.counts[category]  # noqa: E741  # k of n, l of m
        if not k and not l:
            continue
        low, high = of_shares(k, a.scored, l, b.scored)
        size = scale(spec)
        readings = [
            Reading(
                value=round(size * count / sums.scored, 6),
                n=sums.scored,
                said=f"{rate(count, sums.scored, spec.show)} ({count:,} of {sums.scored:,} {plural(spec.unit)})",
            )
            for count, sums in ((k, a), (l, b))
        ]
        delta = Delta(
            signal=name,
            category=category,
            meaning=spec.meaning,
            unit=unit_of(spec),
            a=readings[0],
            b=readings[1],
            difference=round(size * (l / b.scored - k / a.scored), 6),
            low=round((low or 0) * size, 6),
            high=round((high or 0) * size, 6),
            method="Newcombe 1998, method 10",
            word="no_difference_shown",
            sentence="",
        )
        yield _worded(delta, worse_is_higher=None)


def _of_latencies(spec: SignalSpec, a: Sums, b: Sums) -> Interval:
    (low_a, high_a), (low_b, high_b) = of_quantiles(a.hist, b.hist, float(spec.quantiles[-1]))
    # A value lies between the lower and the upper edge of its bucket.
    least_a, least_b = (lower_edge(spec, low) for low in (low_a, low_b))
    most_a, most_b = (None if high is None else upper_edge(spec, high) for high in (high_a, high_b))
    return Interval(
        None if most_a is None else least_b - most_a,
        None if most_b is None else most_b - least_a,
    )


def _worded(delta: Delta, *, worse_is_higher: bool | None) -> Delta:
    """With its word and sentence. `worse_is_higher` None: neither direction is worse."""
    low, high = delta.low, delta.high
    above, below = low is not None and low > 0, high is not None and high < 0
    word: Word = "no_difference_shown"
    if above or below:
        word = "different" if worse_is_higher is None else "worse" if above == worse_is_higher else "better"
    sentence = _sentence(delta, word)
    if delta.blockwise is not None and not _inside(delta.blockwise, low, high) and low is not None:
        sentence += (
            f" Inside single blocks it is {_figure(delta.blockwise, delta.unit)}: the split of traffic changed"
            " meanwhile, so trust that number more."
        )
    return delta.model_copy(update={"word": word, "sentence": sentence})


def _sentence(delta: Delta, word: Word) -> str:
    if delta.difference is None:
        return "The value lies above the last bucket; no difference can be given."
    said = f"From a to b {_figure(delta.difference, delta.unit)}"
    if not delta.method:
        return f"{said}; too few outputs for an interval."
    within = f"between {_figure(delta.low, delta.unit)} and {_figure(delta.high, delta.unit)} with 95 % confidence"
    if word == "no_difference_shown":
        return f"{said}, {within}: no difference is shown."
    return f"{said}, {within}: {word}."


def _inside(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or low <= value) and (high is None or value <= high)


def _figure(value: float | None, unit: str) -> str:
    """`+2.1 points`, `−12 per 10,000`, `no bound`."""
    if value is None:
        return "no bound"
    number = f"{abs(value):.3g}" if abs(value) < 1000 else f"{abs(value):,.0f}"
    sign = "±" if not value else "+" if value > 0 else "−"
    name = "points" if unit == "%" else unit
    return f"{sign}{number}{f' {name}' if name else ''}"
