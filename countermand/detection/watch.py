"""The watch of one release: `start` once per rule, `step` once per sealed row, `combine` the triggers (§5)."""

from __future__ import annotations

from collections.abc import Sequence

from countermand.detection import composition, evidence, record, thresholds
from countermand.detection.criterion_rules import ThresholdRule, ToleranceRule
from countermand.detection.models import Row, Verdict, VerdictWord, WatchVerdict
from countermand.detection.rule import Rule
from countermand.detection.state import LaneState, State, ThresholdState, ToleranceState, made
from countermand.playbook.units import format_duration


def start(rule: Rule, history: Sequence[Row] = ()) -> State:
    """No evidence yet. `history`: rows from before the release; they train guesses and dispersion only."""
    return State(
        core=rule.core,
        rule=rule.digest,
        lanes=(LaneState(),) * len(rule.lanes),
        criteria=tuple(
            evidence.start(criterion, history) if isinstance(criterion, ToleranceRule) else ThresholdState()
            for criterion in rule.criteria
        ),
    )


def step(rule: Rule, state: State, row: Row, original: Verdict | None = None) -> tuple[State, Verdict]:
    """One block time: the state after the row, and what it means.

    `original`: for a row of late samples, the verdict of the row they belong to. Raises ValueError for a state of
    another rule or core, a row that does not follow the last one, a row of another block length, and a late row
    without its verdict or out of order.
    """
    after = advance(rule, state, row, original)
    return after, record.verdict(rule, after, row)


def advance(rule: Rule, state: State, row: Row, original: Verdict | None = None) -> State:
    """The first half of `step`: only the state, for replays that need no record. Raises as `step` does."""
    _refuse(rule, state, row)
    if row.late_of is not None:
        return _late(rule, state, row, original)
    criteria: list[ToleranceState | ThresholdState] = []
    turn = evidence.turn(rule, state.rows)
    unknown, silent = False, True
    for place, (criterion, own) in enumerate(zip(rule.criteria, state.criteria, strict=True)):
        after: ToleranceState | ThresholdState
        if isinstance(criterion, ToleranceRule) and isinstance(own, ToleranceState):
            after = evidence.advance(turn, place, criterion, own, row)
        elif isinstance(criterion, ThresholdRule) and isinstance(own, ThresholdState):
            after = thresholds.advance(criterion, own, row)
        else:
            raise ValueError(f"a state of form {own.form!r} cannot serve a criterion of form {criterion.form!r}")
        criteria.append(after)
        unknown = unknown or (criterion.required and bool(after.unknown))
        silent = silent and bool(after.unknown)
    return _judged(
        rule,
        state,
        tuple(criteria),
        seq=row.seq,
        rows=state.rows + 1,
        late=state.late,
        # Nothing known at all is never health, whatever is required.
        unknown_in_a_row=state.unknown_in_a_row + 1 if unknown or silent else 0,
    )


def combine(verdicts: Sequence[Verdict]) -> WatchVerdict:
    """The verdict of the watch: first of trigger > unknown > watch > ok, then the most severe (DET-24).

    A shadow never leads, unless there is nothing else. Raises ValueError without verdicts, or when they judge
    different rows.
    """
    if not verdicts or len({(verdict.seq, verdict.row) for verdict in verdicts}) != 1:
        rows = sorted({verdict.seq for verdict in verdicts})
        raise ValueError(f"verdicts of one and the same row are combined; these are of rows {rows!r}")
    order = list(VerdictWord)
    leading = min(verdicts, key=lambda one: (one.shadow, order.index(one.word), one.severity))
    return WatchVerdict(
        seq=leading.seq,
        word=leading.word,
        sentence=leading.sentence,
        leading=leading,
        verdicts=tuple(verdicts),
    )


def _judged(
    rule: Rule,
    state: State,
    criteria: tuple[ToleranceState | ThresholdState, ...],
    *,
    seq: int | None,
    rows: int,
    late: int | None,
    unknown_in_a_row: int,
) -> State:
    """The state with the evidence of every lane, the hold flags and the latch (DET-24)."""
    values = [composition.value(own) for own in criteria]
    lanes: list[LaneState] = []
    latched_at, latched_lane = state.latched_at, state.latched_lane
    for place, (lane, own) in enumerate(zip(rule.lanes_at(rows - 1), state.lanes, strict=True)):
        found = composition.combined(lane.node, values, one_clock=lane.one_clock)
        hold = found >= lane.hold_limit or (own.hold and found > 0)
        lanes.append(made(LaneState, micronats=found if isinstance(found, int) else None, hold=hold))
        if latched_at is None and found >= lane.limit:
            latched_at, latched_lane = seq, place
    return made(
        State,
        core=state.core,
        rule=state.rule,
        seq=seq,
        rows=rows,
        lanes=tuple(lanes),
        latched_at=latched_at,
        latched_lane=latched_lane,
        late=late,
        unknown_in_a_row=unknown_in_a_row,
        criteria=criteria,
    )


def _late(rule: Rule, state: State, row: Row, original: Verdict | None) -> State:
    """Late samples of a judged row: no new time, no new mass (DET-17)."""
    if original is None or (original.rule, original.seq) != (rule.digest, row.seq):
        raise ValueError(f"the late samples of row {row.seq!r} need the verdict of that row by the same rule")
    criteria = tuple(
        evidence.add_late(rule, place, criterion, own, row, state.rows - 1, used.used_micronats)
        if isinstance(criterion, ToleranceRule) and isinstance(own, ToleranceState)
        else own
        for place, (criterion, own, used) in enumerate(
            zip(rule.criteria, state.criteria, original.criteria, strict=True)
        )
    )
    return _judged(
        rule,
        state,
        criteria,
        seq=state.seq,
        rows=state.rows,
        late=row.seq,
        unknown_in_a_row=state.unknown_in_a_row,
    )


def _refuse(rule: Rule, state: State, row: Row) -> None:
    if state.rule != rule.digest or state.core != rule.core:
        raise ValueError(
            f"state belongs to rule {state.rule!r} ({state.core}), not to {rule.digest!r} ({rule.core}); "
            "a changed rule starts with empty evidence"
        )
    if row.block != rule.block:
        raise ValueError(
            f"row {row.seq!r} has blocks of {format_duration(row.block)!r}, the rule judges blocks of "
            f"{format_duration(rule.block)!r}"
        )
    if row.late_of is not None:
        newest = -1 if state.late is None else state.late
        judged = -1 if state.seq is None else state.seq
        if not newest < row.seq <= judged or judged - row.seq > rule.late_horizon:
            raise ValueError(
                f"late samples of row {row.seq!r} cannot be judged; accepted is one late row per row, in order, up to "
                f"{rule.late_horizon} rows back: after {newest!r}, up to {judged!r}"
            )
    elif state.seq is not None and row.seq != state.seq + 1:
        raise ValueError(f"row {row.seq!r} does not follow row {state.seq!r}; {state.seq + 1!r} is the next")
