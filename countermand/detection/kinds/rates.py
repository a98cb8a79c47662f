"""Shares of bad outputs, labelled by a source or by people (detection.md §4.2).

Sums of a row: (bad, scored) of the candidate, then of the baseline. Memory: the baseline's rate; its last block.
"""

from __future__ import annotations

from countermand.detection.coverage import first_missing, usable
from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.evalue import log_evidence
from countermand.detection.guesses import learn_dispersion, learn_guess, seed_guess, tempering
from countermand.detection.kinds.kind import Seen
from countermand.detection.models import Arm, Row
from countermand.detection.state import Memory, made


def start(criterion: ToleranceRule) -> Memory:
    return Memory(guess=(seed_guess(criterion.expect),)) if criterion.expect else Memory()


def look(criterion: ToleranceRule, memory: Memory, row: Row) -> Seen | None:  # noqa: ARG001
    candidate = usable(criterion, row, Arm.candidate)
    baseline = usable(criterion, row, Arm.baseline)
    if candidate is None or baseline is None:
        return None
    return candidate.bad, candidate.scored, baseline.bad, baseline.scored


def missing(criterion: ToleranceRule, row: Row) -> tuple[Arm, str] | None:
    return first_missing(criterion, row)


def gains(criterion: ToleranceRule, memory: Memory, seen: Seen, assumed: float) -> list[float] | None:
    if not memory.guess:
        return None
    guess = memory.guess[0]
    nats = log_evidence(seen[0], seen[1], seen[2], seen[3], guess[0] / guess[1], *criterion.line)
    phi = tempering(memory.noise[0], assumed, criterion.zero)
    return nats if phi == 1.0 else [value / phi for value in nats]


def learn(criterion: ToleranceRule, memory: Memory, row: Row) -> Memory:
    baseline = usable(criterion, row, Arm.baseline)
    return learned(memory, None if baseline is None else (baseline.bad, baseline.scored))


def learned(memory: Memory, now: tuple[int, int] | None) -> Memory:
    """The memory after a baseline block of (bad, scored), or after a gap."""
    if now is None:
        return made(Memory, guess=memory.guess, previous=None, noise=memory.noise, recent=memory.recent)
    guess, noise = memory.guess[0] if memory.guess else (0, 0), memory.noise[0]
    if memory.previous:
        noise = learn_dispersion(noise, (memory.previous[0], memory.previous[1]), now)
    return made(Memory, guess=(learn_guess(guess, *now),), previous=now, noise=(noise,), recent=memory.recent)


def worst(criterion: ToleranceRule, seen: Seen, unscored: int) -> Seen | None:  # noqa: ARG001
    return seen[0] + unscored, seen[1] + unscored, seen[2], seen[3]


def shut(criterion: ToleranceRule, memory: Memory) -> bool:  # noqa: ARG001
    return False
