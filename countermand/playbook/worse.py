"""When it counts as worse, in plain words: triggers, criteria, tolerances and limits."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from countermand.playbook.criteria import Combination, Criterion, Group, SignalSpec, Tolerance
from countermand.playbook.limits import (
    Bound,
    BurnRate,
    FailedChecks,
    FailureLimit,
    Firing,
    NOfM,
    Outside,
    TimesBaseline,
)
from countermand.playbook.limits import ThresholdRule as Limit
from countermand.playbook.model import Playbook
from countermand.playbook.plain_words import every, in_words, percent, spoken, words, wrapped
from countermand.playbook.units import plain


def worse(playbook: Playbook) -> Iterator[str]:
    """The lines of the section, at most 100 columns each."""
    detection = playbook.detection
    lasts = in_words(detection.sustain)
    yield f"WHEN IT COUNTS AS WORSE, if it lasts {lasts}; a shorter burst does not count"
    for trigger in detection.triggers:
        shadow = ", only shown" if trigger.shadow else ""
        head = f"{words(trigger.id)} (severity {trigger.severity[-1]}{shadow}):"
        yield wrapped(f"{head} {_combination(trigger, detection.signals)}.", 2, 4)
    uncovered = [trigger.id for trigger in detection.triggers if not trigger.bounded]
    if len(uncovered) == len(detection.triggers):
        yield "  No promise about false alarms: these are plain thresholds."
        return
    rarely = _rarely(detection.false_alarms.per_release)
    but = f" No promise for {spoken(uncovered)}: plain thresholds." if uncovered else ""
    alike = ", if the users of both versions are alike" if detection.routing == "by_class" else ""
    yield wrapped(f"Promise: at most {rarely} harmless releases is called worse by mistake{alike}.{but}", 2, 4)


def usually(spec: SignalSpec) -> str:
    """`usually 3 %`; the kind of the signal when nothing is expected."""
    if spec.expect is None:
        return words(spec.kind)
    return f"usually {plain(spec.expect) if spec.kind == 'score' else share(spec.expect, spec)}"


def share(part: Decimal, spec: SignalSpec) -> str:
    """`3 %` or `8 per 10,000`, as the signal is shown."""
    return f"{plain(part * 10_000)} per 10,000" if spec.show == "per_10000" else percent(part)


def beyond(criterion: Criterion, signals: dict[str, SignalSpec]) -> str:
    """What one criterion does not accept: `more than 1.2 times the refusals of the current version`."""
    return _member(criterion, signals)


def _combination(combination: Combination, signals: dict[str, SignalSpec]) -> str:
    members = [_member(member, signals) for member in combination.members]
    if len(members) == 1:
        return members[0]
    listed = "; ".join(members)
    if combination.weights:
        return f"enough of these together: {listed}"
    if combination.needed == 1:
        return f"one of these: {listed}"
    some = f"{combination.needed} of these {len(members)}"
    return f"{'all of these' if combination.needed == len(members) else some} at the same time: {listed}"


def _member(member: Criterion | Group, signals: dict[str, SignalSpec]) -> str:
    said = f"({_combination(member, signals)})" if isinstance(member, Group) else _criterion(member, signals)
    weight = f", weight {percent(member.weight)}" if member.weight else ""
    return f"{said}{weight}{', enough alone' if member.critical else ''}"


def _criterion(criterion: Criterion, signals: dict[str, SignalSpec]) -> str:
    name, spec = words(criterion.signal), signals[criterion.signal]
    if criterion.rule is not None:
        return _limit(name, criterion.rule, spec)
    if criterion.tolerate is not None:
        return _tolerance(name, criterion.tolerate, spec, signals.get(spec.of or "", spec))
    raise ValueError(f"{criterion!r} has neither a tolerance nor a threshold rule")


def _limit(name: str, rule: Limit, spec: SignalSpec) -> str:
    match rule.form:
        case Bound() as bound:
            return f"{_outside(name, bound, spec)} over {in_words(bound.window)}, for {in_words(bound.hold_for)}"
        case FailureLimit() as failures:
            row = " in a row" if failures.count == "consecutive" else ""
            measured = f"more than {failures.limit} measurements{row}, one {every(failures.interval)}"
            return f"{_outside(name, failures, spec)} in {measured}"
        case FailedChecks() as checks:
            return f"{_outside(name, checks, spec)} in {checks.threshold} checks, one {every(checks.interval)}"
        case NOfM() as some:
            return f"{_outside(name, some, spec)} in {some.n} of the last {some.m} blocks"
        case BurnRate() as burn:
            pairs = " or ".join(
                f"{plain(pair.factor)} times over both {in_words(pair.long)} and {in_words(pair.short)}"
                for pair in burn.pairs
            )
            return f"{name} uses up a budget of {share(burn.budget, spec)} {pairs}"
        case TimesBaseline() as times:
            measured = f"more than {times.limit} measurements, one {every(times.interval)}"
            over = f"over {in_words(times.window)}"
            return f"more than {plain(times.ratio)} times the {name} of the current version {over} in {measured}"
        case Firing() as firing:
            lasts = f" for {in_words(firing.hold_for)}" if firing.hold_for else ""
            return f"{name}: the alert {spec.alert} fires{lasts}"


def _tolerance(name: str, tolerate: Tolerance, spec: SignalSpec, values: SignalSpec) -> str:
    against = "past weeks" if spec.baseline == "none" else "the current version"
    direction = "above" if spec.bad == "higher" else "below"
    if tolerate.slower_by is not None:
        return f"{name} over {percent(tolerate.slower_by)} slower than {against}"
    if tolerate.size is not None:
        return f"{name} distributed otherwise than on {against}, by a stability index of {plain(tolerate.size)} or more"
    if tolerate.relative is not None:
        return f"{name} over {percent(tolerate.relative)} {direction} {against}"
    if spec.kind == "score":
        return f"{name} over {plain(tolerate.absolute or Decimal(0))} {direction} {against}"
    number = plain((tolerate.absolute or Decimal(0)) * 100)
    points = f"{number} percentage point{'' if number == '1' else 's'}"
    if spec.kind == "gap":
        groups = " or ".join(spec.groups or ())
        amount = plain(tolerate.absolute or Decimal(0)) if values.kind == "score" else points
        return f"{name} between {groups} and everybody else over {amount} wider than on {against}"
    if tolerate.ratio is None or tolerate.ratio == 1:
        over = f"over {points} " if tolerate.absolute else ""
        return f"{name} {over}{direction} {against}"
    what = name if spec.bad == "higher" else f"misses in {name}"
    plus = f" plus {points}" if tolerate.absolute else ""
    return f"more than {plain(tolerate.ratio)} times the {what} of {against}{plus}"


def _outside(name: str, rule: Outside, spec: SignalSpec) -> str:
    if rule.above is not None:
        return f"{name} above {share(rule.above, spec)}"
    return f"{name} below {share(rule.below or Decimal(0), spec)}"


def _rarely(probability: Decimal) -> str:
    in_one = 1 / probability
    return f"1 in {in_one:,.0f}" if in_one == in_one.to_integral_value() else percent(probability) + " of"
