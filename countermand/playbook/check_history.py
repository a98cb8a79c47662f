"""What past blocks say about a playbook's assumptions: days that differ, outputs that come in clusters (DET-9, 26)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import ROUND_UP, Decimal

from countermand.detection.guesses import CLUSTERED, measured_dispersion
from countermand.detection.kinds.past_weeks import needed_ratio
from countermand.detection.kinds.table import KINDS
from countermand.detection.models import Row
from countermand.detection.rules import compile_rules
from countermand.playbook.criteria import Detection
from countermand.playbook.finding import Finding
from countermand.playbook.units import plain

#: Blocks this much noisier than independent outputs are no accident (DET-9).
FAR_TOO_NOISY = Decimal(3)

#: The largest `dispersion` a playbook can state.
MOST_DISPERSION = Decimal(20)


def against_history(detection: Detection, history: Sequence[Row]) -> Iterator[Finding]:
    """Errors where a promise would not hold, warnings where evidence will come late; nothing without history."""
    if not history:
        return
    yield from _days(detection, history)
    yield from _clusters(detection, history)


def _days(detection: Detection, history: Sequence[Row]) -> Iterator[Finding]:
    """Without a concurrent baseline the tolerance must be wider than the usual difference between days."""
    for i, trigger in enumerate(detection.triggers):
        for j, criterion in enumerate(trigger.criteria):
            ratio = criterion.tolerate.ratio if criterion.tolerate else None
            if ratio is None or detection.signals[criterion.signal].baseline != "none":
                continue
            needed = Decimal(needed_ratio(history, criterion.signal)).quantize(Decimal("0.01"), rounding=ROUND_UP)
            if ratio < needed:
                yield Finding(
                    ("detection", "triggers", i, *trigger.criterion_path(j), "tolerate"),
                    "error",
                    f"days of past weeks differ so much that ratio '{plain(ratio)}' would fire without harm; write "
                    f"{plain(needed)} or more, or keep 5 % of the traffic on the current version",
                )


def _clusters(detection: Detection, history: Sequence[Row]) -> Iterator[Finding]:
    """Blocks of the baseline that vary more than independent outputs would, by signal."""
    said = set()
    for rule in compile_rules(detection):
        for criterion in rule.criteria:
            if criterion.form == "threshold" or criterion.signal in said:
                continue
            said.add(criterion.signal)
            kind = KINDS[criterion.kind]
            memory = kind.start(criterion)
            for row in history:
                memory = kind.learn(criterion, memory, row)
            measured = max((measured_dispersion(noise) or 0.0 for noise in memory.noise), default=0.0)
            if measured <= CLUSTERED:
                continue
            phi = min(Decimal(measured).quantize(Decimal("0.1"), rounding=ROUND_UP), MOST_DISPERSION)
            clustered = (
                f"blocks vary {plain(phi)} times as much as if every {criterion.unit} were independent: "
                "consider one value per session or user (unit: session)"
            )
            if phi > FAR_TOO_NOISY and detection.dispersion < phi:
                clustered += f"; to accept it write dispersion: {plain(phi)}"
                yield Finding(("detection", "signals", criterion.signal), "error", clustered)
            else:
                yield Finding(("detection", "signals", criterion.signal), "warning", clustered)
