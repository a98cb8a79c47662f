"""From what sources delivered to the blocks of one row: how each kind of signal is kept and summed (detection.md §2).

Every output is kept as one integer: 1 = bad and 0 = ok for rates, a step of 1/10,000 of the range for scores, a bucket
for latencies, a place in the playbook's list for categories; None was served and not labelled.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from math import floor, isfinite

from countermand.detection.blocks import SCORE_STEPS, Arm, Block, BlockState
from countermand.playbook.signals import SignalSpec
from countermand.playbook.units import plain

#: Latencies above edge 400 (about 300 million) share the last bucket.
_EDGES = tuple(1.05**k for k in range(401))

#: Kinds that are computed from another signal's blocks.
DERIVED = ("gap", "missing")

#: Late samples of a block are taken until this many blocks later; then they form one late row (DET-17).
LATE_HORIZON = 60


class NotKept(ValueError):
    """An output that its signal cannot hold; `code` is one of the intake's."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


Encode = Callable[[str | None, float | None, str | None], int | None]


def encoder(name: str, spec: SignalSpec) -> Encode:
    """How an output of this signal becomes an integer: (outcome, value, category) → integer or None.

    What it returns raises NotKept for another kind's field, a number outside the range or not finite.
    """
    if spec.kind in ("rate", "judgement"):
        return _outcome(name, spec.kind)
    if spec.kind == "categories":
        return _category(name, {category: place for place, category in enumerate(spec.categories or ())})
    if spec.kind == "score":
        return _number(name, spec.kind, _steps(name, spec))
    if spec.kind == "latency":
        edges = _EDGES if spec.edges is None else tuple(float(edge) for edge in spec.edges)
        return _number(name, spec.kind, lambda value: _bucket(name, edges, value))
    return _derived(name, spec)


def groups_of(signals: Mapping[str, SignalSpec]) -> dict[str, dict[str, frozenset[str]]]:
    """By signal: the keys and groups that gap signals compare."""
    found: dict[str, dict[str, frozenset[str]]] = defaultdict(dict)
    for spec in signals.values():
        if spec.kind == "gap" and spec.of and spec.group_by and spec.groups:
            known = found[spec.of].get(spec.group_by, frozenset())
            found[spec.of][spec.group_by] = known | frozenset(spec.groups)
    return dict(found)


def blocks_of(
    signals: Mapping[str, SignalSpec],
    outputs: Iterable[tuple[str, str, str | None, int | None, int]],
    counted: Iterable[Block],
) -> tuple[Block, ...]:
    """All blocks of one row. `outputs`: (signal, arm, segments joined by `;`, kept integer, how many).

    A signal and arm without anything is unknown(no_traffic); a counted block that is unknown makes its block unknown.
    """
    values: dict[tuple[str, str, str], Counter[int | None]] = defaultdict(Counter)
    for signal, arm, segments, value, n in outputs:
        for segment in ("all", *(segments.split(";") if segments else ())):
            values[signal, arm, segment][value] += n
    extra: dict[tuple[str, str, str], list[Block]] = defaultdict(list)
    for block in counted:
        extra[block.signal, block.arm, block.segment].append(block)
    groups = groups_of(signals)
    found = []
    for name in sorted(signals):
        spec = signals[name]
        if spec.kind in DERIVED:
            continue
        own = groups.get(name, {})
        parts = ["all", *(f"{key}={group}" for key in sorted(own) for group in sorted(own[key]))]
        for arm in sorted(Arm):
            for segment in parts:
                at = (name, arm.value, segment)
                block = _summed(name, spec, arm, segment, values.get(at, Counter()))
                for more in extra.get(at, ()):
                    block = block + more
                found.append(_stated(block, spec.source))
    return tuple(found)


def _summed(name: str, spec: SignalSpec, arm: Arm, segment: str, values: Counter[int | None]) -> Block:
    served = values.total()
    known = {value: n for value, n in values.items() if value is not None}
    scored = sum(known.values())
    block = {"signal": name, "arm": arm, "segment": segment, "state": BlockState.ok, "served": served, "scored": scored}
    if spec.kind in ("rate", "judgement"):
        return Block(**block, bad=known.get(1, 0))
    if spec.kind == "score" and scored:
        return Block(**block, sum=sum(v * n for v, n in known.items()), sumsq=sum(v * v * n for v, n in known.items()))
    if spec.kind == "latency":
        return Block(**block, hist=dict(sorted(known.items())))
    if spec.kind == "categories":
        names = (*(spec.categories or ()), "other")
        return Block(**block, counts={names[place]: n for place, n in sorted(known.items())})
    return Block(**block)


def _stated(block: Block, source: str) -> Block:
    """The block with its state: what nobody served or scored is unknown, never zero and never ok."""
    fields = {name: getattr(block, name) for name in Block.model_fields}
    if block.state is BlockState.ok and not block.scored:
        fields |= {"state": BlockState.unknown, "reason": "empty" if block.served else "no_traffic"}
    return Block(**fields | {"source": source})


def _outcome(name: str, kind: str) -> Encode:
    kept = {"ok": 0, "bad": 1, None: None}

    def encode(outcome: str | None, value: float | None, category: str | None) -> int | None:
        if value is not None or category is not None:
            raise NotKept("wrong_kind", f"{name!r} is a {kind}; give `outcome`: ok, bad or null")
        return kept[outcome]

    return encode


def _category(name: str, places: Mapping[str, int]) -> Encode:
    other = len(places)

    def encode(outcome: str | None, value: float | None, category: str | None) -> int | None:
        if outcome is not None or value is not None:
            raise NotKept("wrong_kind", f"{name!r} is of kind categories; give `category`")
        return None if category is None else places.get(category, other)

    return encode


def _number(name: str, kind: str, place: Callable[[float], int]) -> Encode:
    def encode(outcome: str | None, value: float | None, category: str | None) -> int | None:
        if outcome is not None or category is not None:
            raise NotKept("wrong_kind", f"{name!r} is of kind {kind}; give `value`, a number")
        if value is None:
            return None
        if not isfinite(value):
            raise NotKept("not_finite", f"{name!r}: {value!r} is not a number")
        return place(value)

    return encode


def _steps(name: str, spec: SignalSpec) -> Callable[[float], int]:
    low, high = (float(end) for end in spec.range or (0, 1))
    written = f"[{', '.join(plain(end) for end in spec.range or ())}]"

    def place(value: float) -> int:
        if not low <= value <= high:
            if not spec.clipped:
                raise NotKept("out_of_range", f"{name!r}: {value!r} is outside its range {written}")
            value = min(max(value, low), high)
        return floor((value - low) / (high - low) * SCORE_STEPS + 0.5)

    return place


def _bucket(name: str, edges: tuple[float, ...], value: float) -> int:
    if value < 0:
        raise NotKept("out_of_range", f"{name!r}: {value!r} is below 0; a latency is 0 or more")
    return bisect_left(edges, value)


def _derived(name: str, spec: SignalSpec) -> Encode:
    where = f"computed from {spec.of!r}; send that" if spec.of else "known from its alerts, not from outputs"

    def encode(*_labels: object) -> int | None:
        raise NotKept("wrong_kind", f"{name!r} is of kind {spec.kind}: it is {where}")

    return encode
