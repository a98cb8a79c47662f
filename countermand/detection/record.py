"""The verdict of one trigger as a record: a pure function of the rule, the state after a row, and the row."""

from __future__ import annotations

from typing import Any

from countermand.detection import explain
from countermand.detection.coverage import first_missing
from countermand.detection.evalue import CLUSTERED, measured_dispersion, tempering
from countermand.detection.figures import odds, per_10000, quotient
from countermand.detection.models import (
    Arm,
    ArmCounts,
    CriterionRecord,
    Gap,
    Guarantee,
    Row,
    Verdict,
    VerdictWord,
)
from countermand.detection.rules import Rule, ThresholdRule, ToleranceRule
from countermand.detection.state import State, ThresholdState, ToleranceState
from countermand.playbook.units import format_duration, plain


def verdict(rule: Rule, state: State, row: Row) -> Verdict:
    """The verdict after `row`, which led to `state`."""
    word, guarantee = _word(state), _guarantee(rule, state)
    criteria = tuple(
        _record(rule, criterion, own, row) for criterion, own in zip(rule.criteria, state.criteria, strict=True)
    )
    spends = rule.alpha is not None
    return Verdict(
        core=rule.core,
        rule=rule.digest,
        trigger=rule.trigger,
        severity=rule.severity,
        seq=row.seq,
        word=word,
        hold=state.hold,
        blind=state.unknown_in_a_row >= rule.blind_after,
        latched_at=state.latched_at,
        guarantee=guarantee,
        micronats=state.micronats,
        limit_micronats=int(rule.limit) if spends else None,
        odds=None if state.micronats is None else odds(state.micronats),
        limit_odds=odds(int(rule.limit)) if spends else None,
        alpha=None if rule.alpha is None else plain(rule.alpha),
        criteria=criteria,
        row=row.digest,
        sentence=explain.trigger(rule, state, word, guarantee, criteria),
    )


def _word(state: State) -> VerdictWord:
    """DET-24, in this order. Every criterion is required, so one unknown makes the trigger unknown."""
    if state.latched_at is not None:
        return VerdictWord.trigger
    if state.unknown_in_a_row:
        return VerdictWord.unknown
    return VerdictWord.watch if state.hold else VerdictWord.ok


def _guarantee(rule: Rule, state: State) -> Guarantee:
    """DET-23 and DET-25: fixed limits alone carry no bound; dispersion makes it conditional."""
    if not rule.bounded:
        return Guarantee(word="none", reasons=("threshold_rule",))
    measured = [measured_dispersion(own.dispersion) for own in state.criteria if isinstance(own, ToleranceState)]
    if any(value is not None and value > CLUSTERED for value in measured):
        return Guarantee(word="conditional", reasons=("clustering",))
    if None in measured:
        return Guarantee(word="conditional", reasons=("dispersion_assumed",))
    return Guarantee(word="bounded")


def _record(
    rule: Rule, criterion: ToleranceRule | ThresholdRule, state: ToleranceState | ThresholdState, row: Row
) -> CriterionRecord:
    blocks = {arm: block for arm in Arm if (block := row.find(criterion.signal, arm))}
    fields: dict[str, Any] = {
        "signal": criterion.signal,
        "form": criterion.form,
        "this_block": {arm: _counts(block.bad, block.scored) for arm, block in blocks.items()},
        "coverage": {arm: quotient(block.scored, block.served, 3) for arm, block in blocks.items() if block.served},
        "unknown": _gap(criterion, row),
        "unknown_rows": state.unknown_rows,
    }
    match criterion, state:
        case ToleranceRule(), ToleranceState():
            fields |= _tolerance(rule, criterion, state, row.seq)
        case ThresholdRule(), ThresholdState():
            fields |= _threshold(rule, criterion, state, row.seq)
    return CriterionRecord(**fields)


def _tolerance(rule: Rule, criterion: ToleranceRule, state: ToleranceState, seq: int) -> dict[str, Any]:
    bad, scored, usual_bad, usual_scored = state.counts
    since = seq if state.since is None else state.since
    micronats = state.micronats
    phi = tempering(state.dispersion, rule.assumed_dispersion, criterion.zero)
    return {
        "tolerance": {"ratio": plain(criterion.ratio), "absolute": plain(criterion.absolute)},
        "so_far": {Arm.candidate: _counts(bad, scored), Arm.baseline: _counts(usual_bad, usual_scored)},
        "since": since,
        "times": quotient(bad * usual_scored, scored * usual_bad, 2) if usual_bad else None,
        "micronats": micronats,
        "odds": odds(micronats),
        "breached": None,
        "dispersion": f"{phi:.1f}",
        "sentence": explain.tolerance(rule, criterion, state, seq - since + 1),
    }


def _threshold(rule: Rule, criterion: ThresholdRule, state: ThresholdState, seq: int) -> dict[str, Any]:
    rows = len(state.window)
    return {
        "tolerance": {
            criterion.outside: plain(criterion.limit),
            "window": format_duration(rule.block * criterion.window),
            "kind": criterion.kind,
            "times": str(criterion.times),
        },
        "so_far": {Arm.candidate: _counts(*state.total)},
        "since": seq - rows + 1,
        "times": None,
        "micronats": None,
        "odds": None,
        "breached": state.breached,
        "dispersion": None,
        "sentence": explain.threshold(rule, criterion, state, rows),
    }


def _gap(criterion: ToleranceRule | ThresholdRule, row: Row) -> Gap | None:
    missing = first_missing(criterion, row)
    if missing is None:
        return None
    arm, reason = missing
    sentence = explain.unknown(criterion, arm, reason, row.find(criterion.signal, arm))
    return Gap(arm=arm, reason=reason, sentence=sentence)


def _counts(bad: int, scored: int) -> ArmCounts:
    return ArmCounts(bad=bad, scored=scored, per_10000=per_10000(bad, scored))
