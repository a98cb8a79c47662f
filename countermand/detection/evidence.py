"""The evidence of one tolerance criterion: the recursion of detection.md §5.1 in integer micronats."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from operator import add

from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.evalue import MICRO, log_add_all, log_mean
from countermand.detection.kinds.kind import Seen
from countermand.detection.kinds.table import KINDS, bets
from countermand.detection.models import Arm, Block, Row
from countermand.detection.pooling import pooled
from countermand.detection.rule import Rule
from countermand.detection.state import Memory, ToleranceState, made


def start(criterion: ToleranceRule, history: Sequence[Row] = ()) -> ToleranceState:
    """No evidence; the memory comes from the playbook and from rows before the release."""
    kind = KINDS[criterion.kind]
    memory = kind.start(criterion)
    for row in history:
        memory = kind.learn(criterion, memory, row)
    return ToleranceState(memory=memory, shut=kind.shut(criterion, memory), evidence=())


#: By signal, what the memory before a row became: both lanes learn the same from it.
Learned = dict[str, tuple[Memory, Memory]]


def advance(
    rule: Rule, place: int, criterion: ToleranceRule, state: ToleranceState, row: Row, t: int, learned: Learned
) -> ToleranceState:
    """The state after a row. `t` counts the rows of the watch from 0, known or not; `place` is the criterion's."""
    whole, pending = pooled(criterion, state.pending, row, t)
    if whole is None:
        return _waiting(rule, criterion, state, pending, t)
    row = whole
    kind, cap, memory = KINDS[criterion.kind], rule.cap_of(place, t), state.memory
    evidence = _staked(rule, state.evidence, t, criterion)
    pessimistic = None if state.pessimistic is None else _staked(rule, state.pessimistic, t, criterion)
    rising, since, counts = state.rising, state.since, state.counts
    used: tuple[int, ...] = ()
    seen = kind.look(criterion, memory, row)
    nats = kind.gains(criterion, memory, seen, rule.assumed_dispersion) if seen is not None else None
    if nats is not None and seen is not None and t >= criterion.warm_up:
        gains = [floor(value * MICRO) for value in nats]
        # Temper first, then cap, each bet on its own: a short burst cannot fire, however high (DET-11).
        used = tuple([gain if gain < cap else cap for gain in gains])
        worst = _if_missing_were_bad(rule, criterion, state, seen, row)
        if worst is not None or pessimistic is not None:
            capped = used if worst is None else [min(gain, cap) for gain in worst]
            pessimistic = list(map(add, evidence if pessimistic is None else pessimistic, capped))
        evidence = list(map(add, evidence, used))
        if rising == 0:
            since, counts = row.seq, seen
        else:
            counts = tuple(map(add, counts, seen))
        # The mean is at most the largest: in quiet times that settles it.
        rising = max(rising + log_mean(gains, len(gains)), 0) if rising + max(gains) > 0 else 0
    known = learned.get(criterion.signal)
    if known is not None and (known[0] is memory or known[0] == memory):
        after = known[1]
    else:
        after = kind.learn(criterion, memory, row)
        learned[criterion.signal] = memory, after
    return made(
        ToleranceState,
        form="tolerance",
        evidence=tuple(evidence),
        pessimistic=None if pessimistic is None else tuple(pessimistic),
        used=used,
        memory=after,
        rising=rising,
        since=since,
        counts=counts,
        pending=pending,
        shut=kind.shut(criterion, after),
        unknown_rows=state.unknown_rows + (not used),
        unknown=None if used else "missing" if seen is None else "training" if nats is None else "warm_up",
    )


def add_late(
    rule: Rule, place: int, criterion: ToleranceRule, state: ToleranceState, row: Row, t: int, original: Sequence[int]
) -> ToleranceState:
    """The state after the late samples of a judged row, of which `original` was used, in micronats per bet.

    Together they never exceed the cap of one block, and late samples of one arm alone add nothing (DET-17).
    """
    if criterion.every > 1:
        # What was used of one row inside a longer block is not known apart.
        return state
    kind, cap = KINDS[criterion.kind], rule.cap_of(place, t)
    seen = kind.look(criterion, state.memory, row)
    nats = kind.gains(criterion, state.memory, seen, rule.assumed_dispersion) if seen is not None else None
    if nats is None:
        return state
    left = [cap - max(0, gain) for gain in original] or [cap] * len(nats)
    gains = [min(floor(value * MICRO), most) for value, most in zip(nats, left, strict=True)]
    both = {"evidence": tuple(map(add, state.evidence, gains))}
    if state.pessimistic is not None:
        both["pessimistic"] = tuple(map(add, state.pessimistic, gains))
    return state.model_copy(update=both)


def _waiting(
    rule: Rule, criterion: ToleranceRule, state: ToleranceState, pending: tuple[Block, ...], t: int
) -> ToleranceState:
    """The state between two blocks of a criterion with longer ones: evidence stays, new mass is staked."""
    staked: dict[str, object] = {
        "evidence": tuple(_staked(rule, state.evidence, t, criterion)),
        "pending": pending,
        "used": (),
    }
    if state.pessimistic is not None:
        staked["pessimistic"] = tuple(_staked(rule, state.pessimistic, t, criterion))
    return state.model_copy(update={**staked, "unknown": state.unknown if state.evidence else "pooling"})


def _if_missing_were_bad(
    rule: Rule, criterion: ToleranceRule, state: ToleranceState, seen: Seen, row: Row
) -> list[int] | None:
    """What the row would add if every unscored output of the candidate were bad; None when none is missing."""
    block = row.find(criterion.reads, Arm.candidate)
    if block is None or block.scored == block.served:
        return None
    kind = KINDS[criterion.kind]
    worst = kind.worst(criterion, seen, block.served - block.scored)
    nats = None if worst is None else kind.gains(criterion, state.memory, worst, rule.assumed_dispersion)
    return None if nats is None else [floor(value * MICRO) for value in nats]


def _staked(rule: Rule, evidence: Sequence[int], t: int, criterion: ToleranceRule) -> list[int]:
    """The evidence with the mass of row t staked on harm that begins now."""
    if 0 < t < rule.watch_blocks:
        return log_add_all(evidence, rule.ramp_weight if t in rule.ramp_rows else rule.later_weight)
    if t == 0:
        return [rule.first_weight] * bets(criterion)
    if t == rule.watch_blocks:
        # The standing watch starts afresh and stakes one unit in every row (DET-13).
        return [0] * bets(criterion)
    return log_add_all(evidence, 0)
