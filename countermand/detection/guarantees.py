"""What a bound on wrong answers rests on, where it does not hold without conditions (DET-25)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.guesses import CLUSTERED, measured_dispersion
from countermand.detection.models import Guarantee
from countermand.detection.state import Memory
from countermand.playbook.terms import Routing

Reason = Literal["clustering", "dispersion_assumed", "no_control", "clipped", "routing_not_random", "budget_overdrawn"]


def guarantee(
    criteria: Sequence[tuple[ToleranceRule, Memory]], *, routing: Routing, overdrawn: bool = False
) -> Guarantee:
    """`bounded`, or `conditional` with its reasons: `clustering` and `dispersion_assumed` never stand together."""
    reasons = tuple(_reasons(criteria, routing, overdrawn=overdrawn))
    return Guarantee(word="conditional" if reasons else "bounded", reasons=reasons)


def _reasons(
    criteria: Sequence[tuple[ToleranceRule, Memory]], routing: Routing, *, overdrawn: bool
) -> Iterator[Reason]:
    if any(criterion.kind == "past_weeks" for criterion, _ in criteria):
        yield "no_control"
    if any(criterion.clipped for criterion, _ in criteria):
        yield "clipped"
    if routing != "random":
        yield "routing_not_random"
    if overdrawn:
        yield "budget_overdrawn"
    measured = [measured_dispersion(noise) for _, memory in criteria for noise in memory.noise]
    if any(value is not None and value > CLUSTERED for value in measured):
        yield "clustering"
    elif None in measured:
        yield "dispersion_assumed"
