"""Verdicts in words for the person who is woken up: sizes, evidence, limit, gaps (DET-32, DET-35)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from countermand.detection.composition import value
from countermand.detection.figures import count, plural, rate, span, spoken_odds
from countermand.detection.models import Arm, Block, CriterionRecord, Guarantee, VerdictWord
from countermand.detection.rules import Rule, SignalRule, ThresholdRule, ToleranceRule
from countermand.detection.state import State, ThresholdState, ToleranceState
from countermand.playbook.units import plain


def tolerance(rule: Rule, criterion: ToleranceRule, state: ToleranceState, rows: int) -> str:
    """What was counted on both arms in the last `rows` rows, and what is tolerated."""
    candidate_bad, candidate, bad, scored = state.counts
    if not scored:
        return f"{_name(criterion)}: nothing has been counted on both arms yet."
    return (
        f"{_counted(criterion, candidate_bad, candidate, 'bad')} against {bad:,} of {scored:,} on the "
        f"baseline ({rate(bad, scored, criterion.show)}) over {_last(rule, rows)}; {_tolerated(criterion)}."
    )


def threshold(rule: Rule, criterion: ThresholdRule, state: ThresholdState, rows: int) -> str:
    """The value of a threshold rule over its last `rows` rows, its limit, and how often it was outside.

    The value is in the signal's own direction: where lower is bad, the good outputs are counted.
    """
    bad, scored = state.total
    if not scored:
        return f"{_name(criterion)}: nothing was counted on the candidate over {_last(rule, rows)}."
    compared = bad if criterion.bad == "higher" else scored - bad
    counted = f"{_counted(criterion, compared, scored, 'good')} over {_last(rule, rows)}"
    beyond = f"{criterion.outside} {_share(criterion, criterion.limit)}"
    in_a_row = "" if criterion.kind == "cumulative" else " in a row"
    if criterion.kind == "bound":
        breach = f"{beyond} for {count(criterion.times, 'block')} is a breach"
    else:
        breach = f"{beyond} is a failure, more than {criterion.times}{in_a_row} are a breach"
    return f"{counted}; {breach}: {state.outside}{in_a_row} so far."


def unknown(criterion: ToleranceRule | ThresholdRule, arm: Arm, reason: str, block: Block | None) -> str:
    """Why the criterion cannot use this block of that arm, and what would end it."""
    units = plural(_words(criterion.unit))
    if block is None:
        why = f"no block of the {arm} arrived"
    elif reason == "no_traffic":
        why = f"the {arm} served no {units}"
    elif reason in ("no_scored", "coverage"):
        why = f"only {block.scored:,} of the {block.served:,} {units} served by the {arm} were scored"
    else:
        why = f"the block of the {arm} is unknown ({_words(reason)})"
    arms = " and by ".join(f"the {arm}" for arm in criterion.arms)
    return (
        f"{_name(criterion)}: not known in this block, because {why}. This ends with the first block in "
        f"which at least {plain(criterion.min_coverage * 100)} % of the {units} served by {arms} are scored."
    )


def trigger(
    rule: Rule, state: State, word: VerdictWord, guarantee: Guarantee, criteria: Sequence[CriterionRecord]
) -> str:
    """The sentence of a trigger: its strongest criteria, as many as must be harmed, and its evidence."""
    ranked = sorted(range(len(criteria)), key=lambda i: value(state.criteria[i]), reverse=True)
    counted = " ".join(criteria[i].sentence for i in ranked[: rule.k])
    now = "none" if state.micronats is None else spoken_odds(state.micronats)
    needed = None if rule.alpha is None else spoken_odds(int(rule.limit))
    progress = f"{now} of the {needed} needed" if needed else "no limit is breached"
    match word:
        case VerdictWord.trigger:
            return f"{_fired(rule, state)}{counted} {_certainty(rule, state, guarantee, criteria)}"
        case VerdictWord.unknown:
            gaps = " ".join(criterion.unknown.sentence for criterion in criteria if criterion.unknown)
            length = span(rule.block * state.unknown_in_a_row)
            blind = f"Unknown for {length}. " if state.unknown_in_a_row > 1 else ""
            return f"{gaps} {blind}Evidence so far: {progress}."
        case VerdictWord.watch:
            return f"Possible harm, not yet enough to act on: {progress}. {counted}"
        case VerdictWord.ok:
            return f"{f'No evidence of harm; {progress}' if needed else 'No limit is breached'}. {counted}"


def _fired(rule: Rule, state: State) -> str:
    if state.seq is None or state.latched_at is None or state.seq == state.latched_at:
        return ""
    return f"Fired {span(rule.block * (state.seq - state.latched_at))} ago. "


def _certainty(rule: Rule, state: State, guarantee: Guarantee, criteria: Sequence[CriterionRecord]) -> str:
    if rule.alpha is None or state.micronats is None:
        return "A fixed limit fired; it has no bound on false alarms."
    evidence = f"Evidence {spoken_odds(state.micronats)}, limit {spoken_odds(int(rule.limit))}"
    if guarantee.word == "none":
        return f"{evidence}; with its fixed limits this trigger has no bound on false alarms."
    harmless = f"{evidence}: a harmless release gets here in at most {plain(rule.alpha * 100)} % of watches"
    if guarantee.word == "bounded":
        return f"{harmless}."
    phi = max((criterion.dispersion for criterion in criteria if criterion.dispersion), key=float)
    if phi == "1.0":
        return f"{harmless}, if outputs are independent of each other."
    condition = f"{harmless}, if blocks vary at most {phi} times as much as independent outputs"
    if "clustering" in guarantee.reasons:
        return f"{condition}, as measured. Outputs are clustered; consider counting per session or user."
    return f"{condition}."


def _name(signal: SignalRule) -> str:
    return _words(signal.signal)


def _words(identifier: str) -> str:
    return identifier.replace("_", " ").replace("-", " ")


def _last(rule: Rule, rows: int) -> str:
    return f"the last {span(rule.block * rows).removeprefix('1 ')}"


def _counted(signal: SignalRule, part: int, scored: int, kind: str) -> str:
    """A signal named after its bad outputs needs no adjective."""
    were = "" if signal.bad == "higher" else f" were {kind}"
    return (
        f"{_name(signal)}: {part:,} of {scored:,} {plural(_words(signal.unit))}{were} on the candidate "
        f"({rate(part, scored, signal.show)})"
    )


def _share(signal: SignalRule, share: Decimal, percent: str = "%") -> str:
    if signal.show == "per_10000":
        return f"{plain(share * 10_000)} per 10,000"
    return f"{plain(share * 100)} {percent}"


def _tolerated(criterion: ToleranceRule) -> str:
    """The tolerance in words: ratio and absolute add up."""
    if criterion.zero:
        return "nothing worse is tolerated"
    times = f"{plain(criterion.ratio)} times"
    if criterion.absolute == 0:
        return f"up to {times} is tolerated"
    points = "percentage point" if criterion.absolute == Decimal("0.01") else "percentage points"
    more = _share(criterion, criterion.absolute, points)
    if criterion.ratio == 1:
        return f"up to {more} more is tolerated"
    return f"up to {times} plus {more} is tolerated"
