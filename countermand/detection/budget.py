"""The false-alarm budget when a playbook changes while a release is watched (DET-30)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Any

from countermand.detection.models import Row
from countermand.detection.rule import Rule
from countermand.detection.rules import compile_rules
from countermand.playbook.criteria import Detection
from countermand.playbook.units import plain


def change_rules(
    detection: Detection, running: Sequence[Rule], history: Sequence[Row] = (), decided: Decimal | None = None
) -> tuple[Rule, ...]:
    """The rules of a changed playbook: those of `running` that stay the same, and new ones that start afresh.

    All new rules together are given half of what is left of the release's budget, in proportion to their shares,
    so that there is always something left for the next change. What a replaced rule was given stays spent.
    `decided`: people gave the new rules this much instead; if it exceeds what is left, their verdicts say so
    (`budget_overdrawn`). Raises ValueError when nothing is left and nothing was decided.
    """
    fresh = compile_rules(detection, history)
    before = {rule.trigger: rule for rule in running}
    kept = {rule.trigger for rule in fresh if rule.trigger in before and _form(rule) == _form(before[rule.trigger])}
    spent = max((rule.spent for rule in running), default=Decimal(0))
    shares = sum((rule.allotted or 0 for rule in fresh if rule.spends and rule.trigger not in kept), Decimal(0))
    given = (detection.false_alarms.per_release - spent) / 2 if decided is None else decided
    if shares and given <= 0:
        raise ValueError(
            f"of the budget of {plain(detection.false_alarms.per_release)} per release {plain(spent)} is given out; "
            "changed triggers need a part of it, or a decision that gives them more than 0"
        )
    scale, total = (given / shares, spent + given) if shares else (Decimal(1), spent)
    return tuple(before[rule.trigger] if rule.trigger in kept else _given(rule, scale, total) for rule in fresh)


def _form(rule: Rule) -> dict[str, Any]:
    """All of a rule but what it was given."""
    given = {"per_release": True, "unreserved": True, "allotted": True, "spent": True}
    return rule.model_dump(exclude={**given, "lanes": {"__all__": {"alpha"}}})


def _given(rule: Rule, scale: Decimal, spent: Decimal) -> Rule:
    if rule.allotted is None or not rule.spends:
        return rule.model_copy(update={"spent": spent})
    lanes = [
        lane if lane.alpha is None else lane.model_copy(update={"alpha": _part(lane.alpha, scale)})
        for lane in rule.lanes
    ]
    changes = {"allotted": _part(rule.allotted, scale), "spent": spent, "lanes": tuple(lanes)}
    return rule.model_copy(update=changes)


def _part(alpha: Decimal, scale: Decimal) -> Decimal:
    """Rounded down, so that the parts never add up to more than was given."""
    return (alpha * scale).quantize(Decimal("1E-12"), rounding=ROUND_DOWN)
