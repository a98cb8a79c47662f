"""A playbook on one page, for people who never read its schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from countermand.playbook.model import (
    ApprovalPolicy,
    Audience,
    Playbook,
    Quorum,
    Rung,
    Step,
)
from countermand.playbook.plain_words import WIDTH, every, in_words, percent, spoken, words, wrapped
from countermand.playbook.units import format_percent
from countermand.playbook.way_back import Revert
from countermand.playbook.worse import share, usually, worse

__all__ = ["WIDTH", "explain"]

PHASES: tuple[Literal["before", "between", "after"], ...] = ("before", "between", "after")
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
    sections = (_title, _watched, worse, _decides, _way_forward, _way_back, _healthy, _told)
    told = ["\n".join(section(playbook)) for section in sections]
    return "\n\n".join(filter(None, told)) + "\n"


def _title(playbook: Playbook) -> Iterator[str]:
    context = words(playbook.context)
    title = f"{playbook.name}, version {playbook.version}: the way back for {playbook.service} ({context})"
    yield wrapped(title, 0)
    yield wrapped(playbook.summary, 0)


def _watched(playbook: Playbook) -> Iterator[str]:
    detection = playbook.detection
    yield f"WHAT IS WATCHED for {in_words(detection.watch)}, counted {every(detection.block)}"
    rows = [(words(name), usually(spec), spec.meaning) for name, spec in detection.signals.items()]
    left, middle = (max(len(row[column]) for row in rows) + 2 for column in (0, 1))
    for name, usual, meaning in rows:
        yield wrapped(f"{name:<{left}}{usual:<{middle}}{meaning}", 2, min(2 + left + middle, WIDTH // 2))


def _decides(playbook: Playbook) -> Iterator[str]:
    yield "WHO DECIDES; nothing is changed before that"
    for severity in sorted(playbook.approvals):
        policy = playbook.approvals[severity]
        yield wrapped(f"severity {severity[-1]}: {_quorum(policy.quorum)}{_signed(policy)}", 2, 4)
        yield wrapped(", ".join(_rung(rung) for rung in policy.ladder[:-1]), 4)
        yield wrapped(f"if nobody decides in {in_words(policy.time_limit)}: {_default(policy)}", 4)
    yield wrapped(f"paged at once: {spoken(playbook.emergency.page)}", 2, 4)


def _way_back(playbook: Playbook) -> Iterator[str]:
    revert, integrity = playbook.revert, playbook.data_integrity
    where = f"{revert.target}/{revert.member}"
    yield wrapped(f"THE WAY BACK on {where}, guarded for {in_words(revert.guard)} afterwards", 0)
    freeze = in_words(playbook.evidence_freeze.time_limit)
    without = "people decide" if playbook.evidence_freeze.if_incomplete == "ask" else "nothing changes"
    yield f"  first, the evidence is frozen, within {freeze}; without it {without}"
    for number, stage in enumerate(revert.stages, start=1):
        part = "all" if stage.give_back == 10_000 else format_percent(stage.give_back)
        users = f"{part} of the new version's users return"
        yield f"  {number}. {users}, then {in_words(stage.soak)} of watching"
    yield from _together(revert)
    for check in integrity.checks:
        phases = [phase for phase in PHASES if check in integrity.named(phase)]
        if phases:
            yield wrapped(f"checked {spoken(phases)}: {check.meaning}", 2, 4)
    yield wrapped(
        "it stops and asks if a check fails, users have not moved in "
        f"{in_words(revert.traffic.time_limit)} or a stage takes {in_words(revert.stage_time_limit)}",
        2,
        4,
    )


def _together(revert: Revert) -> Iterator[str]:
    if not revert.together:
        return
    named = [f"{one.target}/{one.member}{f' ({one.part})' if one.part else ''}" for one in revert.together]
    first = f"{revert.target}/{revert.member}{f' ({revert.part})' if revert.part else ''}"
    yield wrapped(f"with the last step, one after the other: {', then '.join([first, *named])}", 2, 4)
    then = "what moved is brought back" if revert.on_member_failure == "compensate" else "what moved stays"
    yield wrapped(f"if one of them cannot be moved, {then} and people are asked", 2, 4)


def _healthy(playbook: Playbook) -> Iterator[str]:
    verification = playbook.verification
    limit, sure = in_words(verification.time_limit), percent(verification.confidence)
    yield f"WHEN IT IS HEALTHY AGAIN: all of this is shown within {limit}, with {sure} confidence"
    for evidence in verification.signals:
        spec = playbook.detection.signals[evidence.signal]
        least = f"at least {share(1 - evidence.at_most, spec)}"
        bound = f"at most {share(evidence.at_most, spec)}" if spec.bad == "higher" else least
        judged = f"judged on {evidence.min_scored:,} {words(spec.unit)}s"
        yield wrapped(f"{words(evidence.signal)} {bound}, {judged}", 2, 4)
    if verification.watch_for is not None:
        then = "a new way back is put to people" if verification.on_regression == "ask" else "it is held for people"
        yield wrapped(f"then watched for {in_words(verification.watch_for)}; if it is worse again, {then}", 2, 4)
    yield "  otherwise nobody calls it healthy and people are asked what to do; no data is never good news"


def _way_forward(playbook: Playbook) -> Iterator[str]:
    rollout = playbook.rollout
    if rollout is None:
        return
    yield "THE WAY FORWARD, each step only when it is shown to be healthy"
    if rollout.sandbox is not None:
        box = rollout.sandbox
        who = "without a person" if box.without_asking else "when a person starts it"
        line = f"sandbox: {format_percent(box.share)} of users for {in_words(box.time_limit)} at most, {who}"
        yield wrapped(f"{line}; it always goes back, by itself after {in_words(box.lease)} without its watcher", 2, 4)
    if rollout.ramp:
        steps = [f"{format_percent(step.share)} within {in_words(step.time_limit)}" for step in rollout.ramp]
        yield wrapped(f"ramp, when a person starts it: {spoken(steps)}", 2, 4)


def _told(playbook: Playbook) -> Iterator[str]:
    yield "WHO IS TOLD"
    for audience, people in _AUDIENCES.items():
        told = [words for step, words in _STEPS.items() if audience in playbook.audiences(step)]
        silent = [words for words in _STEPS.values() if words not in told]
        if told:
            most = f"every step but {spoken(silent)}" if silent else "every step"
            yield wrapped(f"{people}: {most if len(silent) < 3 else spoken(told)}", 2, 4)
    review = playbook.review
    signed = f"signed within {in_words(review.due)} by {_slots(review.sign_off)}"
    yield wrapped(f"then a review by the {words(review.owner)}, {signed}", 2, 4)


def _rung(rung: Rung) -> str:
    roles = spoken(rung.to)
    if not rung.after:
        return f"asked: {roles}"
    return f"{'again' if rung.do == 'remind' else roles} after {in_words(rung.after)}"


def _signed(policy: ApprovalPolicy) -> str:
    return " by security key" if policy.signature == "step_up" else ""


def _default(policy: ApprovalPolicy) -> str:
    if policy.default == "hold":
        return f"NO ROLLBACK, nothing changes, asked again {every(policy.ask_again_every)}"
    if policy.default == "proceed":
        return (
            "THE ROLLBACK STARTS if a standing authorisation covers it and people could have said no; "
            f"else nothing changes, asked again {every(policy.ask_again_every)}"
        )
    return "NO ROLLBACK, the request is closed, a review is opened"


def _slots(quorum: Quorum) -> str:
    return spoken([f"{slot.min} {slot.role}{'' if slot.min == 1 else 's'}" for slot in quorum.roles])


def _quorum(quorum: Quorum) -> str:
    people = "1 person" if quorum.distinct_people == 1 else f"{quorum.distinct_people} different people"
    return f"{people} ({_slots(quorum)}) must agree"
