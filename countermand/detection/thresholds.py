"""Rules people already have: a fixed limit on the candidate's own value, no bound on false alarms (§6).

Values are Σ bad / Σ scored over the window. An unknown block adds nothing to the value and neither breaches nor
resets; a measurement without any known block is none.
"""

from __future__ import annotations

from decimal import Decimal

from countermand.detection.coverage import usable
from countermand.detection.criterion_rules import ThresholdRule
from countermand.detection.models import Row
from countermand.detection.state import ThresholdState, made


def advance(criterion: ThresholdRule, state: ThresholdState, row: Row) -> ThresholdState:
    """The state after a row."""
    blocks = [usable(criterion, row, arm) for arm in criterion.arms]
    known = None not in blocks
    now = tuple(number for block in blocks for number in ((block.bad, block.scored) if known and block else (0, 0)))
    window, waited, measured = _window(criterion, state, now, known=known)
    outside = state.outside
    breached = state.breached
    total = tuple(map(sum, zip(*window, strict=True)))
    match criterion.kind:
        case "bound" | "firing":
            if known:
                outside = outside + 1 if _is_outside(criterion, total) else 0
            breached = outside >= criterion.times
        case "n_of_m":
            outside = sum(_is_outside(criterion, counts) for counts in window)
            breached = outside >= criterion.times
        case "burn_rate":
            if known:
                breached = any(_burns(criterion, window, pair) for pair in criterion.pairs)
        case _:
            if measured and total[1] and total[-1]:
                if _is_outside(criterion, total):
                    outside += 1
                elif criterion.kind == "consecutive":
                    outside = 0
            breached = outside >= criterion.times if criterion.kind == "failed_checks" else outside > criterion.times
    return made(
        ThresholdState,
        form="threshold",
        window=window,
        outside=outside,
        waited=waited,
        breached=breached,
        unknown_rows=state.unknown_rows + (not known),
        unknown=not known,
    )


def soonest(criterion: ThresholdRule) -> int:
    """The fewest blocks after which the rule can be breached, if every block is outside."""
    match criterion.kind:
        case "cumulative" | "consecutive":
            return (criterion.times + 1) * criterion.window
        case "failed_checks":
            return criterion.times * criterion.window
        case "times_baseline":
            return (criterion.times + 1) * criterion.interval
        case "burn_rate":
            return 1
        case _:
            return criterion.times


def _window(
    criterion: ThresholdRule, state: ThresholdState, now: tuple[int, ...], *, known: bool
) -> tuple[tuple[tuple[int, ...], ...], int, bool]:
    """(rows the rule compares, rows since the last measurement, is this row a measurement)."""
    sliding = (*state.window, now)[-criterion.window :]
    match criterion.kind:
        case "bound" | "burn_rate" | "firing":
            return sliding, 0, known
        case "n_of_m":
            # Unknown blocks are not among the last m.
            return (sliding if known else state.window) or (now,), 0, known
        case "times_baseline":
            waited = state.waited + 1
            due = waited >= criterion.interval
            return sliding, 0 if due else waited, due
        case _:
            window = (now,) if len(state.window) == criterion.window else (*state.window, now)
            return window, 0, len(window) == criterion.window


def _is_outside(criterion: ThresholdRule, total: tuple[int, ...]) -> bool:
    bad, scored = total[:2]
    limit, of = criterion.limit_ratio
    if criterion.kind == "times_baseline":
        return bad * total[3] * of > limit * total[2] * scored
    count = bad if criterion.bad == "higher" else scored - bad
    return count * of > limit * scored if criterion.outside == "above" else count * of < limit * scored


def _burns(criterion: ThresholdRule, window: tuple[tuple[int, ...], ...], pair: tuple[int, int, Decimal]) -> bool:
    """Do both windows of a pair hold more bad outputs than factor times the budget?"""
    long, short, factor = pair
    parts = [window[-rows:] for rows in (long, short)]
    return all(
        sum(counts[0] for counts in part) > criterion.limit * factor * sum(counts[1] for counts in part)
        for part in parts
    )
