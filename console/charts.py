"""Series for the charts of a release, from sealed rows and their judgements. Pure.

A block that is not known is a gap with a band of its own and a reason, never a zero (CON-16). Long watches are
thinned by adding neighbouring blocks up, so that no peak of evidence and no count gets lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil, log
from typing import Any

from countermand.detection.evalue import MICRO
from countermand.detection.figures import count, plural, rate, span, spoken_odds
from countermand.detection.models import Arm, Block, BlockState, Row
from countermand.playbook.model import Detection, SignalSpec

MAX_POINTS = 600
#: The line through the single blocks is the rate over this many blocks.
MEAN_BLOCKS = 15

Evaluations = Sequence[tuple[int, Mapping[str, Any]]]


@dataclass(frozen=True)
class Event:
    """An instant marked in every chart."""

    at: datetime
    text: str


def series(
    detection: Detection, rows: Sequence[Row], evaluations: Evaluations, events: Iterable[Event]
) -> dict[str, Any]:
    """Everything the charts draw. Times are seconds since 1970; rates are in the unit of the signal's `show`."""
    size = max(ceil(len(rows) / MAX_POINTS), 1)
    groups = [rows[i : i + size] for i in range(0, len(rows), size)]
    return {
        "block_seconds": detection.block.total_seconds(),
        "blocks_per_point": size,
        "mean_blocks": max(MEAN_BLOCKS, size),
        "signals": {name: _signal(name, spec, groups) for name, spec in detection.signals.items()},
        "evidence": _evidence(evaluations),
        "marks": [{"t": event.at.timestamp(), "text": event.text} for event in events],
    }


def known(spec: SignalSpec, block: Block | None) -> bool:
    """Whether a block says something about its signal: it is there, not unknown, and enough of it was scored."""
    return (
        block is not None
        and block.state is BlockState.ok
        and block.scored > 0
        and block.scored >= spec.min_coverage * block.served
    )


def counts(name: str, spec: SignalSpec, rows: Iterable[Row], arm: Arm) -> tuple[int, int]:
    """(bad, scored) over the known blocks of one arm."""
    blocks = [block for row in rows if (block := row.find(name, arm)) is not None and known(spec, block)]
    return sum(block.bad for block in blocks), sum(block.scored for block in blocks)


def _signal(name: str, spec: SignalSpec, groups: Sequence[Sequence[Row]]) -> dict[str, Any]:
    scale = 10_000 if spec.show == "per_10000" else 100
    sums = {arm: [counts(name, spec, group, arm) for group in groups] for arm in Arm}
    window = max(MEAN_BLOCKS // len(groups[0]), 1) if groups else 1
    return {
        "show": spec.show,
        "t": [group[0].start.timestamp() for group in groups],
        **{arm.value: [_rate(pair, scale) for pair in sums[arm]] for arm in Arm},
        **{f"{arm.value}_mean": _trailing(sums[arm], window, scale) for arm in Arm},
        "unknown": _bands([(group, _gap(name, spec, group)) for group in groups]),
    }


def _rate(pair: tuple[int, int], scale: int) -> float | None:
    bad, scored = pair
    return round(bad * scale / scored, 3) if scored else None


def _trailing(sums: Sequence[tuple[int, int]], window: int, scale: int) -> list[float | None]:
    """The rate over the last `window` points; a gap stays a gap."""
    line: list[float | None] = []
    for i, (_, scored) in enumerate(sums):
        last = sums[max(i + 1 - window, 0) : i + 1]
        pooled = (sum(bad for bad, _ in last), sum(number for _, number in last))
        line.append(_rate(pooled, scale) if scored else None)
    return line


def _gap(name: str, spec: SignalSpec, group: Sequence[Row]) -> str:
    """Which arm is not known anywhere in a group of rows and why, in words; empty when both are."""
    for arm in Arm:
        blocks = [row.find(name, arm) for row in group]
        if not any(known(spec, block) for block in blocks):
            return f"{arm.value}: {_why(blocks[-1])}"
    return ""


def _why(block: Block | None) -> str:
    return "no block" if block is None else (block.reason or "too few labelled").replace("_", " ")


def _bands(gaps: Sequence[tuple[Sequence[Row], str]]) -> list[dict[str, Any]]:
    """Neighbouring gaps with the same reason become one band."""
    bands: list[dict[str, Any]] = []
    for group, why in gaps:
        if not why:
            continue
        start, end = group[0].start.timestamp(), (group[-1].start + group[-1].block).timestamp()
        if bands and bands[-1]["to"] == start and bands[-1]["why"] == why:
            bands[-1]["to"] = end
        else:
            bands.append({"from": start, "to": end, "why": why})
    return bands


def _evidence(evaluations: Evaluations) -> dict[str, Any]:
    """Each trigger's evidence as log10 odds; of several blocks the strongest is kept."""
    size = max(ceil(len(evaluations) / MAX_POINTS), 1)
    lines: dict[str, Any] = {}
    for i in range(0, len(evaluations), size):
        group = [record for _, record in evaluations[i : i + size]]
        at = datetime.fromisoformat(group[0]["start"]).timestamp()
        for trigger, last in group[-1]["triggers"].items():
            if last["limit_micronats"] is None:
                continue
            line = lines.setdefault(trigger, {"t": [], "odds_log10": []})
            line["limit_log10"] = _log10(last["limit_micronats"])
            found = [record["triggers"][trigger]["micronats"] for record in group if trigger in record["triggers"]]
            line["t"].append(at)
            line["odds_log10"].append(_log10(max(value for value in found if value is not None)))
    return lines


def _log10(micronats: int) -> float:
    return round(micronats / MICRO / log(10), 3)


def signal_caption(name: str, spec: SignalSpec, rows: Sequence[Row]) -> str:
    """Both arms' bad rate over the last rows, with counts and span, in one sentence."""
    if not rows:
        return "Nothing has been counted yet."
    said = []
    for arm in Arm:
        bad, scored = counts(name, spec, rows, arm)
        said.append(
            f"{arm.value} {rate(bad, scored, spec.show)} ({bad:,} of {scored:,} {plural(spec.unit)})"
            if scored
            else f"{arm.value} unknown (nothing labelled)"
        )
    last = rows[-1]
    end = last.start + last.block
    return f"{'; '.join(said)}; over {span(last.block * len(rows))} until {end:%H:%M:%S} UTC."


def evidence_caption(trigger: str, judged: Mapping[str, Any]) -> str:
    """The present evidence of a trigger and its limit, in one sentence."""
    if judged["limit_micronats"] is None:
        return "Decided by fixed limits, without betting odds; the sentence above says how often they were crossed."
    now, limit = spoken_odds(judged["micronats"]), spoken_odds(judged["limit_micronats"])
    return f"Evidence for “{trigger.replace('_', ' ').replace('-', ' ')}” is {now}; it triggers at {limit}."


def table(detection: Detection, rows: Sequence[Row]) -> list[tuple[datetime, dict[str, str]]]:
    """(start, text per `signal arm`) of rows, newest first: the same numbers as the charts, for reading."""
    lines = []
    for row in reversed(rows):
        cells = {}
        for name, spec in detection.signals.items():
            for arm in Arm:
                block = row.find(name, arm)
                counted = block is not None and known(spec, block)
                cells[f"{name} {arm.value}"] = (
                    f"{block.bad} of {block.scored}" if block and counted else f"unknown: {_why(block)}"
                )
        lines.append((row.start, cells))
    return lines


def shares(rows: Sequence[Row]) -> str:
    """Which share of outputs each arm served over the last rows: what traffic did, not what was configured."""
    served = {arm: 0 for arm in Arm}
    for row in rows:
        for arm in Arm:
            served[arm] += max((block.served for block in row.blocks if block.arm is arm), default=0)
    whole = sum(served.values())
    if not whole:
        return "unknown: no output was reported"
    candidate = 100 * served[Arm.candidate] / whole
    return (
        f"{candidate:.1f} % of {count(whole, 'output')} came from the candidate over {span(rows[-1].block * len(rows))}"
    )
