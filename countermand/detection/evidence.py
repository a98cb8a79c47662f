"""The evidence of one tolerance criterion: the recursion of detection.md §5.1 in integer micronats."""

from __future__ import annotations

from math import floor
from operator import add

from countermand.detection.coverage import usable
from countermand.detection.evalue import (
    MICRO,
    ODDS,
    learn_dispersion,
    learn_guess,
    log_add,
    log_evidence,
    log_mean,
    seed_guess,
    tempering,
)
from countermand.detection.models import Arm, Row
from countermand.detection.rules import Rule, ToleranceRule
from countermand.detection.state import ToleranceState


def start(criterion: ToleranceRule) -> ToleranceState:
    """No evidence; the guess comes from the playbook's `expect`."""
    return ToleranceState(guess=seed_guess(criterion.expect))


def advance(
    rule: Rule, criterion: ToleranceRule, state: ToleranceState, row: Row, t: int
) -> tuple[ToleranceState, bool]:
    """(state after the row, did the row count). `t` counts the rows of the watch from 0, known or not."""
    candidate, baseline = usable(criterion, row, Arm.candidate), usable(criterion, row, Arm.baseline)
    evidence = _staked(rule, state.evidence, t)
    rising, since, counts = state.rising, state.since, state.counts
    if candidate and baseline:
        seen = (candidate.bad, candidate.scored, baseline.bad, baseline.scored)
        phi = tempering(state.dispersion, rule.assumed_dispersion, criterion.zero)
        nats = log_evidence(*seen, state.guess[0] / state.guess[1], *criterion.line)
        gains = [floor(value / phi * MICRO) for value in nats]
        cap = rule.cap
        # Temper first, then cap, each bet on its own: a short burst cannot fire, however high (DET-11).
        evidence = [value + (gain if gain < cap else cap) for value, gain in zip(evidence, gains, strict=True)]
        if rising == 0:
            since, counts = row.seq, seen
        else:
            counts = tuple(map(add, counts, seen))
        rising = max(rising + log_mean(gains, len(ODDS)), 0)
    guess, dispersion, previous = state.guess, state.dispersion, None
    if baseline:
        previous = (baseline.bad, baseline.scored)
        guess = learn_guess(guess, *previous)
        if state.previous:
            dispersion = learn_dispersion(dispersion, state.previous, previous)
    known = candidate is not None and baseline is not None
    after = ToleranceState(
        evidence=tuple(evidence),
        guess=guess,
        previous=previous,
        dispersion=dispersion,
        rising=rising,
        since=since,
        counts=counts,
        unknown_rows=state.unknown_rows + (not known),
    )
    return after, known


def _staked(rule: Rule, evidence: tuple[int, ...], t: int) -> list[int]:
    """The evidence with the mass of row t staked on harm that begins now."""
    if t == 0:
        return [rule.first_weight] * len(ODDS)
    if t >= rule.watch_blocks:
        return list(evidence)
    return [log_add(value, rule.later_weight) for value in evidence]
