"""The evidence of one tolerance criterion: the recursion of detection.md §5.1 in integer micronats."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from operator import add
from typing import NamedTuple

from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.evalue import MICRO, log_add_all, log_mean
from countermand.detection.kinds.kind import Seen
from countermand.detection.kinds.table import KINDS, bets
from countermand.detection.models import Block, Row
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


class Turn(NamedTuple):
    """What is the same for all criteria of a rule in row `t` of the watch, counted from 0, known or not.

    caps: by place, the most that one block can add. mass: staked on harm that begins now; afresh: and nothing else.
    learned: by signal, what the memory before the row became: both lanes learn the same from it.
    """

    t: int
    caps: tuple[int, ...]
    mass: int
    afresh: bool
    assumed: float
    learned: dict[str, tuple[Memory, Memory]]


def turn(rule: Rule, t: int) -> Turn:
    """The turn of row t."""
    return Turn(t, rule.caps_at(t), rule.mass_at(t), t in (0, rule.watch_blocks), rule.assumed_dispersion, {})


def advance(turn: Turn, place: int, criterion: ToleranceRule, state: ToleranceState, row: Row) -> ToleranceState:
    """The state after a row; `place` is the criterion's in its rule."""
    t, caps, mass, afresh, assumed, learned = turn
    pending: tuple[Block, ...] = ()
    if criterion.every > 1:
        whole, pending = pooled(criterion, state.pending, row, t)
        if whole is None:
            return _waiting(turn, criterion, state, pending)
        row = whole
    kind, cap, memory, pessimistic = KINDS[criterion.kind], caps[place], state.memory, state.pessimistic
    evidence: Sequence[int] = [mass] * bets(criterion) if afresh else log_add_all(state.evidence, mass)
    if pessimistic is not None:
        pessimistic = _staked(turn, criterion, pessimistic)
    rising, since, counts = state.rising, state.since, state.counts
    used: tuple[int, ...] = ()
    seen = kind.look(criterion, memory, row)
    nats = kind.gains(criterion, memory, seen, assumed) if seen is not None else None
    if nats is not None and seen is not None and t >= criterion.warm_up:
        gains = [floor(value * MICRO) for value in nats]
        # Temper first, then cap, each bet on its own: a short burst cannot fire, however high (DET-11).
        most = max(gains)
        used = tuple(gains) if most <= cap else tuple([gain if gain < cap else cap for gain in gains])
        block = row.both(criterion.reads)[0]
        missing = 0 if block is None else block.served - block.scored
        worst = _if_missing_were_bad(criterion, memory, seen, missing, assumed) if missing else None
        if worst is not None or pessimistic is not None:
            capped = used if worst is None else [min(gain, cap) for gain in worst]
            pessimistic = tuple(map(add, evidence if pessimistic is None else pessimistic, capped))
        evidence = list(map(add, evidence, used))
        if rising == 0:
            since, counts = row.seq, seen
        else:
            counts = tuple(map(add, counts, seen))
        # The mean is at most the largest: in quiet times that settles it.
        rising = max(rising + log_mean(gains, len(gains)), 0) if rising + most > 0 else 0
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
        pessimistic=pessimistic,
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
    kind, cap = KINDS[criterion.kind], rule.caps_at(t)[place]
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


def _waiting(turn: Turn, criterion: ToleranceRule, state: ToleranceState, pending: tuple[Block, ...]) -> ToleranceState:
    """The state between two blocks of a criterion with longer ones: evidence stays, new mass is staked."""
    staked: dict[str, object] = {
        "evidence": _staked(turn, criterion, state.evidence),
        "pending": pending,
        "used": (),
    }
    if state.pessimistic is not None:
        staked["pessimistic"] = _staked(turn, criterion, state.pessimistic)
    return state.model_copy(update={**staked, "unknown": state.unknown if state.evidence else "pooling"})


def _if_missing_were_bad(
    criterion: ToleranceRule, memory: Memory, seen: Seen, missing: int, assumed: float
) -> list[int] | None:
    """What the row would add if all `missing` outputs of the candidate were bad; None when the kind cannot say."""
    kind = KINDS[criterion.kind]
    worst = kind.worst(criterion, seen, missing)
    nats = None if worst is None else kind.gains(criterion, memory, worst, assumed)
    return None if nats is None else [floor(value * MICRO) for value in nats]


def _staked(turn: Turn, criterion: ToleranceRule, evidence: Sequence[int]) -> tuple[int, ...]:
    """The evidence with the mass of the row staked on harm that begins now."""
    return (turn.mass,) * bets(criterion) if turn.afresh else tuple(log_add_all(evidence, turn.mass))
