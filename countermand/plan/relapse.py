"""Is a service worse again that was shown to be well after the way back? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from countermand.detection.models import Arm, BlockState, Row
from countermand.detection.positive import upper_bound
from countermand.plan.target import CheckResult, CheckWord
from countermand.playbook.model import HealthEvidence
from countermand.playbook.units import plain


def judge_relapse(evidence: HealthEvidence, rows: Sequence[Row], confidence: Decimal) -> CheckResult:
    """Positive evidence that a signal is worse than accepted again on the baseline; too few answers are unknown.

    The rows are cut into windows of at least `min_scored` outputs. A window says worse when the exact lower confidence
    bound of its bad rate is above `at_most`. Window k has (1 − confidence) / (k (k + 1)) of the error, so that all of
    them together say so wrongly with a probability of at most 1 − confidence, however long it is watched
    (Bonferroni; Clopper & Pearson 1934).
    """
    bad = scored = windows = 0
    for row in rows:
        block = row.find(evidence.signal, Arm.baseline)
        if block is None or block.state is not BlockState.ok:
            continue
        bad, scored = bad + block.bad, scored + block.scored
        if scored < evidence.min_scored:
            continue
        windows += 1
        sure = 1 - (1 - confidence) / (windows * (windows + 1))
        lower = 1 - upper_bound(scored - bad, scored, sure)
        if lower > float(evidence.at_most):
            return CheckResult(
                name=evidence.signal,
                word=CheckWord.failed,
                sentence=f"{bad} bad of {scored} labelled answers; at least {100 * lower:.2f} %, accepted is "
                f"{plain(evidence.at_most * 100)} %.",
            )
        bad = scored = 0
    if not windows:
        return CheckResult(
            name=evidence.signal,
            word=CheckWord.unknown,
            sentence=f"{scored} of the {evidence.min_scored} labelled answers needed to see whether it is worse again.",
        )
    return CheckResult(
        name=evidence.signal,
        word=CheckWord.passed,
        sentence=f"not shown to be worse again, in {windows} × {evidence.min_scored} labelled answers.",
    )


def relapse_sentence(found: str, next_eligible: str) -> str:
    """What people read when it is worse again. `next_eligible`: name of the next eligible version, or empty."""
    other = f"{next_eligible} is eligible too" if next_eligible else "No other version is named as eligible"
    return f"Worse again after the way back: {found} {other}; nobody is moved to another version without a decision."
