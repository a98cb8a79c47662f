"""What one version showed of one signal: its known blocks added up, as a number with its sample."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from countermand.detection.blocks import SCORE_STEPS, Arm, Block, BlockState, Row
from countermand.detection.figures import plural, rate
from countermand.plan.target import Value
from countermand.playbook.signals import SignalSpec
from countermand.playbook.units import plain

#: Growth of latency buckets without declared edges (detection.md §4).
_GROWTH = 1.05


class Reading(Value):
    """One side: the value in `unit` of the delta, from how many outputs, and in words."""

    value: float | None
    n: int
    said: str


@dataclass
class Sums:
    """What known blocks of one signal and arm add up to."""

    bad: int = 0
    scored: int = 0
    total: int = 0
    squares: int = 0
    hist: Counter[int] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, block: Block, kind: str) -> None:
        """Add a known block."""
        if kind == "missing":
            self.bad, self.scored = self.bad + block.served - block.scored, self.scored + block.served
            return
        self.bad, self.scored = self.bad + block.bad, self.scored + block.scored
        self.total, self.squares = self.total + (block.sum or 0), self.squares + (block.sumsq or 0)
        self.hist.update(block.hist)
        self.counts.update(block.counts)


def known(name: str, spec: SignalSpec, row: Row, arm: Arm) -> Block | None:
    """The block that counts for this signal; None when it is missing, unknown or too sparsely labelled."""
    block = row.find(spec.of if spec.kind == "missing" and spec.of else name, arm)
    if block is None:
        return None
    if spec.kind == "missing":
        return block if block.served else None
    if block.state is not BlockState.ok or not block.scored or block.scored < spec.min_coverage * block.served:
        return None
    return block


def scale(spec: SignalSpec) -> float:
    """From a share, or a step of a score, to the unit that is shown."""
    if spec.kind == "score" and spec.range is not None:
        return float(spec.range[1] - spec.range[0]) / SCORE_STEPS
    return 10_000.0 if spec.show == "per_10000" else 100.0


def unit_of(spec: SignalSpec) -> str:
    """The unit of its numbers; a score has none."""
    match spec.kind:
        case "score":
            return ""
        case "latency":
            return spec.measured_in
        case _:
            return "per 10,000" if spec.show == "per_10000" else "%"


def unread() -> Reading:
    """Of a version that nobody measured."""
    return Reading(value=None, n=0, said="not measured")


def reading(spec: SignalSpec, sums: Sums) -> Reading:
    """The number with its sample; something must have been scored."""
    outputs = f"{sums.scored:,} {plural(spec.unit)}"
    match spec.kind:
        case "score":
            low = float((spec.range or (0, 1))[0])
            value = low + sums.total / sums.scored * scale(spec)
            return Reading(value=round(value, 6), n=sums.scored, said=f"mean {value:.4g} ({outputs})")
        case "latency":
            quantile = float(spec.quantiles[-1])
            buckets, reached = sorted(sums.hist), 0
            for bucket in buckets:
                reached += sums.hist[bucket]
                if reached >= quantile * sums.scored:
                    break
            edge = upper_edge(spec, bucket)
            what = f"p{plain(spec.quantiles[-1] * 100)}"
            at_most = "above the last bucket" if edge is None else f"{edge:g} {spec.measured_in}"
            return Reading(value=edge, n=sums.scored, said=f"{what} {at_most} ({outputs})")
        case _:
            what = "never scored" if spec.kind == "missing" else "bad"
            said = f"{rate(sums.bad, sums.scored, spec.show)} {what} ({sums.bad:,} of {outputs})"
            return Reading(value=round(scale(spec) * sums.bad / sums.scored, 6), n=sums.scored, said=said)


def upper_edge(spec: SignalSpec, bucket: int) -> float | None:
    """The upper edge of a bucket; None above the last declared one."""
    if spec.edges is None:
        return round(_GROWTH**bucket, 3)
    return float(spec.edges[bucket]) if bucket < len(spec.edges) else None


def lower_edge(spec: SignalSpec, bucket: int | None) -> float:
    """The lower edge of a bucket; a latency is 0 or more."""
    return (upper_edge(spec, bucket - 1) or 0.0) if bucket else 0.0


def said_label(spec: SignalSpec, value: int | None) -> str:
    """What a kept integer of one output means: `bad`, `4.2`, `at most 812 ms`, `billing`; None: not labelled."""
    if value is None:
        return "not labelled"
    match spec.kind:
        case "score":
            return f"{float((spec.range or (0, 1))[0]) + value * scale(spec):.4g}"
        case "latency":
            edge = upper_edge(spec, value)
            return "above the last bucket" if edge is None else f"at most {edge:g} {spec.measured_in}"
        case "categories":
            return (*(spec.categories or ()), "other")[value]
        case _:
            return "bad" if value else "ok"
