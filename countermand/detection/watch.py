"""The watch of one release: `start` once per rule, `step` once per sealed row, `combine` the triggers (§5).

The standing watch after the declared length (DET-13), the severe lane (DET-15) and late rows (DET-17) are not
part of this core version.
"""

from __future__ import annotations

from collections.abc import Sequence

from countermand.detection import composition, evidence, record, thresholds
from countermand.detection.models import Row, Verdict, VerdictWord, WatchVerdict
from countermand.detection.rules import Rule, ThresholdRule, ToleranceRule
from countermand.detection.state import State, ThresholdState, ToleranceState
from countermand.playbook.units import format_duration


def start(rule: Rule) -> State:
    """No evidence yet."""
    return State(
        core=rule.core,
        rule=rule.digest,
        criteria=tuple(
            evidence.start(criterion) if isinstance(criterion, ToleranceRule) else ThresholdState()
            for criterion in rule.criteria
        ),
    )


def step(rule: Rule, state: State, row: Row) -> tuple[State, Verdict]:
    """One block time: the state after the row, and what it means.

    Raises ValueError for a state of another rule or core, a row that does not follow the last one, a row of
    another block length, and a late row.
    """
    after = advance(rule, state, row)
    return after, record.verdict(rule, after, row)


def advance(rule: Rule, state: State, row: Row) -> State:
    """The first half of `step`: only the state, for replays that need no record. Raises as `step` does."""
    _refuse(rule, state, row)
    criteria: list[ToleranceState | ThresholdState] = []
    known = True
    for criterion, own in zip(rule.criteria, state.criteria, strict=True):
        after, counts = _advance(rule, criterion, own, row, state.rows)
        criteria.append(after)
        known = known and counts
    found = composition.at_least(rule.k, [composition.value(own) for own in criteria])
    fires = found >= rule.limit
    return State(
        core=state.core,
        rule=state.rule,
        seq=row.seq,
        rows=state.rows + 1,
        micronats=found if isinstance(found, int) else None,
        hold=found >= rule.hold_limit or (state.hold and found > 0),
        latched_at=row.seq if fires and state.latched_at is None else state.latched_at,
        unknown_in_a_row=0 if known else state.unknown_in_a_row + 1,
        criteria=tuple(criteria),
    )


def combine(verdicts: Sequence[Verdict]) -> WatchVerdict:
    """The verdict of the watch: first of trigger > unknown > watch > ok, then the most severe (DET-24).

    Raises ValueError without verdicts, or when they judge different rows.
    """
    if not verdicts or len({(verdict.seq, verdict.row) for verdict in verdicts}) != 1:
        rows = sorted({verdict.seq for verdict in verdicts})
        raise ValueError(f"verdicts of one and the same row are combined; these are of rows {rows!r}")
    order = list(VerdictWord)
    leading = min(verdicts, key=lambda verdict: (order.index(verdict.word), verdict.severity))
    return WatchVerdict(
        seq=leading.seq,
        word=leading.word,
        sentence=leading.sentence,
        leading=leading,
        verdicts=tuple(verdicts),
    )


def _advance(
    rule: Rule,
    criterion: ToleranceRule | ThresholdRule,
    state: ToleranceState | ThresholdState,
    row: Row,
    t: int,
) -> tuple[ToleranceState | ThresholdState, bool]:
    if isinstance(criterion, ToleranceRule) and isinstance(state, ToleranceState):
        return evidence.advance(rule, criterion, state, row, t)
    if isinstance(criterion, ThresholdRule) and isinstance(state, ThresholdState):
        return thresholds.advance(criterion, state, row)
    raise ValueError(f"a state of form {state.form!r} cannot serve a criterion of form {criterion.form!r}")


def _refuse(rule: Rule, state: State, row: Row) -> None:
    if (state.rule, state.core) != (rule.digest, rule.core):
        raise ValueError(
            f"state belongs to rule {state.rule!r} ({state.core}), not to {rule.digest!r} ({rule.core}); "
            "a changed rule starts with empty evidence"
        )
    if row.late_of is not None:
        raise ValueError(f"row {row.seq!r} is late data of row {row.late_of!r}; only rows in time are judged")
    if row.block != rule.block:
        raise ValueError(
            f"row {row.seq!r} has blocks of {format_duration(row.block)!r}, the rule judges blocks of "
            f"{format_duration(rule.block)!r}"
        )
    if state.seq is not None and row.seq != state.seq + 1:
        raise ValueError(f"row {row.seq!r} does not follow row {state.seq!r}; {state.seq + 1!r} is the next")
