"""Rows of a release whose arms are alike, as a playbook expects them: for trying criteria, never for judging.

What a playbook does not state is assumed: scores spread by 0.15 of their range at most, latencies are log-normal around
500, categories are equally frequent, every group of a gap has the same part of the traffic as the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from math import ceil, exp, sqrt
from statistics import NormalDist

from countermand.detection.blocks import SCORE_STEPS, Arm, Block, BlockState, Row
from countermand.detection.chance import binomial, split
from countermand.detection.forecast import Traffic
from countermand.detection.sealing import DERIVED, encoder, groups_of
from countermand.detection.tolerances import bad_value
from countermand.playbook.criteria import Detection
from countermand.playbook.signals import SignalSpec

_NORMAL = NormalDist()

#: A latency takes one value between each two of these shares of its distribution.
_CUTS = (*(k / 20 for k in range(19)), 0.93, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995, 1.0)
_CELLS = tuple(pairwise(_CUTS))


def synthetic(
    detection: Detection, traffic: Mapping[str, Traffic], rows: int, start: datetime, draws: Iterator[float]
) -> Iterator[Row]:
    """`rows` rows from `start` on. traffic: outputs per block on (candidate, baseline) by signal.

    draws: numbers between 0 and 1; the same numbers make the same rows. A signal without traffic has no blocks.
    """
    lost = {
        spec.of: float(spec.expect or 0) for spec in detection.signals.values() if spec.kind == "missing" and spec.of
    }
    groups = groups_of(detection.signals)
    for seq in range(rows):
        blocks: list[Block] = []
        for name, spec in detection.signals.items():
            if spec.kind in DERIVED or name not in traffic:
                continue
            for arm, n in zip((Arm.candidate, Arm.baseline), traffic[name], strict=True):
                scored = n - binomial(n, lost.get(name, 0.0), next(draws))
                block = _block(name, spec, arm, n, scored, draws)
                blocks.append(block)
                for key, members in sorted(groups.get(name, {}).items()):
                    blocks += _parts(block, key, sorted(members), draws)
        yield Row(seq=seq, start=start + seq * detection.block, block=detection.block, blocks=tuple(blocks))


def _block(name: str, spec: SignalSpec, arm: Arm, served: int, scored: int, draws: Iterator[float]) -> Block:
    fields = {"signal": name, "arm": arm, "served": served, "scored": scored}
    if not scored:
        return Block(**fields, state=BlockState.unknown, reason="empty" if served else "no_traffic")
    return Block(**fields, state=BlockState.ok, **_sums(name, spec, scored, draws))


def _sums(name: str, spec: SignalSpec, n: int, draws: Iterator[float]) -> dict[str, object]:
    match spec.kind:
        case "rate" | "judgement":
            return {"bad": binomial(n, float(bad_value(spec) or 0), next(draws))}
        case "score":
            return _moments(spec, n, next(draws))
        case "latency":
            counts = split(n, [high - low for low, high in _CELLS], draws)
            encode = encoder(name, spec)
            hist: Counter[int] = Counter()
            for count, (low, high) in zip(counts, _CELLS, strict=True):
                hist[encode(None, 500 * exp(_NORMAL.inv_cdf((low + high) / 2) / 2), None) or 0] += count
            return {"hist": dict(+hist)}
        case _:
            names = (*(spec.categories or ()), "other")
            dealt = split(n, [1 / len(names)] * len(names), draws)
            return {"counts": {category: count for category, count in zip(names, dealt, strict=True) if count}}


def _moments(spec: SignalSpec, n: int, u: float) -> dict[str, object]:
    """Sums of n scores around the expected one; without an expected score, around the middle of the range."""
    low, high = spec.range or (0, 1)
    usual = 0.5 if spec.expect is None else float((spec.expect - low) / (high - low))
    spread = min(0.15, sqrt(usual * (1 - usual)) / 2)
    mean = min(max(usual + spread / sqrt(n) * _NORMAL.inv_cdf(min(max(u, 1e-9), 1 - 1e-9)), 0.0), 1.0)
    total = round(n * mean * SCORE_STEPS)
    squares = ceil(total * total / n + n * (spread * SCORE_STEPS) ** 2)
    return {"sum": total, "sumsq": min(squares, total * SCORE_STEPS)}


def _parts(whole: Block, key: str, groups: list[str], draws: Iterator[float]) -> Iterator[Block]:
    """Blocks of groups of the same rate: each group has as many outputs as everybody else together."""
    size = whole.scored // (len(groups) + 1)
    bad, left = whole.bad, whole.scored
    for group in groups:
        fields = {"signal": whole.signal, "arm": whole.arm, "segment": f"{key}={group}", "served": size, "scored": size}
        if not size:
            yield Block(**fields, state=BlockState.unknown, reason="no_traffic")
            continue
        here = min(binomial(bad, size / left, next(draws)), size)
        bad, left = bad - here, left - size
        yield Block(**fields, state=BlockState.ok, bad=here)
