"""What happens to each labelled output of a batch before it is stored: taken, refused, or a repetition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from activities.ports import LabelledOutput, Rejected

#: Event times further ahead of our clock than this are refused as `future`.
AHEAD = timedelta(minutes=2)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_BAD = {"ok": 0, "bad": 1, None: None}

Code = Literal["unknown_release", "unknown_signal", "future", "duplicate_id_other_value", "release_closed"]


class Gate(NamedTuple):
    """What decides about outputs of one release. Those before `late_before_us` are late: their block is sealed, or
    the release was not registered yet."""

    signals: frozenset[str]
    closed: bool
    late_before_us: int


class Stored(NamedTuple):
    """One row of the table `observation`, in the order of its columns."""

    source_id: str
    observation_id: str
    batch_id: str
    release_id: str
    signal: str
    arm: str
    event_us: int
    bad: int | None
    late: int

    @property
    def content(self) -> tuple[object, ...]:
        """What must be equal when the same id comes again."""
        return self.release_id, self.signal, self.arm, self.event_us, self.bad


@dataclass
class Sorted:
    """A batch after sorting; `fresh` holds the first row of each id with its index in the batch."""

    fresh: dict[str, tuple[int, Stored]] = field(default_factory=dict)
    duplicates: int = 0
    rejected: list[Rejected] = field(default_factory=list)

    def reject(self, index: int, code: Code, detail: str) -> None:
        self.rejected.append(Rejected(index=index, code=code, detail=detail))

    def repeat(self, index: int, row: Stored, first: tuple[object, ...]) -> None:
        """`row` has an id whose `first` content is stored or about to be."""
        if row.content == first:
            self.duplicates += 1
        else:
            self.reject(
                index,
                "duplicate_id_other_value",
                f"observation {row.observation_id!r} came before with other content; ids must differ",
            )


def microseconds(at: datetime) -> int:
    """Microseconds since 1970, exact."""
    return (at - _EPOCH) // _MICROSECOND


def sort_batch(
    source_id: str, batch_id: str, items: Sequence[LabelledOutput], gates: Mapping[str, Gate], now: datetime
) -> Sorted:
    """Decide about every item that can be decided about without looking at stored outputs."""
    batch = Sorted()
    latest = microseconds(now + AHEAD)
    for index, item in enumerate(items):
        gate = gates.get(item.release_id)
        event_us = microseconds(item.event_time)
        if gate is None:
            batch.reject(index, "unknown_release", f"release {item.release_id!r} is not registered; register it first")
        elif gate.closed:
            batch.reject(index, "release_closed", f"release {item.release_id!r} is not watched any more")
        elif item.signal not in gate.signals:
            batch.reject(
                index,
                "unknown_signal",
                f"signal {item.signal!r} is not in the playbook of release {item.release_id!r}, "
                f"which defines {', '.join(sorted(gate.signals))}",
            )
        elif event_us > latest:
            batch.reject(index, "future", f"event_time {item.event_time} is more than 2 min ahead of the clock here")
        else:
            late = int(event_us < gate.late_before_us)
            row = Stored(
                source_id,
                item.observation_id,
                batch_id,
                item.release_id,
                item.signal,
                item.arm.value,
                event_us,
                _BAD[item.outcome],
                late,
            )
            _, first = batch.fresh.setdefault(item.observation_id, (index, row))
            if first is not row:
                batch.repeat(index, row, first.content)
    return batch
