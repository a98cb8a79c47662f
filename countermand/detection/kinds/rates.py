"""Shares of bad outputs, labelled by a source or by people (detection.md §4.2).

Sums of a row: (bad, scored) of the candidate, then of the baseline. Memory: the baseline's rate; its last block.
"""

from __future__ import annotations

from countermand.detection.coverage import first_missing, usable, usable_pair
from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.evalue import log_evidence
from countermand.detection.guesses import learn_dispersion, learn_guess, seed_guess, tempering
from countermand.detection.kinds.kind import Seen
from countermand.detection.models import Arm, Row
from countermand.detection.state import Memory, made

# Reading a member of an enum is a slow detour.
_BASELINE = Arm.baseline


def start(criterion: ToleranceRule) -> Memory:
    return Memory(guess=(seed_guess(criterion.expect),)) if criterion.expect else Memory()


def look(criterion: ToleranceRule, memory: Memory, row: Row) -> Seen | None:  # noqa: ARG001
    both = usable_pair(criterion, row)
    if both is None:
        return None
    candidate, baseline = both
    return candidate.bad, candidate.scored, baseline.bad, baseline.scored


def missing(criterion: ToleranceRule, row: Row) -> tuple[Arm, str] | None:
    return first_missing(criterion, row)


def gains(criterion: ToleranceRule, memory: Memory, seen: Seen, assumed: float) -> list[float] | None:
    if not memory.guess:
        return None
    bad, scored = memory.guess[0]
    nats = log_evidence(seen[0], seen[1], seen[2], seen[3], bad / scored, *criterion.line)
    phi = tempering(memory.noise[0], assumed, criterion.zero)
    return nats if phi == 1.0 else [value / phi for value in nats]


def learn(criterion: ToleranceRule, memory: Memory, row: Row) -> Memory:
    baseline = usable(criterion, row, _BASELINE)
    return learned(memory, None if baseline is None else (baseline.bad, baseline.scored))


def learned(memory: Memory, now: tuple[int, int] | None) -> Memory:
    """The memory after a baseline block of (bad, scored), or after a gap."""
    if now is None:
        return made(Memory, guess=memory.guess, previous=None, noise=memory.noise, recent=memory.recent)
    guesses, previous, noise = memory.guess, memory.previous, memory.noise[0]
    if previous:
        noise = learn_dispersion(noise, (previous[0], previous[1]), now)
    guess = learn_guess(guesses[0] if guesses else (0, 0), *now)
    return made(Memory, guess=(guess,), previous=now, noise=(noise,), recent=memory.recent)


def worst(criterion: ToleranceRule, seen: Seen, unscored: int) -> Seen | None:  # noqa: ARG001
    return seen[0] + unscored, seen[1] + unscored, seen[2], seen[3]


def shut(criterion: ToleranceRule, memory: Memory) -> bool:  # noqa: ARG001
    return False
