"""Does the vectorised twin say what the product says? Both judge the same traffic, row by row."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from bench.detection.rules.core import Twin
from bench.detection.scenarios import Scenario
from bench.detection.traffic import Traffic
from countermand.detection.models import Arm, Block, BlockState, Row
from countermand.detection.rule import Rule
from countermand.detection.watch import advance, start

_BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def furthest(rule: Rule, scenario: Scenario, watches: int, minutes: int) -> float:
    """The largest difference of evidence between twin and product in any row until a watch fires, in nats.

    Raises AssertionError when the two do not fire in the same row.
    """
    traffic = scenario.draw(0, watches)
    twin, evidence, fired = Twin(rule, watches), [], []
    for _ in range(minutes):
        fired.append(twin.advance(traffic).copy())
        evidence.append(twin.micronats())
    worst = 0.0
    for watch in range(watches):
        state = start(rule)
        for minute in range(minutes):
            state = advance(rule, state, row(rule, traffic, minute, watch))
            if (state.latched_at is not None) != fired[minute][watch]:
                raise AssertionError(f"{scenario.name!r}, watch {watch}: twin and product part in row {minute}")
            worst = max(worst, abs((state.micronats or 0) - evidence[minute][watch]))
            if state.latched_at is not None:
                break
    return worst / 1e6


def row(rule: Rule, traffic: Traffic, minute: int, watch: int) -> Row:
    """One minute of one watch as the product reads it."""
    known = bool(np.broadcast_to(traffic.known[minute], traffic.watches)[watch])
    signal = rule.criteria[0].reads
    sides = (
        (Arm.candidate, traffic.candidate_bad, traffic.candidate),
        (Arm.baseline, traffic.baseline_bad, traffic.baseline),
    )
    blocks = tuple(
        Block(signal=signal, arm=arm, state=BlockState.ok, served=n, scored=n, bad=int(bad[minute, watch]))
        if known
        else Block(signal=signal, arm=arm, state=BlockState.unknown, reason="empty", served=n, scored=0, bad=0)
        for arm, bad, n in sides
    )
    return Row(seq=minute, start=_BEGIN + minute * rule.block, block=rule.block, blocks=blocks)
