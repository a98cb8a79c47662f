"""Could it have been seen earlier? Other limits over the same rows, by the evaluator of the live watch (LRN-2, LRN-7).

The rows are those that were frozen before the first effect, so that nothing that came of the way back is in them. It
looks for what would have helped here and is no proposal: that is for a backtest over many incidents.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from pydantic import ValidationError

from countermand.detection.blocks import Row
from countermand.detection.evaluator import Evaluator, fired
from countermand.detection.explanation import Onset
from countermand.plan.target import Value
from countermand.playbook.criteria import Detection
from countermand.playbook.units import format_duration

#: Rows that are looked at, the newest ones, and changes that are tried.
MAX_ROWS = 1_500
MAX_TRIED = 16
_MOVED = ((Decimal("0.8"), "limit 20 % tighter"), (Decimal("1.2"), "limit 20 % wider"))


class Alternative(Value):
    """One change of one trigger. sooner: than what was in force, on the same rows; negative is later.

    false_alarms: how often it would have fired before the harm seems to begin; None where nobody knows when that was.
    """

    trigger: str
    what: str
    fired_at: datetime | None
    sooner: timedelta | None
    false_alarms: int | None


class Earlier(Value):
    """What was looked at. fired_at: of what was in force, on these rows. left_out: changes that were not tried."""

    rows: int
    begins: datetime | None
    ends: datetime | None
    onset: Onset | None
    fired_at: datetime | None
    alternatives: tuple[Alternative, ...]
    left_out: int


class _Change(NamedTuple):
    trigger: str
    what: str
    document: dict[str, Any]


def earlier(detection: Detection, rows: Sequence[Row]) -> Earlier:
    """Every trigger with each limit moved, with half the sustained time, and each of its signals alone.

    rows: as they were sealed, in the order in which they were stored, late ones included. The block of a recorded row
    cannot be made shorter afterwards; the sustained time can.
    """
    kept = _newest(rows)
    in_force, onset = _in_force(detection, kept)
    tried, changes = [], list(_changes(detection))
    for change in changes[:MAX_TRIED]:
        try:
            other = Detection.model_validate(change.document)
        except ValidationError:  # such a limit cannot be written, so nobody could have had it
            continue
        at, alarms = _first(other, kept, onset)
        tried.append(
            Alternative(
                trigger=change.trigger,
                what=change.what,
                fired_at=at,
                sooner=in_force - at if in_force and at else None,
                false_alarms=alarms if onset else None,
            )
        )
    ends = [row.start + row.block for row in kept if row.late_of is None]
    return Earlier(
        rows=len(ends),
        begins=kept[0].start if kept else None,
        ends=ends[-1] if ends else None,
        onset=onset,
        fired_at=in_force,
        alternatives=tuple(tried),
        left_out=max(len(changes) - MAX_TRIED, 0),
    )


def _newest(rows: Sequence[Row]) -> list[Row]:
    """The last rows, and only late samples of these."""
    in_time = [row for row in rows if row.late_of is None][-MAX_ROWS:]
    first = in_time[0].seq if in_time else 0
    return [row for row in rows if row.seq >= first]


def _in_force(detection: Detection, rows: Sequence[Row]) -> tuple[datetime | None, Onset | None]:
    """When a trigger of the playbook fires first on these rows, and when its harm seems to begin."""
    evaluator = Evaluator(detection.model_copy(update={"health": None}))
    for index, row in enumerate(rows):
        names = fired(evaluator.judge(row))
        live = {one.id for one in detection.triggers if not one.shadow}
        if live & set(names):
            found = evaluator.explained(rows[: index + 1])
            onsets = [one.onset for one in found if one.trigger in names and one.onset is not None]
            return row.start + row.block, min(onsets, key=lambda one: one.seq, default=None)
    return None, None


def _first(detection: Detection, rows: Sequence[Row], onset: Onset | None) -> tuple[datetime | None, int]:
    """When it fires first from the onset on, and how often it does before; each time a fresh watch begins."""
    evaluator, first, alarms = Evaluator(detection), 0, 0
    for row in rows:
        if row.late_of is not None and row.seq < first:
            continue
        if fired(evaluator.judge(row)):
            if onset is None or row.seq >= onset.seq:
                return row.start + row.block, alarms
            evaluator, first, alarms = Evaluator(detection), row.seq + 1, alarms + 1
    return None, alarms


def _changes(detection: Detection) -> Iterator[_Change]:
    """Detections of one trigger each, in the order of the playbook."""
    whole = detection.model_dump(mode="json", by_alias=True) | {"health": None}
    for place, trigger in enumerate(detection.triggers):
        if trigger.shadow:
            continue
        own = {**whole, "triggers": [whole["triggers"][place]]}
        for index, criterion in enumerate(trigger.criteria):
            for factor, words in _MOVED:
                moved = deepcopy(own)
                if _move(list(_criteria(moved["triggers"][0]))[index], factor):
                    yield _Change(trigger.id, f"{criterion.signal.replace('_', ' ')}: {words}", moved)
        if len(trigger.criteria) > 1:
            for criterion, written in zip(trigger.criteria, _criteria(own["triggers"][0]), strict=True):
                alone = {**own["triggers"][0], "any": [{**written, "weight": None, "critical": False}]}
                alone |= {"all": None, "at_least": None, "weights": None}
                what = f"{criterion.signal.replace('_', ' ')} alone"
                yield _Change(trigger.id, what, {**own, "triggers": [alone]})
        half = detection.block * max(detection.sustain_blocks // 2, 1)
        if half < detection.sustain:
            words = f"sustained for {format_duration(half)} instead of {format_duration(detection.sustain)}"
            yield _Change(trigger.id, words, {**own, "sustain": format_duration(half)})


def _criteria(combination: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The written criteria of a trigger or group, in the order of `Combination.criteria`."""
    nested = combination.get("at_least")
    members = combination.get("any") or combination.get("all") or combination.get("weights")
    for member in members or (nested["of"] if nested else ()):
        if "signal" in member:
            yield member
        else:
            yield from _criteria(member)


def _move(criterion: dict[str, Any], factor: Decimal) -> bool:
    """Move every limit of a written criterion; False when it has none."""
    tolerate, moved = criterion["tolerate"], False
    for name, value in (tolerate or {}).items():
        if value is not None:
            number = Decimal(value)
            scaled = 1 + (number - 1) * factor if name == "ratio" and number > 1 else number * factor
            tolerate[name], moved = str(scaled), True
    return _move_rule(criterion["rule"], factor) or moved


def _move_rule(rule: Any, factor: Decimal) -> bool:
    moved = False
    for name, value in rule.items() if isinstance(rule, dict) else ():
        if name in ("above", "ratio", "budget", "below") and value is not None:
            rule[name] = str(Decimal(value) * (2 - factor if name == "below" else factor))
            moved = True
        elif isinstance(value, dict):
            moved = _move_rule(value, factor) or moved
    return moved
