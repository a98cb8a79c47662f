"""Harm planted into rows: the candidate's outputs of one signal made worse by a known amount.

What is planted comes on top of what the rows hold, output by output: an output that is not bad yet turns bad with a
given probability. Rows that were recorded keep everything else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from countermand.detection.blocks import SCORE_STEPS, Arm, Block, BlockState, Row
from countermand.detection.chance import binomial
from countermand.detection.sealing import encoder
from countermand.plan.target import Value
from countermand.playbook.signals import SignalSpec


class Harm(Value):
    """What happens to the candidate's outputs of one signal.

    part: the probability that an output that is not bad turns bad, is lost (`missing`), gets the worst score, or
    becomes `other` (`categories`). factor: for a latency, how many times longer it takes instead.
    """

    signal: str
    part: float
    factor: float = 1.0


def plant(signals: Mapping[str, SignalSpec], harm: Harm, row: Row, share: float, draws: Iterator[float]) -> Row:
    """The row with the harm during `share` of its time; an unknown block stays unknown.

    draws: numbers between 0 and 1; the same numbers plant the same outputs.
    """
    spec = signals[harm.signal]
    reads = spec.of or harm.signal
    own = [block for block in row.blocks if (block.signal, block.arm) == (reads, Arm.candidate)]
    whole = next((block for block in own if block.segment == "all"), None)
    if share <= 0 or whole is None or whole.state is BlockState.unknown or not whole.scored:
        return row
    changed = _KINDS[spec.kind](_Hit(harm, spec, whole, own, min(harm.part * share, 1), share, draws))
    blocks = tuple(changed.get(block.segment, block) if block in own else block for block in row.blocks)
    return row.model_copy(update={"blocks": blocks})


def can_plant(spec: SignalSpec) -> bool:
    """Is there an amount by which outputs of this kind of signal can be made worse?"""
    return spec.kind in _KINDS


class _Hit(NamedTuple):
    """One block that is harmed with its segments: `chance` is that of each output, `share` that of the block's time."""

    harm: Harm
    spec: SignalSpec
    whole: Block
    own: list[Block]
    chance: float
    share: float
    draws: Iterator[float]

    def of(self, outputs: int) -> int:
        """How many of these outputs are hit."""
        return binomial(outputs, self.chance, next(self.draws))


def _more_bad(hit: _Hit) -> dict[str, Block]:
    """Every segment takes its part of what the whole takes."""
    good = hit.whole.scored - hit.whole.bad
    more = hit.of(good)
    return {b.segment: _with(b, bad=b.bad + more * (b.scored - b.bad) // max(good, 1)) for b in hit.own}


def _group_bad(hit: _Hit) -> dict[str, Block]:
    """The listed groups alone are harmed."""
    names = {f"{hit.spec.group_by}={group}" for group in hit.spec.groups or ()}
    before = [b for b in hit.own if b.segment in names]
    after = {b.segment: _with(b, bad=b.bad + hit.of(b.scored - b.bad)) for b in before}
    more = sum(b.bad for b in after.values()) - sum(b.bad for b in before)
    return {**after, "all": _with(hit.whole, bad=min(hit.whole.bad + more, hit.whole.scored))}


def _lost(hit: _Hit) -> dict[str, Block]:
    lost = hit.of(hit.whole.scored)
    return {b.segment: _kept(b, b.scored - lost * b.scored // hit.whole.scored) for b in hit.own}


def _worst_scores(hit: _Hit) -> dict[str, Block]:
    worst = hit.of(hit.whole.scored)
    score = SCORE_STEPS if hit.spec.bad == "higher" else 0
    kept = hit.whole.scored - worst
    total, squares = _part(hit.whole.sum, kept, hit.whole.scored), _part(hit.whole.sumsq, kept, hit.whole.scored)
    return {"all": _with(hit.whole, sum=total + worst * score, sumsq=squares + worst * score * score)}


def _slower(hit: _Hit) -> dict[str, Block]:
    encode, edges = encoder(hit.harm.signal, hit.spec), hit.spec.edges
    slow = hit.whole.scored if hit.share >= 1 else binomial(hit.whole.scored, hit.share, next(hit.draws))
    taken = _dealt(hit.whole.hist, slow)
    hist: Counter[int] = Counter()
    for bucket, count in hit.whole.hist.items():
        edge = 1.05**bucket if edges is None else float(edges[min(bucket, len(edges) - 1)])
        hist[bucket] += count - taken[bucket]
        hist[max(encode(None, edge * hit.harm.factor, None) or 0, bucket)] += taken[bucket]
    return {"all": _with(hit.whole, hist=dict(+hist))}


def _other(hit: _Hit) -> dict[str, Block]:
    moved = hit.of(hit.whole.scored)
    counts = Counter(_dealt(hit.whole.counts, hit.whole.scored - moved))
    counts["other"] += moved
    return {"all": _with(hit.whole, counts=dict(+counts))}


_KINDS: dict[str, Callable[[_Hit], dict[str, Block]]] = {
    "rate": _more_bad,
    "judgement": _more_bad,
    "gap": _group_bad,
    "missing": _lost,
    "score": _worst_scores,
    "latency": _slower,
    "categories": _other,
}


def _with(block: Block, **changes: Any) -> Block:
    """The block with other sums, checked like a new one."""
    return Block(**{**dict(block), **changes})


def _kept(block: Block, scored: int) -> Block:
    """The block with the labels of only `scored` outputs, in the proportions it had."""
    if not scored:
        sums: dict[str, Any] = {"scored": 0, "bad": 0, "sum": None, "sumsq": None, "hist": {}, "counts": {}}
        return _with(block, **sums, state=BlockState.unknown, reason="empty")
    has_scores = block.sum is not None
    return _with(
        block,
        scored=scored,
        bad=block.bad * scored // block.scored,
        sum=_part(block.sum, scored, block.scored) if has_scores else None,
        sumsq=_part(block.sumsq, scored, block.scored) if has_scores else None,
        hist=_dealt(block.hist, scored),
        counts=_dealt(block.counts, scored),
    )


def _part(total: int | None, part: int, whole: int) -> int:
    return (total or 0) * part // whole


def _dealt(counts: Mapping[Any, int], total: int) -> dict[Any, int]:
    """As many as `total` of these, in their proportions, exactly."""
    whole = sum(counts.values())
    reached = [seen * total // whole for seen in accumulate(counts.values())]
    return {key: now - before for key, (before, now) in zip(counts, pairwise([0, *reached]), strict=True)}
