"""Why a watch says what it says: the whole record of its newest block, onset and sizes, certificate of health (R27)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from activities.ports import ReleaseStatus
from console.deps import Console
from countermand.detection.blocks import Row
from countermand.detection.evaluator import Evaluator
from countermand.detection.explanation import Explanation
from countermand.detection.figures import spoken_odds
from countermand.detection.health import Certificate
from countermand.detection.models import CriterionRecord, Guarantee, WatchVerdict
from countermand.playbook.model import Detection
from countermand.playbook.units import plain

#: What the bound on false alarms rests on, in words.
REASONS = {
    "clustering": "outputs are clustered, and evidence is tempered for it as measured",
    "dispersion_assumed": "how noisy blocks are is assumed until 30 of them were seen",
    "no_control": "nobody was kept on the current version; past weeks are compared with",
    "clipped": "scores are cut to their range",
    "threshold_rule": "a fixed limit fires without a bound",
    "alert": "an alert of another system is believed as it comes",
    "routing_not_random": "users are divided by class, not by chance",
    "budget_overdrawn": "changes during the watch spent more than was kept for them",
}


@dataclass(frozen=True)
class Why:
    """After the newest sealed block."""

    verdict: WatchVerdict
    explanations: tuple[Explanation, ...]
    certificate: Certificate | None

    def json(self, release_id: str) -> dict[str, Any]:
        """`countermand.why/v1`."""
        return {
            "schema": "countermand.why/v1",
            "release_id": release_id,
            "verdict": self.verdict.model_dump(mode="json"),
            "explanations": [one.model_dump(mode="json") for one in self.explanations],
            "certificate": self.certificate.model_dump(mode="json") if self.certificate else None,
        }


async def why(deps: Console, status: ReleaseStatus, detection: Detection) -> Why | None:
    """Judged anew from the sealed blocks, as the watch does it; None before the first block."""
    rows = await deps.signals.rows(status.release.release_id)
    return await asyncio.to_thread(_judged, detection, rows) if rows else None


def _judged(detection: Detection, rows: Sequence[Row]) -> Why:
    evaluator = Evaluator(detection)
    for row in rows:
        verdict = evaluator.judge(row)
    return Why(verdict, evaluator.explained(rows), evaluator.certificate)


def bound(guarantee: Guarantee) -> str:
    """What the promise about false alarms is worth, in one sentence."""
    because = "; ".join(REASONS[reason] for reason in guarantee.reasons)
    match guarantee.word:
        case "bounded":
            return "The bound on false alarms holds whatever the traffic does."
        case "conditional":
            return f"The bound on false alarms is conditional: {because}."
        case _:
            return f"There is no bound on false alarms: {because}."


def percent_of(part: str) -> str:
    """A share that is kept as a decimal string: `0.009` → `0.9 %`."""
    return f"{plain(Decimal(part) * 100)} %"


def strength(criterion: CriterionRecord) -> str:
    """How strong one criterion's evidence is."""
    if criterion.unknown is not None:
        return f"unknown: {criterion.unknown.reason.replace('_', ' ')}"
    if criterion.form == "threshold":
        return "breached" if criterion.breached else "not breached"
    return spoken_odds(criterion.micronats) if criterion.micronats is not None else "none yet"
