"""Which module serves which kind of signal, and on how many alternatives it bets."""

from __future__ import annotations

from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.evalue import ODDS
from countermand.detection.kinds import (
    categories,
    gaps,
    latency,
    missing_outputs,
    past_weeks,
    rates,
    score_gaps,
    scores,
)
from countermand.detection.kinds.kind import Kind
from countermand.detection.moments import STEPS

KINDS: dict[str, Kind] = {
    "rate": rates,
    "judgement": rates,
    "missing": missing_outputs,
    "score": scores,
    "latency": latency,
    "gap": gaps,
    "score_gap": score_gaps,
    "categories": categories,
    "past_weeks": past_weeks,
}


def bets(criterion: ToleranceRule) -> int:
    """How many alternatives a criterion bets on, all with equal weight."""
    match criterion.kind:
        case "score":
            return len(STEPS)
        case "gap" | "score_gap":
            return len(STEPS) * len(criterion.groups)
        case "latency":
            return len(ODDS) * len(criterion.quantiles)
        case "categories":
            return 1
        case _:
            return len(ODDS)
