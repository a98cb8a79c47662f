"""A playbook on one page, for people who never read its schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from textwrap import fill
from typing import Literal

from countermand.playbook.check import percent
from countermand.playbook.model import (
    ApprovalPolicy,
    Audience,
    Bound,
    Criterion,
    FailureLimit,
    Playbook,
    Quorum,
    Rung,
    SignalSpec,
    Step,
    ThresholdRule,
    Tolerance,
    Trigger,
)
from countermand.playbook.units import format_duration, format_percent, plain

WIDTH = 100
PHASES: tuple[Literal["before", "between", "after"], ...] = ("before", "between", "after")
_UNITS = {"ms": "millisecond", "s": "second", "m": "minute", "h": "hour", "d": "day"}
_STEPS = {
    Step.ramp_held: "rollout held",
    Step.incident_opened: "incident opened",
    Step.approval_asked: "decision asked for",
    Step.approval_reminded: "reminder",
    Step.approval_decided: "decision made",
    Step.default_taken: "nobody decided",
    Step.stage_completed: "stage done",
    Step.revert_stopped: "a stop",
    Step.reverted: "all users back",
    Step.all_clear: "all-clear",
    Step.not_verified: "no all-clear",
    Step.review_drafted: "review ready",
}
_AUDIENCES = {
    Audience.operator: "operators",
    Audience.approver: "people who decide",
    Audience.exec: "executives",
    Audience.support: "support",
    Audience.customer: "customers",
}


def explain(playbook: Playbook) -> str:
    """The playbook in plain words: at most 100 columns, and 60 lines for a playbook of usual size."""
    sections = (_title, _watched, _worse, _decides, _way_back, _healthy, _told)
    return "\n\n".join("\n".join(section(playbook)) for section in sections) + "\n"


def _title(playbook: Playbook) -> Iterator[str]:
    context = _words(playbook.context)
    title = f"{playbook.name}, version {playbook.version}: the way back for {playbook.service} ({context})"
    yield _wrapped(title, 0)
    yield _wrapped(playbook.summary, 0)


def _watched(playbook: Playbook) -> Iterator[str]:
    detection = playbook.detection
    yield f"WHAT IS WATCHED for {in_words(detection.watch)}, counted {_every(detection.block)}"
    rows = [
        (_words(name), f"usually {_share(spec.expect, spec)}", spec.meaning) for name, spec in detection.signals.items()
    ]
    left, middle = (max(len(row[column]) for row in rows) + 2 for column in (0, 1))
    for name, usual, meaning in rows:
        yield _wrapped(f"{name:<{left}}{usual:<{middle}}{meaning}", 2, min(2 + left + middle, WIDTH // 2))


def _worse(playbook: Playbook) -> Iterator[str]:
    detection = playbook.detection
    lasts = in_words(detection.sustain)
    yield f"WHEN IT COUNTS AS WORSE, if it lasts {lasts}; a shorter burst does not count"
    for trigger in detection.triggers:
        head = f"{_words(trigger.id)} (severity {trigger.severity[-1]}):"
        yield _wrapped(f"{head} {_trigger(trigger, detection.signals)}.", 2, 4)
    uncovered = [trigger.id for trigger in detection.triggers if not trigger.bounded]
    if len(uncovered) == len(detection.triggers):
        yield "  No promise about false alarms: these are plain thresholds."
        return
    rarely = _rarely(detection.false_alarms.per_release)
    but = f" No promise for {_spoken(uncovered)}: plain thresholds." if uncovered else ""
    yield _wrapped(f"Promise: at most {rarely} harmless releases is called worse by mistake.{but}", 2, 4)


def _decides(playbook: Playbook) -> Iterator[str]:
    yield "WHO DECIDES; nothing is changed before that"
    for severity in sorted(playbook.approvals):
        policy = playbook.approvals[severity]
        yield _wrapped(f"severity {severity[-1]}: {_quorum(policy.quorum)}", 2, 4)
        yield _wrapped(", ".join(_rung(rung) for rung in policy.ladder[:-1]), 4)
        yield _wrapped(f"if nobody decides in {in_words(policy.time_limit)}: {_default(policy)}", 4)
    yield _wrapped(f"paged at once: {_spoken(playbook.emergency.page)}", 2, 4)


def _way_back(playbook: Playbook) -> Iterator[str]:
    revert, integrity = playbook.revert, playbook.data_integrity
    yield _wrapped(f"THE WAY BACK on {revert.target}/{revert.member}", 0)
    freeze = in_words(playbook.evidence_freeze.time_limit)
    yield f"  first, the evidence is frozen, within {freeze}"
    for number, stage in enumerate(revert.stages, start=1):
        share = "all" if stage.give_back == 10_000 else format_percent(stage.give_back)
        users = f"{share} of the new version's users return"
        yield f"  {number}. {users}, then {in_words(stage.soak)} of watching"
    for check in integrity.checks:
        phases = [phase for phase in PHASES if check in integrity.named(phase)]
        if phases:
            yield _wrapped(f"checked {_spoken(phases)}: {check.meaning}", 2, 4)
    yield _wrapped(
        "it stops and asks if a check fails, users have not moved in "
        f"{in_words(revert.traffic.time_limit)} or a stage takes {in_words(revert.stage_time_limit)}",
        2,
        4,
    )


def _healthy(playbook: Playbook) -> Iterator[str]:
    verification = playbook.verification
    limit, sure = in_words(verification.time_limit), percent(verification.confidence)
    yield f"WHEN IT IS HEALTHY AGAIN: all of this is shown within {limit}, with {sure} confidence"
    for evidence in verification.signals:
        spec = playbook.detection.signals[evidence.signal]
        least = f"at least {_share(1 - evidence.at_most, spec)}"
        bound = f"at most {_share(evidence.at_most, spec)}" if spec.bad == "higher" else least
        judged = f"judged on {evidence.min_scored:,} {_words(spec.unit)}s"
        yield _wrapped(f"{_words(evidence.signal)} {bound}, {judged}", 2, 4)
    yield "  otherwise nobody calls it healthy and people are asked what to do; no data is never good news"


def _told(playbook: Playbook) -> Iterator[str]:
    yield "WHO IS TOLD"
    for audience, people in _AUDIENCES.items():
        told = [_STEPS[step] for step in Step if audience in playbook.audiences(step)]
        silent = [words for words in _STEPS.values() if words not in told]
        if told:
            most = f"every step but {_spoken(silent)}" if silent else "every step"
            yield _wrapped(f"{people}: {most if len(silent) < 3 else _spoken(told)}", 2, 4)
    review = playbook.review
    signed = f"signed within {in_words(review.due)} by {_slots(review.sign_off)}"
    yield _wrapped(f"then a review by the {_words(review.owner)}, {signed}", 2, 4)


def in_words(span: timedelta) -> str:
    """The exact duration as people say it: `90 minutes`, `1 day`."""
    number, unit = re.fullmatch(r"(\d+)(\w+)", format_duration(span)).groups()  # type: ignore[union-attr]
    return f"{number} {_UNITS[unit]}{'' if number == '1' else 's'}"


def _every(span: timedelta) -> str:
    return f"every {in_words(span).removeprefix('1 ')}"


def _trigger(trigger: Trigger, signals: dict[str, SignalSpec]) -> str:
    criteria = [_criterion(criterion, signals[criterion.signal]) for criterion in trigger.criteria]
    if len(criteria) == 1:
        return criteria[0]
    listed = "; ".join(criteria)
    if trigger.needed == 1:
        return f"one of these: {listed}"
    some = f"{trigger.needed} of these {len(criteria)}"
    return f"{'all of these' if trigger.needed == len(criteria) else some} at the same time: {listed}"


def _criterion(criterion: Criterion, spec: SignalSpec) -> str:
    name = _words(criterion.signal)
    match criterion:
        case Criterion(tolerate=Tolerance() as tolerate):
            return _tolerance(name, tolerate, spec)
        case Criterion(rule=ThresholdRule(bound=Bound() as bound)):
            lasting = f"over {in_words(bound.window)}, for {in_words(bound.hold_for)}"
            return f"{_outside(name, bound, spec)} {lasting}"
        case Criterion(rule=ThresholdRule(failure_limit=FailureLimit() as failures)):
            row = " in a row" if failures.count == "consecutive" else ""
            measured = f"more than {failures.limit} measurements{row}, one {_every(failures.interval)}"
            return f"{_outside(name, failures, spec)} in {measured}"
        case _:
            raise ValueError(f"{criterion!r} has neither a tolerance nor a threshold rule")


def _tolerance(name: str, tolerate: Tolerance, spec: SignalSpec) -> str:
    number = plain((tolerate.absolute or Decimal(0)) * 100)
    points = f"{number} percentage point{'' if number == '1' else 's'}"
    if tolerate.ratio is None or tolerate.ratio == 1:
        over = f"over {points} " if tolerate.absolute else ""
        return f"{name} {over}{'above' if spec.bad == 'higher' else 'below'} the current version"
    what = name if spec.bad == "higher" else f"misses in {name}"
    plus = f" plus {points}" if tolerate.absolute else ""
    return f"more than {plain(tolerate.ratio)} times the {what} of the current version{plus}"


def _outside(name: str, rule: Bound | FailureLimit, spec: SignalSpec) -> str:
    if rule.above is not None:
        return f"{name} above {_share(rule.above, spec)}"
    return f"{name} below {_share(rule.below or Decimal(0), spec)}"


def _rung(rung: Rung) -> str:
    roles = _spoken(rung.to)
    if not rung.after:
        return f"asked: {roles}"
    return f"{'again' if rung.do == 'remind' else roles} after {in_words(rung.after)}"


def _default(policy: ApprovalPolicy) -> str:
    if policy.default == "hold":
        return f"NO ROLLBACK, nothing changes, asked again {_every(policy.ask_again_every)}"
    return "NO ROLLBACK, the request is closed, a review is opened"


def _slots(quorum: Quorum) -> str:
    return _spoken([f"{slot.min} {slot.role}{'' if slot.min == 1 else 's'}" for slot in quorum.roles])


def _quorum(quorum: Quorum) -> str:
    people = "1 person" if quorum.distinct_people == 1 else f"{quorum.distinct_people} different people"
    return f"{people} ({_slots(quorum)}) must agree"


def _rarely(probability: Decimal) -> str:
    in_one = 1 / probability
    return f"1 in {in_one:,.0f}" if in_one == in_one.to_integral_value() else percent(probability) + " of"


def _share(share: Decimal, spec: SignalSpec) -> str:
    return f"{plain(share * 10_000)} per 10,000" if spec.show == "per_10000" else percent(share)


def _spoken(names: Sequence[str]) -> str:
    names = [_words(name) for name in names]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else "nobody"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _wrapped(text: str, first: int, more: int | None = None) -> str:
    rest = first if more is None else more
    return fill(text, WIDTH, initial_indent=" " * first, subsequent_indent=" " * rest, break_on_hyphens=False)
