"""When did it begin and how large is it: descriptions from sealed rows, which decide nothing (DET-33, DET-34)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import add

from countermand.detection import sizes
from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.evidence import start as begin
from countermand.detection.explain import leading
from countermand.detection.figures import spoken_odds
from countermand.detection.kinds.kind import Seen
from countermand.detection.kinds.table import KINDS
from countermand.detection.models import Arm, ArmCounts, Block, Row
from countermand.detection.pooling import pooled
from countermand.detection.rule import Rule
from countermand.detection.state import State, ToleranceState
from countermand.plan.target import Value


class Onset(Value):
    """Where the harm seems to begin: the row, and its start."""

    seq: int
    start: datetime


class CriterionExplanation(Value):
    """One criterion since its onset. The sizes are chosen after the fact: they describe, they do not decide."""

    signal: str
    lane: str
    onset: Onset | None
    since_onset: dict[Arm, ArmCounts]
    sentence: str


class Explanation(Value):
    """A trigger after its last row: the onset of the criterion that leads, and every criterion."""

    trigger: str
    onset: Onset | None
    criteria: tuple[CriterionExplanation, ...]
    sentence: str


def explain(rule: Rule, state: State, rows: Sequence[Row], history: Sequence[Row] = ()) -> Explanation:
    """Onset and sizes of every criterion with a tolerance, from the rows that led to `state`.

    Raises ValueError when the rows do not end where the state does.
    """
    in_time = [row for row in rows if row.late_of is None]
    if (in_time[-1].seq if in_time else None) != state.seq or state.rule != rule.digest:
        raise ValueError(f"these {len(in_time)} rows did not lead to a state of this rule at row {state.seq!r}")
    criteria = {
        place: _criterion(rule, criterion, own, in_time, history)
        for place, (criterion, own) in enumerate(zip(rule.criteria, state.criteria, strict=True))
        if isinstance(criterion, ToleranceRule) and isinstance(own, ToleranceState)
    }
    lane, evidence, limit = leading(rule, state)
    places = [place for place in lane.node.places if place in criteria]
    strongest = max(places, key=lambda place: _strength(state, place), default=None)
    onset = criteria[strongest].onset if strongest is not None else None
    said = criteria[strongest].sentence if strongest is not None else "Fixed limits only; nothing to compare."
    if evidence is not None and limit is not None:
        said = f"{said} Evidence {spoken_odds(evidence)}, limit {spoken_odds(limit)}."
    return Explanation(trigger=rule.trigger, onset=onset, criteria=tuple(criteria.values()), sentence=said)


def _strength(state: State, place: int) -> int:
    own = state.criteria[place]
    return own.micronats if isinstance(own, ToleranceState) and own.evidence else 0


def _criterion(
    rule: Rule, criterion: ToleranceRule, state: ToleranceState, rows: Sequence[Row], history: Sequence[Row]
) -> CriterionExplanation:
    seen, gains = _replayed(rule, criterion, rows, history)
    first = _onset(gains)
    name = criterion.signal.replace("_", " ")
    if first is None:
        sentence = f"{name}: nothing in these rows speaks against the candidate."
        return CriterionExplanation(
            signal=criterion.signal, lane=criterion.lane, onset=None, since_onset={}, sentence=sentence
        )
    sums: tuple[int, ...] = ()
    for row_sums in seen[first:]:
        if row_sums is not None:
            sums = tuple(map(add, sums, row_sums)) if sums else row_sums
    arms = {arm: sizes.with_interval(counts) for arm, counts in sizes.of(criterion, state, sums).items()}
    onset = Onset(seq=rows[first].seq, start=rows[first].start)
    said = "; ".join(f"{arm} {_size(counts)}" for arm, counts in arms.items())
    return CriterionExplanation(
        signal=criterion.signal,
        lane=criterion.lane,
        onset=onset,
        since_onset=arms,
        sentence=f"{name} since about {onset.start:%H:%M} UTC, as it looks now: {said}.",
    )


def _replayed(
    rule: Rule, criterion: ToleranceRule, rows: Sequence[Row], history: Sequence[Row]
) -> tuple[list[Seen | None], list[list[float] | None]]:
    """What each row showed, and what it added to each bet, uncapped."""
    kind, memory = KINDS[criterion.kind], begin(criterion, history).memory
    seen: list[Seen | None] = []
    gains: list[list[float] | None] = []
    pending: tuple[Block, ...] = ()
    for t, base in enumerate(rows):
        row, pending = pooled(criterion, pending, base, t)
        if row is None:
            seen.append(None)
            gains.append(None)
            continue
        here = kind.look(criterion, memory, row)
        nats = kind.gains(criterion, memory, here, rule.assumed_dispersion) if here is not None else None
        seen.append(here)
        gains.append(nats if t >= criterion.warm_up else None)
        memory = kind.learn(criterion, memory, row)
    return seen, gains


def _onset(gains: Sequence[list[float] | None]) -> int | None:
    """The row from which the uncapped evidence of some bet is largest; None when none is positive."""
    best, where = 0.0, None
    sums: list[float] = []
    for index in range(len(gains) - 1, -1, -1):
        here = gains[index]
        if here is None:
            continue
        sums = list(map(add, sums, here)) if sums else list(here)
        if max(sums) > best:
            best, where = max(sums), index
    return where


def _size(counts: ArmCounts) -> str:
    if counts.value is not None:
        return f"{counts.value} on average of {counts.scored:,}"
    if counts.bad is None or counts.per_10000 is None:
        return f"{counts.scored:,} outputs"
    said = f"{counts.per_10000} per 10,000 ({counts.bad:,} of {counts.scored:,}"
    return f"{said}; {counts.interval[0]} to {counts.interval[1]} for orientation)" if counts.interval else f"{said})"
