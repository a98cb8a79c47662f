"""What an author should know before trusting criteria: how long each needs, and what the budget is split into."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from countermand.detection.criterion_rules import ThresholdRule
from countermand.detection.false_fires import FalseFires, false_fires
from countermand.detection.forecast import CriterionForecast, Delay, Forecast, Traffic, about, forecast, sentence
from countermand.detection.rule import Rule
from countermand.detection.rules import compile_rules
from countermand.playbook.criteria import Detection
from countermand.playbook.plain_words import percent, words

#: Multiples of the usual bad rate that are planned for.
EFFECTS = (1.5, 2.0, 3.0, 5.0)


def traffic_of(detection: Detection, per_minute: tuple[int, int] | None) -> dict[str, Traffic]:
    """Outputs per block and arm by signal: `per_minute` (candidate, baseline), else what the signal states."""
    minutes = detection.block.total_seconds() / 60
    found = {}
    for name, spec in detection.signals.items():
        stated = detection.signals[spec.of].per_minute if spec.of else spec.per_minute
        here = per_minute or ((stated, stated) if stated else None)
        if here is not None:
            found[name] = (round(here[0] * minutes), round(here[1] * minutes))
    return found


def plan(detection: Detection, per_minute: tuple[int, int] | None = None) -> tuple[Forecast, ...]:
    """One forecast per trigger, for blocks that vary like independent outputs."""
    traffic = traffic_of(detection, per_minute)
    return tuple(forecast(rule, traffic, EFFECTS) for rule in compile_rules(detection))


def lines(detection: Detection, per_minute: tuple[int, int] | None = None) -> Iterator[str]:
    """The plan for people: the budget, then per criterion how long at deploy | when it begins later."""
    yield from _budget(detection)
    for rule, found in zip(compile_rules(detection), plan(detection, per_minute), strict=True):
        yield ""
        yield f"{words(found.trigger)}: {_lanes(rule)}"
        for criterion in found.criteria:
            yield f"  {words(criterion.signal)}"
            for delay in criterion.delays:
                yield f"    {delay.times:g} times  {_cell(rule, delay)}"
            unit = detection.signals[criterion.signal].unit
            yield f"    {sentence(rule, criterion, words(unit))}"
        for name, fired in wrong_fires(detection, rule, per_minute):
            yield f"  {words(name)}: a fixed limit; {fired.sentence}"
        if not found.criteria:
            yield "  plain thresholds only: no bound on false alarms and no forecast"
    yield ""
    yield "Medians, if outputs are independent of each other; times of 19 in 20 releases in brackets."


def wrong_fires(
    detection: Detection, rule: Rule, per_minute: tuple[int, int] | None = None
) -> Iterator[tuple[str, FalseFires]]:
    """(signal, how often it fires without harm) for each fixed limit of a trigger whose usual rate and traffic are
    known."""
    traffic = traffic_of(detection, per_minute)
    for criterion in rule.criteria:
        here = traffic.get(criterion.signal)
        if isinstance(criterion, ThresholdRule) and criterion.expect is not None and here is not None and 0 not in here:
            fired = false_fires(criterion, rule.block, float(criterion.expect), here)
            if fired is not None:
                yield criterion.signal, fired


def cannot_fire(rule: Rule, criterion: CriterionForecast) -> str | None:
    """Why a criterion is too slow for its watch: not even a doubling from the start is found; else None."""
    two = next((delay for delay in criterion.delays if delay.times == 2), None)
    if two is None or two.deploy is not None:
        return None
    larger = next((delay for delay in criterion.delays if delay.deploy is not None), None)
    found = "nor is 5 times"
    if larger is not None and larger.deploy is not None:
        found = f"{larger.times:g} times is found after about {about(rule, larger.deploy)}"
    return f"2 times the usual rate is not found within the watch at the traffic stated; {found}: score more outputs"


def _budget(detection: Detection) -> Iterator[str]:
    budget = detection.false_alarms
    yield f"False alarms: at most {percent(budget.per_release)} of harmless releases, of which"
    for trigger in detection.triggers:
        if trigger.spends:
            part = budget.per_release * (1 - budget.reserve) * trigger.share
            yield f"  {percent(part)} for {words(trigger.id)}"
    yield f"  {percent(budget.per_release * budget.reserve)} kept for changes during the watch"


def _lanes(rule: Rule) -> str:
    if rule.alpha is None:
        return "no part of the budget"
    return ", ".join(
        f"{percent(lane.alpha or Decimal(0))} if it lasts {about(rule, lane.sustain_blocks)}"
        + (" and is severe" if lane.name == "severe" else "")
        for lane in rule.lanes
    )


def _cell(rule: Rule, delay: Delay) -> str:
    def side(median: int | None, p95: int | None) -> str:
        if median is None:
            return "not within the watch"
        return f"{about(rule, median)} ({'longer than the watch' if p95 is None else about(rule, p95)})"

    return f"at deploy {side(delay.deploy, delay.deploy_p95)}, later {side(delay.later, delay.later_p95)}"
