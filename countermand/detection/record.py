"""The verdict of one trigger as a record: a pure function of the rule, the state after a row, and the row."""

from __future__ import annotations

from functools import partial
from typing import Any

from countermand.canonical import digest
from countermand.detection import explain, sizes
from countermand.detection.coverage import first_missing
from countermand.detection.criterion_rules import CriterionRule, ThresholdRule, ToleranceRule
from countermand.detection.evalue import log_mean
from countermand.detection.figures import odds, quotient
from countermand.detection.guarantees import guarantee
from countermand.detection.guesses import tempering
from countermand.detection.kinds.table import KINDS
from countermand.detection.models import (
    Arm,
    Budget,
    CriterionRecord,
    Gap,
    Guarantee,
    Row,
    Verdict,
    VerdictWord,
)
from countermand.detection.rule import Rule
from countermand.detection.state import State, ThresholdState, ToleranceState, made
from countermand.playbook.units import format_duration, plain


def verdict(rule: Rule, state: State, row: Row) -> Verdict:
    """The verdict after `row`, which led to `state`."""
    lane = state.lanes[state.latched_lane or 0]
    return made(
        Verdict,
        {"_rest": partial(_rest, rule, state, row)},
        core=rule.core,
        rule=rule.digest,
        trigger=rule.trigger,
        severity=rule.severity,
        seq=row.seq,
        word=_word(state),
        latched_at=state.latched_at,
        micronats=lane.micronats,
        row=row.digest,
        shadow=rule.shadow,
    )


def _rest(rule: Rule, state: State, row: Row) -> dict[str, Any]:
    """The fields that only people and records need."""
    bound = _guarantee(rule, state)
    newest = row.seq if state.seq is None else state.seq
    criteria = tuple(
        _record(rule, criterion, own, row, newest) for criterion, own in zip(rule.criteria, state.criteria, strict=True)
    )
    place = state.latched_lane or 0
    lane, evidence = rule.lanes_at(state.rows - 1)[place], state.lanes[place].micronats
    limit = None if lane.alpha is None else int(lane.limit)
    return {
        "hold": state.hold,
        "blind": state.unknown_in_a_row >= rule.blind_after,
        "guarantee": bound,
        "limit_micronats": limit,
        "odds": None if evidence is None else odds(evidence),
        "limit_odds": None if limit is None else odds(limit),
        "alpha": None if lane.alpha is None else plain(lane.alpha),
        "criteria": criteria,
        "sentence": explain.trigger(rule, state, _word(state), bound, criteria),
        "lane": lane.name,
        "distance": None if limit is None or evidence is None else quotient(max(evidence, 0), limit, 2),
        "standing": state.rows > rule.watch_blocks,
        "budget": _budget(rule),
    }


def _word(state: State) -> VerdictWord:
    """DET-24, in this order: one required criterion that is unknown makes the trigger unknown."""
    if state.latched_at is not None:
        return VerdictWord.trigger
    if state.unknown_in_a_row:
        return VerdictWord.unknown
    return VerdictWord.watch if state.hold else VerdictWord.ok


def _budget(rule: Rule) -> Budget | None:
    if rule.allotted is None:
        return None
    reserve = rule.per_release - rule.unreserved
    return Budget(
        per_release=plain(rule.per_release),
        allotted=plain(rule.allotted),
        reserve=plain(reserve),
        left=plain(rule.left),
    )


def _guarantee(rule: Rule, state: State) -> Guarantee:
    """DET-23 and DET-25: fixed limits alone carry no bound; dispersion and a missing control make it conditional."""
    if not rule.bounded:
        free = {own.kind == "firing" for own in rule.criteria if isinstance(own, ThresholdRule)}
        reasons = (("threshold_rule",) if False in free else ()) + (("alert",) if True in free else ())
        return Guarantee(word="none", reasons=reasons)
    pairs = [
        (criterion, own.memory)
        for criterion, own in zip(rule.criteria, state.criteria, strict=True)
        if isinstance(criterion, ToleranceRule) and isinstance(own, ToleranceState)
    ]
    return guarantee(pairs, overdrawn=rule.spends and rule.left < 0, routing=rule.routing)


def _record(
    rule: Rule, criterion: CriterionRule, state: ToleranceState | ThresholdState, row: Row, newest: int
) -> CriterionRecord:
    blocks = {arm: block for arm in Arm if (block := row.find(criterion.reads, arm))}
    read = sorted(
        (block for block in row.blocks if block.signal == criterion.reads),
        key=lambda block: (block.arm is Arm.baseline, block.segment != "all", block.segment),
    )
    fields: dict[str, Any] = {
        "signal": criterion.signal,
        "form": criterion.form,
        "this_block": {arm: sizes.counted(block.bad, block.scored) for arm, block in blocks.items()},
        "coverage": {arm: quotient(block.scored, block.served, 3) for arm, block in blocks.items() if block.served},
        "unknown_rows": state.unknown_rows,
        "lane": criterion.lane,
        "sources": tuple(sorted({block.source for block in read if block.source})),
        "blocks": tuple(digest(block) for block in read),
    }
    match criterion, state:
        case ToleranceRule(), ToleranceState():
            fields |= _tolerance(rule, criterion, state, row, newest)
        case ThresholdRule(), ThresholdState():
            fields |= _threshold(rule, criterion, state, row, newest)
    return CriterionRecord(**fields)


def _tolerance(rule: Rule, criterion: ToleranceRule, state: ToleranceState, row: Row, newest: int) -> dict[str, Any]:
    kind = KINDS[criterion.kind]
    since = newest if state.since is None else state.since
    micronats = state.micronats
    phi = max(tempering(noise, rule.assumed_dispersion, criterion.zero) for noise in state.memory.noise)
    so_far = sizes.of(criterion, state, state.counts)
    fields: dict[str, Any] = {
        "tolerance": {name: plain(value) for name, value in criterion.tolerance.items()},
        "so_far": so_far,
        "since": since,
        "times": None,
        "micronats": micronats,
        "odds": odds(micronats),
        "breached": None,
        "dispersion": f"{phi:.1f}",
        "kind": criterion.kind,
        "used_micronats": state.used if row.late_of is None else (),
        "unknown": _gap(criterion, state, row),
        "gate": ("shut" if state.shut else "open") if criterion.size is not None else None,
        "sentence": explain.tolerance(rule, criterion, state, newest - since + 1),
    }
    if state.pessimistic is not None:
        fields["pessimistic_odds"] = odds(log_mean(state.pessimistic, len(state.pessimistic)))
    if criterion.kind not in ("rate", "judgement"):
        seen = kind.look(criterion, state.memory, row)
        fields["this_block"] = {} if seen is None else sizes.of(criterion, state, seen)
    if criterion.kind in ("rate", "judgement", "missing") and state.counts:
        bad, scored, usual_bad, usual_scored = state.counts
        fields["times"] = quotient(bad * usual_scored, scored * usual_bad, 2) if usual_bad else None
    return fields


def _threshold(rule: Rule, criterion: ThresholdRule, state: ThresholdState, row: Row, newest: int) -> dict[str, Any]:
    rows, total = len(state.window), state.total()
    so_far = {arm: sizes.counted(*total[2 * i : 2 * i + 2]) for i, arm in enumerate(criterion.arms)}
    return {
        "tolerance": {
            criterion.outside: plain(criterion.limit),
            "window": format_duration(rule.block * criterion.window),
            "kind": criterion.kind,
            "times": str(criterion.times),
        },
        "so_far": so_far,
        "since": newest - rows + 1,
        "times": None,
        "micronats": None,
        "odds": None,
        "breached": state.breached,
        "dispersion": None,
        "kind": criterion.kind,
        "unknown": _gap(criterion, state, row),
        "sentence": explain.threshold(rule, criterion, state, rows),
    }


def _gap(criterion: CriterionRule, state: ToleranceState | ThresholdState, row: Row) -> Gap | None:
    if row.late_of is not None:
        return None
    if isinstance(criterion, ToleranceRule) and criterion.every > 1:
        return _pooling(criterion, state, row)
    if isinstance(criterion, ToleranceRule):
        missing = KINDS[criterion.kind].missing(criterion, row)
    else:
        missing = first_missing(criterion, row)
    if missing is None and isinstance(state, ToleranceState) and state.unknown in ("training", "warm_up", "pooling"):
        missing = Arm.baseline, state.unknown
    if missing is None:
        return None
    arm, reason = missing
    sentence = explain.unknown(criterion, arm, reason, row.find(criterion.reads, arm))
    return Gap(arm=arm, reason=reason, sentence=sentence)


def _pooling(criterion: ToleranceRule, state: ToleranceState | ThresholdState, row: Row) -> Gap | None:
    """Between its blocks a criterion is as known as its last block was."""
    if isinstance(state, ThresholdState) or not state.unknown:
        return None
    reason = state.unknown if state.unknown in ("training", "warm_up") else "pooling"
    sentence = explain.unknown(criterion, Arm.baseline, reason, row.find(criterion.reads, Arm.baseline))
    return Gap(arm=Arm.baseline, reason=reason, sentence=sentence)
