"""From the playbook to rules: defaults, tolerances, lanes and the budget (detection.md §4.6, §5, §9)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from countermand.detection import tolerances
from countermand.detection.composition import Node
from countermand.detection.criterion_rules import CriterionRule, LaneName, ThresholdRule, ToleranceRule
from countermand.detection.kinds.past_weeks import seasonal
from countermand.detection.models import Arm, Row
from countermand.detection.rule import Lane, Rule
from countermand.playbook.criteria import Combination, Criterion, Detection, Group, Severe, SignalSpec, Trigger
from countermand.playbook.limits import (
    Bound,
    BurnRate,
    FailedChecks,
    FailureLimit,
    Firing,
    NOfM,
    TimesBaseline,
    limit_of,
)
from countermand.playbook.limits import ThresholdRule as WrittenLimit
from countermand.playbook.signals import Tolerance

__all__ = ["Lane", "Rule", "ThresholdRule", "ToleranceRule", "compile_rules"]

#: The severe lane's part of a trigger's budget, and how many blocks serious harm must last (DET-15).
SEVERE_SHARE = Decimal("0.2")
SEVERE_BLOCKS = 3

#: Latency needs some rows until it knows the usual quantiles (DET-16).
LATENCY_WARM_UP = 5


def compile_rules(detection: Detection, history: Sequence[Row] = ()) -> tuple[Rule, ...]:
    """One Rule per trigger, in playbook order; α = per_release · (1 − reserve) · share (DET-30).

    `history`: rows from before the release, which a signal without a concurrent baseline is compared with.
    """
    rules = [_rule(detection, trigger, history) for trigger in detection.triggers]
    spent = sum((rule.allotted or 0 for rule in rules if rule.spends), Decimal(0))
    return tuple(rule.model_copy(update={"spent": spent}) for rule in rules)


def _rule(detection: Detection, trigger: Trigger, history: Sequence[Row]) -> Rule:
    budget = detection.false_alarms
    main = [_criterion(detection, criterion, history, criterion.tolerate, "main") for criterion in trigger.criteria]
    severe = list(_severe(detection, trigger, history))
    spends = any(criterion.tolerate for criterion in trigger.criteria)
    allotted = budget.per_release * (1 - budget.reserve) * trigger.share if spends else None
    standing = detection.false_alarms.standing / detection.block

    def lane(name: LaneName, share: Decimal, sustain: int, node: Node) -> Lane:
        lengths = {own.every for own in (*main, *severe) if isinstance(own, ToleranceRule)}
        return Lane(
            name=name,
            alpha=None if allotted is None else allotted * share,
            sustain_blocks=sustain,
            standing_blocks=round(Decimal(standing) / share, 3),
            w0=detection.w0,
            one_clock=len(lengths) <= 1,
            node=node,
        )

    lanes = [lane("main", 1 - SEVERE_SHARE if severe else Decimal(1), detection.sustain_blocks, _node(trigger))]
    if severe:
        node = Node(members=tuple(range(len(main), len(main) + len(severe))))
        lanes.append(lane("severe", SEVERE_SHARE, _severe_blocks(detection, trigger), node))
    return Rule(
        trigger=trigger.id,
        severity=trigger.severity,
        shadow=trigger.shadow,
        block=detection.block,
        watch_blocks=detection.watch_blocks,
        blind_after=detection.blind_after,
        w0=detection.w0,
        dispersion=detection.dispersion,
        routing=detection.routing,
        per_release=budget.per_release,
        unreserved=budget.per_release * (1 - budget.reserve),
        allotted=allotted,
        ramp_mass=detection.ramp.mass if detection.ramp else Decimal(0),
        ramp_rows=tuple(at // detection.block for at in detection.ramp.at) if detection.ramp else (),
        lanes=tuple(lanes),
        criteria=(*main, *severe),
    )


def _node(combination: Combination, first: int = 0) -> Node:
    """The tree of a trigger or group whose criteria are numbered from `first`."""
    members: list[int | Node] = []
    place = first
    for member in combination.members:
        members.append(_node(member, place) if isinstance(member, Group) else place)
        place += len(member.criteria) if isinstance(member, Group) else 1
    weights = tuple(member.weight for member in combination.members if member.weight is not None)
    node = Node(k=combination.needed, weights=weights, members=tuple(members))
    alone = [own for own, member in zip(members, combination.members, strict=True) if member.critical]
    return Node(members=(*alone, node)) if alone else node


def _severe(detection: Detection, trigger: Trigger, history: Sequence[Row]) -> Iterator[CriterionRule]:
    """The criteria of the severe lane: as written, or the default for `any` and for one criterion (DET-15)."""
    written = trigger.severe
    if written == "none":
        return
    alone = trigger.form == "any" or len(trigger.criteria) == 1
    if written is None and (not alone or detection.sustain_blocks <= SEVERE_BLOCKS):
        return
    for criterion in trigger.criteria:
        spec = detection.signals[criterion.signal]
        if criterion.tolerate is None:
            continue
        wider = tolerances.severe(spec, criterion.tolerate)
        if isinstance(written, Severe):
            wider = _written(spec, written) or wider
        if wider is not None:
            yield _criterion(detection, criterion, history, wider, "severe")


def _written(spec: SignalSpec, severe: Severe) -> Tolerance | None:
    """The parts of a written severe tolerance that fit a signal; None when none does."""
    if spec.kind == "latency":
        return Tolerance(slower_by=min(severe.slower_by, Decimal(10))) if severe.slower_by is not None else None
    ratio = severe.ratio if spec.kind in ("rate", "judgement", "missing") else None
    fits = spec.kind not in ("categories", "latency")
    absolute = severe.absolute if fits else None
    if ratio is None and absolute is None:
        return None
    return Tolerance(ratio=None if ratio is None else min(ratio, Decimal(10)), absolute=absolute)


def _severe_blocks(detection: Detection, trigger: Trigger) -> int:
    if isinstance(trigger.severe, Severe) and trigger.severe.sustain is not None:
        return round(trigger.severe.sustain / detection.block)
    return SEVERE_BLOCKS


def _criterion(
    detection: Detection,
    criterion: Criterion,
    history: Sequence[Row],
    tolerate: Tolerance | None,
    lane: LaneName,
) -> CriterionRule:
    spec = detection.signals[criterion.signal]
    required = spec.kind != "alert" if criterion.required is None else criterion.required
    if criterion.rule is not None:
        signal = _signal(detection, criterion.signal, spec)
        limit = _limit(criterion.rule, detection.block)
        return ThresholdRule(**signal, **limit, required=required, lane=lane)
    if tolerate is None:
        raise ValueError(f"{criterion!r} has neither a tolerance nor a threshold rule")
    rule = tolerance_rule(detection, criterion.signal, tolerate, history)
    by_default = LATENCY_WARM_UP if rule.kind == "latency" else 0
    warm_up = by_default if criterion.warm_up is None else round(criterion.warm_up / detection.block)
    changes = {"required": required, "lane": lane, "warm_up": warm_up if lane == "main" else 0}
    return rule.model_copy(update=changes)


def tolerance_rule(detection: Detection, name: str, tolerate: Tolerance, history: Sequence[Row] = ()) -> ToleranceRule:
    """One signal against one tolerance, in the main lane and without warm-up."""
    spec = detection.signals[name]
    values = detection.signals[spec.of] if spec.kind == "gap" and spec.of is not None else spec
    ratio, absolute = tolerances.line(spec, tolerate, values.range)
    kind: str = spec.kind
    if spec.baseline == "none":
        kind = "past_weeks"
    elif values.kind == "score" and kind == "gap":
        kind = "score_gap"
    return ToleranceRule(
        **_signal(detection, name, spec),
        kind=kind,
        tolerance=tolerate.given,
        ratio=ratio,
        absolute=absolute,
        every=round(spec.block / detection.block) if spec.block is not None else 1,
        arms=(Arm.candidate,) if kind == "past_weeks" else tuple(Arm),
        range=values.range,
        clipped=values.clipped,
        slower_by=tolerate.slower_by,
        quantiles=spec.quantiles if spec.kind == "latency" else (),
        edges=spec.edges,
        measured_in=spec.measured_in if spec.kind == "latency" else "",
        group_by=spec.group_by or "",
        groups=spec.groups or (),
        categories=spec.categories or (),
        size=tolerate.size,
        bounds=seasonal(history, name) if kind == "past_weeks" else (),
    )


def _signal(detection: Detection, name: str, spec: SignalSpec) -> dict[str, Any]:
    """The parts that every criterion needs; a gap takes them from the signal whose groups it compares."""
    source = detection.signals[spec.of] if spec.of is not None else spec
    grouped = source if spec.kind == "gap" else spec
    return {
        "signal": name,
        "reads": spec.of or name,
        "bad": grouped.bad,
        "unit": source.unit,
        "show": spec.show,
        "expect": tolerances.bad_value(grouped),
        "min_coverage": source.min_coverage,
    }


def _limit(rule: WrittenLimit, block: timedelta) -> dict[str, Any]:
    match rule.form:
        case Bound() as bound:
            outside, limit = limit_of(bound)
            times = max(bound.hold_for // block, 1)
            fields: dict[str, Any] = {"kind": "bound", "window": bound.window // block, "times": times}
        case FailureLimit() as failures:
            outside, limit = limit_of(failures)
            fields = {"kind": failures.count, "window": failures.interval // block, "times": failures.limit}
        case FailedChecks() as checks:
            outside, limit = limit_of(checks)
            fields = {"kind": "failed_checks", "window": checks.interval // block, "times": checks.threshold}
        case NOfM() as some:
            outside, limit = limit_of(some)
            fields = {"kind": "n_of_m", "window": some.m, "times": some.n}
        case BurnRate() as burn:
            outside, limit = "above", burn.budget
            pairs = tuple((pair.long // block, pair.short // block, pair.factor) for pair in burn.pairs)
            longest = max(max(pair[:2]) for pair in pairs)
            fields = {"kind": "burn_rate", "window": longest, "times": 1, "pairs": pairs}
        case TimesBaseline() as times_baseline:
            outside, limit = "above", times_baseline.ratio
            fields = {
                "kind": "times_baseline",
                "window": times_baseline.window // block,
                "interval": times_baseline.interval // block,
                "times": times_baseline.limit,
                "arms": tuple(Arm),
            }
        case Firing() as firing:
            outside, limit = "above", Decimal(0)
            fields = {"kind": "firing", "window": 1, "times": max(firing.hold_for // block, 1)}
    return {"outside": outside, "limit": limit, **fields}
