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

from console.measures import Counted, Measure, counted, measure, pooled, spoken, value, why_unknown
from countermand.detection.evalue import MICRO
from countermand.detection.figures import count, span, spoken_odds
from countermand.detection.models import Arm, Row
from countermand.playbook.model import Detection, SignalSpec

MAX_POINTS = 600
#: The line through the single blocks is taken over this many blocks.
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
    """Everything the charts draw. Times are seconds since 1970; values are in the signal's unit."""
    size = max(ceil(len(rows) / MAX_POINTS), 1)
    groups = [rows[i : i + size] for i in range(0, len(rows), size)]
    drawn = {name: (spec, how) for name, spec in detection.signals.items() if (how := measure(spec)) is not None}
    return {
        "block_seconds": detection.block.total_seconds(),
        "blocks_per_point": size,
        "mean_blocks": max(MEAN_BLOCKS, size),
        "signals": {name: _signal(name, spec, how, groups) for name, (spec, how) in drawn.items()},
        "evidence": _evidence(evaluations),
        "marks": [{"t": event.at.timestamp(), "text": event.text} for event in events],
    }


def _signal(name: str, spec: SignalSpec, how: Measure, groups: Sequence[Sequence[Row]]) -> dict[str, Any]:
    sums = {arm: [pooled(counted(name, spec, row, arm) for row in group) for group in groups] for arm in Arm}
    window = max(MEAN_BLOCKS // len(groups[0]), 1) if groups else 1
    return {
        "show": spec.show,
        "unit": how.unit,
        "digits": how.digits,
        "from_zero": how.from_zero,
        "t": [group[0].start.timestamp() for group in groups],
        **{arm.value: [value(spec, found) for found in sums[arm]] for arm in Arm},
        **{f"{arm.value}_mean": _trailing(spec, sums[arm], window) for arm in Arm},
        "unknown": _bands([(group, _gap(name, spec, group)) for group in groups]),
    }


def _trailing(spec: SignalSpec, sums: Sequence[Counted], window: int) -> list[float | None]:
    """The value over the last `window` points; a gap stays a gap."""
    return [
        value(spec, pooled(sums[max(i + 1 - window, 0) : i + 1])) if found.scored else None
        for i, found in enumerate(sums)
    ]


def _gap(name: str, spec: SignalSpec, group: Sequence[Row]) -> str:
    """Which arm is not known anywhere in a group of rows and why, in words; empty when both are."""
    for arm in Arm:
        if all(counted(name, spec, row, arm) is None for row in group):
            return f"{arm.value}: {why_unknown(group[-1].find(name, arm))}"
    return ""


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
            line["odds_log10"].append(_log10(max(one for one in found if one is not None)))
    return lines


def _log10(micronats: int) -> float:
    return round(micronats / MICRO / log(10), 3)


def signal_caption(name: str, spec: SignalSpec, rows: Sequence[Row]) -> str:
    """Both arms over the last rows, with unit, sample and span, in one sentence."""
    if measure(spec) is None:
        return "Compared by parts; the verdict above says which part differs and by how much."
    if not rows:
        return "Nothing has been counted yet."
    said = [f"{arm.value} {spoken(spec, pooled(counted(name, spec, row, arm) for row in rows))}" for arm in Arm]
    last = rows[-1]
    return f"{'; '.join(said)}; over {span(last.block * len(rows))} until {last.start + last.block:%H:%M:%S} UTC."


def evidence_caption(trigger: str, judged: Mapping[str, Any]) -> str:
    """The present evidence of a trigger and its limit, in one sentence."""
    if judged["limit_micronats"] is None:
        return "Decided by fixed limits, without betting odds; the verdict above says how often they were crossed."
    now, limit = spoken_odds(judged["micronats"]), spoken_odds(judged["limit_micronats"])
    return f"Evidence for “{trigger.replace('_', ' ').replace('-', ' ')}” is {now}; it triggers at {limit}."


def table(detection: Detection, rows: Sequence[Row]) -> list[tuple[datetime, dict[str, str]]]:
    """(start, text per `signal arm`) of rows, newest first: the same numbers as the charts, for reading."""
    return [
        (
            row.start,
            {
                f"{name} {arm.value}": _cell(name, spec, row, arm)
                for name, spec in detection.signals.items()
                for arm in Arm
            },
        )
        for row in reversed(rows)
    ]


def _cell(name: str, spec: SignalSpec, row: Row, arm: Arm) -> str:
    found = counted(name, spec, row, arm)
    if found is None:
        return f"unknown: {why_unknown(row.find(name, arm))}"
    if spec.kind in ("score", "latency"):
        return spoken(spec, found)
    return f"{found.bad} of {found.scored}" if measure(spec) else f"{found.scored} scored"


def shares(detection: Detection, rows: Sequence[Row]) -> str:
    """Which share of outputs each arm served over the last rows: what traffic did, not what was configured."""
    counted = {name for name, spec in detection.signals.items() if spec.kind != "alert"}
    served = dict.fromkeys(Arm, 0)
    for row in rows:
        for arm in Arm:
            served[arm] += max(
                (block.served for block in row.blocks if block.arm is arm and block.signal in counted), default=0
            )
    whole = sum(served.values())
    if not whole:
        return "unknown: no output was reported"
    share = 100 * served[Arm.candidate] / whole
    window = span(rows[-1].block * len(rows))
    return f"{share:.1f} % of {count(whole, 'output')} came from the candidate over {window}"
