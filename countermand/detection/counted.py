"""What a criterion counted, in words: one sentence per kind of signal and rule (DET-32)."""

from __future__ import annotations

from decimal import Decimal

from countermand.detection import sizes
from countermand.detection.criterion_rules import SignalRule, ThresholdRule, ToleranceRule
from countermand.detection.figures import count, plural, quotient, rate, span
from countermand.detection.kinds import categories, latency
from countermand.detection.rule import Rule
from countermand.detection.state import ThresholdState, ToleranceState
from countermand.playbook.units import plain


def tolerance(rule: Rule, criterion: ToleranceRule, state: ToleranceState, rows: int) -> str:
    """What was counted on both arms in the last `rows` rows, and what is tolerated."""
    if not state.counts:
        return f"{name(criterion)}: nothing has been counted on both arms yet."
    match criterion.kind:
        case "score":
            said = _score(criterion, state)
        case "latency":
            said = _latency(criterion, state)
        case "score_gap":
            said = _score_gap(criterion, state)
        case "gap":
            said = _gap(criterion, state)
        case "categories":
            return _mix(criterion, state)
        case "past_weeks":
            said = _past(criterion, state)
        case _:
            said = _rate(criterion, state)
    return f"{said} over {_last(rule, rows)}; {_tolerated(criterion)}."


def threshold(rule: Rule, criterion: ThresholdRule, state: ThresholdState, rows: int) -> str:
    """The value of a threshold rule over its last `rows` rows, its limit, and how often it was outside.

    The value is in the signal's own direction: where lower is bad, the good outputs are counted.
    """
    bad, scored, *baseline = state.total()
    if criterion.kind == "firing":
        return _firing(criterion, state, bad, scored)
    if not scored:
        return f"{name(criterion)}: nothing was counted on the candidate over {_last(rule, rows)}."
    good = criterion.bad == "lower" and criterion.kind not in ("burn_rate", "times_baseline")
    counted = _counted(criterion, scored - bad if good else bad, scored, "good" if good else "bad")
    against = ""
    if baseline:
        against = f" against {baseline[0]:,} of {baseline[1]:,} on the baseline"
        against += f" ({rate(baseline[0], baseline[1], criterion.show)})" if baseline[1] else ""
    return f"{counted}{against} over {_last(rule, rows)}; {_breach(rule, criterion, state)}."


def _firing(criterion: ThresholdRule, state: ThresholdState, firing: int, known: int) -> str:
    now = f"fires for the candidate ({count(firing, 'instance')})" if firing else "does not fire for the candidate"
    needed = f"{count(criterion.times, 'block')}{' in a row' if criterion.times > 1 else ''}"
    so_far = f"firing for {needed} is a breach: {state.outside} so far"
    return f"{name(criterion)}: the alert {now if known else 'may fire or not, its source is silent'}; {so_far}."


def _breach(rule: Rule, criterion: ThresholdRule, state: ThresholdState) -> str:
    beyond = f"{criterion.outside} {share(criterion, criterion.limit)}"
    in_a_row = "" if criterion.kind in ("cumulative", "failed_checks", "times_baseline") else " in a row"
    so_far = f"{state.outside}{in_a_row} so far"
    match criterion.kind:
        case "bound":
            return f"{beyond} for {count(criterion.times, 'block')} is a breach: {so_far}"
        case "failed_checks":
            return f"{beyond} is a failed check, {criterion.times} are a breach: {so_far}"
        case "n_of_m":
            some = f"{criterion.times} of {count(criterion.window, 'block')}"
            return f"{beyond} in {some} is a breach: {state.outside} now"
        case "burn_rate":
            pairs = " or ".join(
                f"{plain(factor)} times over {span(rule.block * long)} and {span(rule.block * short)}"
                for long, short, factor in criterion.pairs
            )
            how = "burning now" if state.breached else "not now"
            return f"a budget of {share(criterion, criterion.limit)} used up {pairs} is a breach: {how}"
        case "times_baseline":
            beyond = f"more than {plain(criterion.limit)} times the baseline"
    return f"{beyond} is a failure, more than {criterion.times}{in_a_row} are a breach: {so_far}"


def _rate(criterion: ToleranceRule, state: ToleranceState) -> str:
    candidate_bad, candidate, bad, scored = state.counts
    kind = "not scored" if criterion.kind == "missing" else "bad"
    counted = _counted(criterion, candidate_bad, candidate, kind)
    return f"{counted} against {bad:,} of {scored:,} on the baseline ({rate(bad, scored, criterion.show)})"


def _past(criterion: ToleranceRule, state: ToleranceState) -> str:
    bad, scored, allowed, _ = state.counts
    bound = rate(allowed // 10**9, scored, criterion.show)
    return f"{_counted(criterion, bad, scored, 'bad')} against {bound} in past weeks at this hour, at most,"


def _score(criterion: ToleranceRule, state: ToleranceState) -> str:
    n_c, z_c, _, n_t, z_t, _ = state.counts
    units = plural(words(criterion.unit))
    return (
        f"{name(criterion)}: {sizes.mean_value(criterion, n_c, z_c)} on average of {n_c:,} {units} on the candidate "
        f"against {sizes.mean_value(criterion, n_t, z_t)} of {n_t:,} on the baseline"
    )


def _latency(criterion: ToleranceRule, state: ToleranceState) -> str:
    part = sizes.leading(criterion, state)
    slow_c, n_c, slow_t, n_t = sizes.leading_rates(criterion, state, state.counts)
    at = latency.thresholds(criterion, state.memory)[part]
    limits = [
        f"{latency.edge(criterion, index):,.0f} {criterion.measured_in}" for index in (latency.moved(criterion, at), at)
    ]
    units = plural(words(criterion.unit))
    return (
        f"{name(criterion)}: {rate(slow_c, n_c, 'percent')} of {n_c:,} {units} on the candidate took more than "
        f"{limits[0]}, against {rate(slow_t, n_t, 'percent')} of {n_t:,} more than {limits[1]} on the baseline"
    )


def _gap(criterion: ToleranceRule, state: ToleranceState) -> str:
    part = sizes.leading(criterion, state)
    cells = state.counts[8 * part : 8 * part + 8]
    rates = [rate(cells[i], cells[i + 1], criterion.show) for i in range(0, 8, 2)]
    units = plural(words(criterion.unit))
    return (
        f"{name(criterion)}: {words(criterion.reads)} for {criterion.groups[part]} {rates[0]} of {cells[1]:,} {units} "
        f"on the candidate, for all others {rates[1]}; on the baseline {rates[2]} and {rates[3]}"
    )


def _score_gap(criterion: ToleranceRule, state: ToleranceState) -> str:
    part = sizes.leading(criterion, state)
    cells = [state.counts[i : i + 2] for i in range(12 * part, 12 * part + 12, 3)]
    means = [sizes.mean_value(criterion, n, z) for n, z in cells]
    units = plural(words(criterion.unit))
    return (
        f"{name(criterion)}: {words(criterion.reads)} for {criterion.groups[part]} {means[0]} on average of "
        f"{cells[0][0]:,} {units} on the candidate, for all others {means[1]}; on the baseline {means[2]} and "
        f"{means[3]}"
    )


def _mix(criterion: ToleranceRule, state: ToleranceState) -> str:
    index = quotient(max(categories.stability_index(state.memory), 0), 1_000_000, 2)
    q, p = categories.frequencies(state.memory)
    names = (*criterion.categories, "other")
    most = max(range(len(names)), key=lambda i: abs(q[i] - p[i]))
    return (
        f"{name(criterion)}: the mix of the candidate differs from the baseline's by a stability index of {index} "
        f"over about 30 blocks, most in {names[most]} ({100 * q[most]:.1f} % against {100 * p[most]:.1f} %); "
        f"{_tolerated(criterion)}."
    )


def name(signal: SignalRule) -> str:
    return words(signal.signal)


def words(identifier: str) -> str:
    return identifier.replace("_", " ").replace("-", " ")


def _last(rule: Rule, rows: int) -> str:
    return f"the last {span(rule.block * rows).removeprefix('1 ')}"


def _counted(signal: SignalRule, part: int, scored: int, kind: str) -> str:
    """A signal named after its bad outputs needs no adjective."""
    were = "" if signal.bad == "higher" and kind == "bad" else f" were {kind}"
    return (
        f"{name(signal)}: {part:,} of {scored:,} {plural(words(signal.unit))}{were} on the candidate "
        f"({rate(part, scored, signal.show)})"
    )


def share(signal: SignalRule, share: Decimal, percent: str = "%") -> str:
    if signal.show == "per_10000":
        return f"{plain(share * 10_000)} per 10,000"
    return f"{plain(share * 100)} {percent}"


def _tolerated(criterion: ToleranceRule) -> str:
    """The tolerance in words: ratio and absolute add up."""
    given = criterion.tolerance
    if criterion.zero:
        return "nothing worse is tolerated"
    if "slower_by" in given:
        return f"up to {plain(given['slower_by'] * 100)} % slower is tolerated"
    if "size" in given:
        return f"up to {plain(given['size'])} is tolerated"
    if "relative" in given:
        change = "more" if criterion.bad == "higher" else "less"
        return f"up to {plain(given['relative'] * 100)} % {change} is tolerated"
    if criterion.kind == "score_gap":
        return f"a gap up to {plain(given['absolute'])} wider is tolerated"
    if criterion.kind == "score":
        change = "higher" if criterion.bad == "higher" else "lower"
        return f"up to {plain(given['absolute'])} {change} is tolerated"
    points = "percentage point" if criterion.absolute == Decimal("0.01") else "percentage points"
    more = share(criterion, criterion.absolute, points)
    if criterion.kind == "gap":
        return f"a gap up to {more} wider is tolerated"
    times = f"{plain(criterion.ratio)} times"
    if criterion.absolute == 0:
        return f"up to {times} is tolerated"
    if criterion.ratio == 1:
        return f"up to {more} more is tolerated"
    return f"up to {times} plus {more} is tolerated"
