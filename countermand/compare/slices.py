"""How groups of people are served, from sealed rows: shares and means with intervals and sample sizes (R84, GOV-33)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from countermand.compare.intervals import of_mean, wilson
from countermand.detection.blocks import Arm, Block, BlockState, Row
from countermand.ledger.bodies import Slice
from countermand.playbook.criteria import Detection, SignalSpec
from countermand.playbook.units import plain

#: Outputs from which on a group counts as measured: below, the interval of a share of 10 % is wider than 12 points.
LEAST = 100
EVERYBODY = "everybody"
#: Kinds whose outputs are good or bad.
_SHARES = ("rate", "judgement")
#: Steps of the declared range in which sums of scores are kept.
_STEPS = 10_000
_ARMS: tuple[tuple[Arm, Literal["candidate", "baseline"]], ...] = (
    (Arm.candidate, "candidate"),
    (Arm.baseline, "baseline"),
)


def slices(detection: Detection, rows: Sequence[Row]) -> tuple[tuple[Slice, ...], tuple[str, ...]]:
    """Every share or mean score that a signal about fairness compares, of both arms, and in words what no row has.

    The intervals are two-sided 95 %, for one look: they describe, and no stopping rule rests on them. Those of shares
    are Wilson's, those of means the normal approximation.
    """
    found: list[Slice] = []
    lacking: list[str] = []
    for name in detection.of_fairness:
        spec = detection.signals[name]
        values = detection.signals[spec.of] if spec.of else spec
        groups = [f"{spec.group_by}={group}" for group in spec.groups or ()] if spec.kind == "gap" else []
        for group in (*groups, EVERYBODY):
            for arm, word in _ARMS:
                blocks = _usable(rows, spec.of or name, arm, "all" if group == EVERYBODY else group)
                one = _slice(name, group, word, values, blocks)
                if one is None:
                    lacking.append(f"{name.replace('_', ' ')} of {group} with the {word}")
                else:
                    found.append(one)
    return tuple(found), tuple(lacking)


def _slice(
    name: str, group: str, arm: Literal["candidate", "baseline"], values: SignalSpec, blocks: Sequence[Block]
) -> Slice | None:
    scored = sum(one.scored for one in blocks)
    if not scored:
        return None
    shared = {"signal": name, "group": group, "arm": arm, "scored": scored, "enough": scored >= LEAST}
    if values.kind in _SHARES:
        bad = sum(one.bad for one in blocks)
        return Slice(**shared, bad=bad, **_per_million(*wilson(bad, scored)))
    if values.kind != "score" or values.range is None:
        return None
    total, squares = sum(one.sum or 0 for one in blocks), sum(one.sumsq or 0 for one in blocks)
    interval = of_mean(scored, total, squares)
    low, high = (0.0, 1.0) if interval is None else (edge / _STEPS for edge in interval)
    return Slice(
        **shared,
        bad=0,
        mean_ppm=round(1_000_000 * total / (scored * _STEPS)),
        range=(plain(values.range[0]), plain(values.range[1])),
        **_per_million(max(low, 0.0), min(high, 1.0)),
    )


def _per_million(low: float, high: float) -> dict[str, int]:
    """Rounded outwards."""
    return {"low_ppm": int(low * 1_000_000), "high_ppm": min(1_000_000, int(high * 1_000_000) + 1)}


def keys_compared(detection: Detection) -> tuple[str, ...]:
    """The segment keys whose groups are compared: `language`, `region`."""
    named = (detection.signals[name].group_by for name in detection.of_fairness)
    return tuple(sorted({key for key in named if key}))


def _usable(rows: Sequence[Row], signal: str, arm: Arm, segment: str) -> list[Block]:
    blocks = [row.find(signal, arm, segment) for row in rows]
    return [one for one in blocks if one is not None and one.state is BlockState.ok]
