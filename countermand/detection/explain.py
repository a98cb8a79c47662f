"""Verdicts in words for the person who is woken up: sizes, evidence, limit, what is missing (DET-32, DET-35)."""

from __future__ import annotations

from collections.abc import Sequence

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
        f"{_counted(criterion, candidate_bad, candidate)} against {bad:,} of {scored:,} on the baseline "
        f"({rate(bad, scored, criterion.show)}) over {_last(rule, rows)}; {_tolerated(criterion)}."
    )


def threshold(rule: Rule, criterion: ThresholdRule, state: ThresholdState, rows: int) -> str:
    """The value of a threshold rule over its last `rows` rows, its limit, and how often it was outside."""
    bad, scored = state.total
    if not scored:
        return f"{_name(criterion)}: nothing was counted on the candidate over {_last(rule, rows)}."
    breach = f"{criterion.outside} {plain(criterion.limit * 100)} %"
    if criterion.kind == "bound":
        breach += f" for {count(criterion.times, 'block')} is a breach"
    else:
        breach += f" is a failure, more than {criterion.times}"
        breach += " in a row are a breach" if criterion.kind == "consecutive" else " are a breach"
    return f"{_counted(criterion, bad, scored)} over {_last(rule, rows)}; {breach}: {state.outside} so far."


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
    return (
        f"{_name(criterion)}: not known in this block, because {why}. It ends with a block in which at least "
        f"{plain(criterion.min_coverage * 100)} % of the {units} served by {_arms(criterion)} are scored."
    )


def trigger(
    rule: Rule, state: State, word: VerdictWord, guarantee: Guarantee, criteria: Sequence[CriterionRecord]
) -> str:
    """The sentence of a trigger: the criteria with the most evidence, as many as must be harmed, and the limit."""
    ranked = sorted(range(len(criteria)), key=lambda i: value(state.criteria[i]), reverse=True)
    leading = [criteria[i] for i in ranked[: rule.k]]
    counted = " ".join(criterion.sentence for criterion in leading)
    now = "none" if state.micronats is None else spoken_odds(state.micronats)
    progress = (
        f"{now} of the {spoken_odds(int(rule.limit))} needed" if rule.alpha else "no fixed limit breached"
    )
    match word:
        case VerdictWord.trigger:
            return (
                f"{_fired(rule, state)}{counted} {_certainty(rule, state, guarantee, leading[0].dispersion)}"
            )
        case VerdictWord.unknown:
            gaps = " ".join(criterion.unknown.sentence for criterion in criteria if criterion.unknown)
            length = span(rule.block * state.unknown_in_a_row)
            blind = f"Nothing has been known for {length}. " if state.unknown_in_a_row > 1 else ""
            return f"{gaps} {blind}Evidence so far: {progress}."
        case VerdictWord.watch:
            return f"Possible harm, not yet enough to act on: {progress}. {counted}"
        case VerdictWord.ok:
            return f"No evidence of harm: {progress}. {counted}"


def _fired(rule: Rule, state: State) -> str:
    if state.seq is None or state.latched_at is None or state.seq == state.latched_at:
        return ""
    return f"Fired {span(rule.block * (state.seq - state.latched_at))} ago. "


def _certainty(rule: Rule, state: State, guarantee: Guarantee, phi: str | None) -> str:
    if rule.alpha is None or state.micronats is None:
        return "A fixed limit fired; it has no bound on false alarms."
    evidence = f"Evidence {spoken_odds(state.micronats)}, limit {spoken_odds(int(rule.limit))}"
    if guarantee.word == "none":
        return f"{evidence}; with its fixed limits this trigger has no bound on false alarms."
    harmless = f"{evidence}: a harmless release gets here in at most {plain(rule.alpha * 100)} % of watches"
    varying = f"{phi} times as much as independent outputs"
    if "clustering" in guarantee.reasons:
        return (
            f"{harmless}, as far as the measured clustering holds. Outputs are clustered: blocks vary {varying}; "
            "consider counting per session or user."
        )
    if "dispersion_assumed" in guarantee.reasons:
        return f"{harmless}, if blocks vary at most {varying}."
    return f"{harmless}."


def _name(signal: SignalRule) -> str:
    return _words(signal.signal)


def _words(identifier: str) -> str:
    return identifier.replace("_", " ").replace("-", " ")


def _arms(criterion: ToleranceRule | ThresholdRule) -> str:
    return " and by ".join(f"the {arm}" for arm in criterion.arms)


def _last(rule: Rule, rows: int) -> str:
    return f"the last {span(rule.block * rows)}"


def _counted(signal: SignalRule, bad: int, scored: int) -> str:
    units = plural(_words(signal.unit))
    were = " were bad" if signal.bad == "lower" else ""
    return f"{_name(signal)}: {bad:,} of {scored:,} {units}{were} on the candidate ({rate(bad, scored, signal.show)})"


def _tolerated(criterion: ToleranceRule) -> str:
    """The tolerance in words: ratio and absolute add up."""
    if criterion.zero:
        return "nothing worse is tolerated"
    times = f"{plain(criterion.ratio)} times"
    if criterion.absolute == 0:
        return f"up to {times} is tolerated"
    if criterion.show == "per_10000":
        more = f"{plain(criterion.absolute * 10_000)} per 10,000 more"
    else:
        more = f"{plain(criterion.absolute * 100)} percentage points more"
    return f"up to {more} is tolerated" if criterion.ratio == 1 else f"up to {times} and {more} is tolerated"
