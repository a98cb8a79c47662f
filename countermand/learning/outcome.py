"""What one version comes to over all episodes, from what its rules did (learning.md §2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from countermand.learning.episode import Episode
from countermand.learning.feeding import Heard, Stretch
from countermand.learning.report import Alarm, Fired, QuietSide
from countermand.learning.versions import Versions


class Tried(NamedTuple):
    """One episode and what was heard in it."""

    episode: Episode
    heard: Heard


class Outcome(NamedTuple):
    """Over incidents and quiet stretches. caught: when, by episode id; asks: false ones, in quiet stretches."""

    caught: Mapping[str, datetime]
    missed: tuple[str, ...]
    asks: int

    def without(self, episode_id: str) -> Outcome:
        """As if this incident had never been."""
        return Outcome(
            {name: at for name, at in self.caught.items() if name != episode_id},
            tuple(name for name in self.missed if name != episode_id),
            self.asks,
        )


def outcome(versions: Versions, names: Sequence[str], tried: Iterable[Tried]) -> Outcome:
    """What these rules, as one version, would have caught, missed and asked for nothing."""
    caught: dict[str, datetime] = {}
    missed, asks = [], 0
    for one in tried:
        if one.episode.kind == "quiet":
            asks += len(set(_alarms(versions, names, one)))
        elif one.episode.kind == "incident":
            at = min(_catches(versions, names, one), default=None)
            if at is None:
                missed.append(one.episode.episode_id)
            else:
                caught[one.episode.episode_id] = at
    return Outcome(caught, tuple(missed), asks)


def fired(versions: Versions, names: Sequence[str], one: Tried) -> Fired:
    """When the first acting trigger of a version would have fired after harm began, and what brought it."""
    acting = versions.acting(names)
    harmed = one.episode.harm_start or one.episode.begins
    at = min(_catches(versions, names, one), default=None)
    first = [
        (versions.rules[name].trigger, alarm)
        for name in acting
        for alarm in one.heard.traces[name].alarms
        if alarm.at == at
    ]
    actual = one.episode.fired_at
    until = at or one.episode.cut_at
    return Fired(
        at=at,
        triggers=tuple(sorted(trigger for trigger, _ in first)),
        carried_by=tuple(
            carrier for _, alarm in sorted(first, key=lambda both: both[0]) for carrier in alarm.carried_by
        ),
        after_actual_s=None if at is None or actual is None else _seconds(at - actual),
        after_harm_s=None if at is None or one.episode.harm_start is None else _seconds(at - harmed),
        unknown_rows=_blocks(versions, _until(_union(one.heard.traces[name].unknown for name in acting), until)),
        false_alarms=tuple(sorted({alarm for alarm in _alarms(versions, names, one) if alarm <= harmed})),
    )


def quiet(versions: Versions, names: Sequence[str], one: Tried) -> QuietSide:
    """What a version would have done in a quiet stretch."""
    acting = versions.acting(names)
    traces = [one.heard.traces[name] for name in acting]
    held = _union(trace.held for trace in traces)
    alarms = sorted(
        (alarm.at, versions.rules[name].trigger) for name in acting for alarm in one.heard.traces[name].alarms
    )
    return QuietSide(
        alarms=tuple(Alarm(at=at, trigger=trigger) for at, trigger in alarms),
        asks=len({at for at, _ in alarms}),
        flaps=len(held),
        longest_hold_s=max((_seconds(end - begin) for begin, end in held), default=0),
        unknown_rows=_blocks(versions, _union(trace.unknown for trace in traces)),
    )


def _alarms(versions: Versions, names: Sequence[str], one: Tried) -> list[datetime]:
    return [alarm.at for name in versions.acting(names) for alarm in one.heard.traces[name].alarms]


def _catches(versions: Versions, names: Sequence[str], one: Tried) -> list[datetime]:
    """An alarm before harm began caught nothing."""
    harmed = one.episode.harm_start or one.episode.begins
    return [at for at in _alarms(versions, names, one) if at > harmed]


def _union(parts: Iterable[Sequence[Stretch]]) -> list[Stretch]:
    """Stretches that touch or overlap as one."""
    found: list[Stretch] = []
    for begin, end in sorted(stretch for part in parts for stretch in part):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def _until(stretches: Sequence[Stretch], at: datetime) -> list[Stretch]:
    return [(begin, min(end, at)) for begin, end in stretches if begin < at]


def _blocks(versions: Versions, stretches: Sequence[Stretch]) -> int:
    return sum((end - begin) // versions.detection.block for begin, end in stretches)


def _seconds(length: timedelta) -> int:
    return round(length.total_seconds())
