"""What happens to each item of a batch before it is stored: taken, refused, or a repetition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from activities.signal_ports import Batch, CountedBlock, May, RejectCode, Rejected
from countermand.detection.blocks import Arm
from countermand.detection.sealing import DERIVED, Encode, NotKept, encoder, groups_of
from countermand.playbook.signals import SignalSpec

#: Event times further ahead of our clock than this are refused as `future`.
AHEAD = timedelta(minutes=2)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# The property `value` of an enumeration's member costs more than the rest of a row.
_ARMS = {arm: arm.value for arm in Arm}

Part = Literal["items", "counts", "events"]


class SignalGate(NamedTuple):
    """What one signal of a playbook takes, and from whom."""

    source: str
    kind: str
    encode: Encode
    groups: Mapping[str, frozenset[str]]

    def segments(self, groups: Mapping[str, str] | None) -> str | None:
        """The groups that some gap signal compares, as they are kept."""
        if not groups or not self.groups:
            return None
        known = [f"{key}={group}" for key, group in sorted(groups.items()) if group in self.groups.get(key, ())]
        return ";".join(known) or None


class Gate(NamedTuple):
    """What decides about outputs of one release. Those before `late_before_us` are late: their block is sealed, or
    the release was not registered yet. Of these, the late block of those between `start_us` and
    `too_old_before_us` is closed too."""

    signals: Mapping[str, SignalGate]
    environment: str
    closed: bool
    start_us: int
    late_before_us: int
    too_old_before_us: int


#: One row of the table `observation`, in the order of its columns. A plain tuple: tens of thousands a second are made.
Stored = tuple[str, str, str, str, str, str, int, int | None, str | None, bool]


@dataclass
class Sorted:
    """A batch after sorting; `fresh` holds the first row of each id with its index in the batch."""

    fresh: dict[str, tuple[int, Stored]] = field(default_factory=dict)
    counted: list[tuple[int, CountedBlock, int, bool]] = field(default_factory=list)
    duplicates: int = 0
    rejected: list[Rejected] = field(default_factory=list)

    def reject(self, index: int, code: RejectCode, detail: str, part: Part = "items") -> None:
        self.rejected.append(Rejected(index=index, code=code, detail=detail, part=part))

    def repeat(self, index: int, row: Stored, first: tuple[object, ...]) -> None:
        """`row` has an id whose `first` content (release to segments) is stored or about to be."""
        if row[3:9] == first:
            self.duplicates += 1
        else:
            self.reject(
                index,
                "duplicate_id_other_value",
                f"observation {row[1]!r} came before with other content; ids must differ",
            )


def microseconds(at: datetime) -> int:
    """Microseconds since 1970, exact."""
    return (at - _EPOCH) // _MICROSECOND


def gates_of(signals: Mapping[str, SignalSpec]) -> dict[str, SignalGate]:
    """What each signal of a playbook takes; made once per playbook."""
    groups = groups_of(signals)
    return {
        name: SignalGate(spec.source, spec.kind, encoder(name, spec), groups.get(name, {}))
        for name, spec in signals.items()
    }


def sort_batch(source_id: str, batch: Batch, gates: Mapping[str, Gate], now: datetime, may: May) -> Sorted:
    """Decide about every item that can be decided about without looking at what is stored."""
    found = Sorted(rejected=list(batch.rejected))
    judge = _Judge(source_id, gates, now, may)
    batch_id, fresh, admits = batch.batch_id, found.fresh, judge.admits
    for index, item in enumerate(batch.items):
        event_us = (item.event_time - _EPOCH) // _MICROSECOND
        release_id, name, observation_id, groups = item.release_id, item.signal, item.observation_id, item.groups
        try:
            gate, signal = admits(release_id, name, event_us)
            value = signal.encode(item.outcome, item.value, item.category)
        except NotKept as refused:
            found.reject(index, refused.code, str(refused))  # type: ignore[arg-type]  # one of its codes
            continue
        segments = signal.segments(groups) if groups else None
        late = event_us < gate.late_before_us
        row = (
            source_id, observation_id, batch_id, release_id, name, _ARMS[item.arm], event_us, value, segments, late
        )  # fmt: skip
        first = fresh.setdefault(observation_id, (index, row))
        if first[1] is not row:
            found.repeat(index, row, first[1][3:9])
    for index, counted in enumerate(batch.counts):
        start_us = microseconds(counted.start)
        try:
            gate, signal = judge.admits(counted.release_id, counted.signal, start_us)
            _fits(counted, signal)
        except NotKept as refused:
            found.reject(index, refused.code, str(refused), "counts")  # type: ignore[arg-type]  # one of its codes
            continue
        found.counted.append((index, counted, start_us, start_us < gate.late_before_us))
    return found


class _Judge:
    """The questions that every item is asked, in this order."""

    def __init__(self, source_id: str, gates: Mapping[str, Gate], now: datetime, may: May) -> None:
        self._source_id, self._gates, self._may = source_id, gates, may
        self._latest = microseconds(now + AHEAD)
        # What does not depend on the time of an item is asked once per batch.
        self._known: dict[tuple[str, str], tuple[Gate, SignalGate]] = {}

    def admits(self, release: str, signal: str, event_us: int) -> tuple[Gate, SignalGate]:
        """The gates the item passed. Raises NotKept with the reason why it did not."""
        key = release, signal
        passed = self._known.get(key)
        if passed is None:
            passed = self._known[key] = self._gates_for(*key)
        if event_us > self._latest:
            raise NotKept("future", "it is more than 2 min ahead of the clock here; send the time of the output")
        gate = passed[0]
        if gate.start_us <= event_us < gate.too_old_before_us:
            raise NotKept("too_old", "its block and that block's late samples are sealed; nothing can be added")
        return passed

    def _gates_for(self, release: str, name: str) -> tuple[Gate, SignalGate]:
        gate = self._gates.get(release)
        if gate is None or not self._may(release, gate.environment):
            raise NotKept(
                "unknown_release", f"release {release!r} is not registered, or this source may not write to it"
            )
        if gate.closed:
            raise NotKept("release_closed", f"release {release!r} is not watched any more")
        signal = gate.signals.get(name)
        if signal is None:
            raise NotKept(
                "unknown_signal",
                f"signal {name!r} is not in the playbook of release {release!r}, "
                f"which defines {', '.join(sorted(gate.signals))}",
            )
        if signal.source != self._source_id:
            raise NotKept(
                "wrong_source",
                f"signal {name!r} comes from source {signal.source!r} by the playbook, not {self._source_id!r}",
            )
        return gate, signal


def _fits(counted: CountedBlock, signal: SignalGate) -> None:
    """Raises NotKept when the sums are not those of the signal's kind, or its segment is not compared."""
    if signal.kind in DERIVED:
        signal.encode(None, None, None)
    sums = {"score": "sum", "latency": "hist", "categories": "counts"}
    wanted = sums.get(signal.kind, "bad")
    for name in ("bad", "sum", "hist", "counts"):
        if name != wanted and getattr(counted, name) not in (None, 0, {}):
            raise NotKept("wrong_kind", f"{counted.signal!r} is of kind {signal.kind}: give {wanted!r}, not {name!r}")
    if counted.scored and getattr(counted, wanted) in (None, {}):
        raise NotKept("wrong_kind", f"{counted.signal!r} is of kind {signal.kind}: {wanted!r} is missing")
    if counted.segment != "all":
        key, _, group = counted.segment.partition("=")
        if group not in signal.groups.get(key, ()):
            raise NotKept("wrong_kind", f"segment {counted.segment!r} of {counted.signal!r} is compared by no signal")
