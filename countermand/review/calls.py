"""When people are told that a review or an action waits, and who is told then (LRN-1, LRN-5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from countermand.plan.target import Value
from countermand.review.actions import ActionState, called_key
from countermand.review.state import ReviewState

EXECUTIVE = "executive"
#: After how much delay one more of the ladder is told; then all of them again and again.
LATER = (timedelta(), timedelta(days=3), timedelta(days=7))
AGAIN_EVERY = timedelta(days=7)
MEETING = "meeting"
#: An action is announced to its owner so long before it is due.
AHEAD = timedelta(days=2)
SOON = "soon"


class Call(Value):
    """One message that is due. action_id: None where the review itself waits.

    point: `meeting`, `soon`, or days of delay. due: what it is about. person: subject of an action's owner. roles: who
    else is told. coming: when the next message follows if nothing is done.
    """

    action_id: str | None
    point: str
    due: datetime
    person: str | None
    roles: tuple[str, ...]
    coming: datetime

    @property
    def overdue(self) -> bool:
        return self.point not in (MEETING, SOON)


class _Point(NamedTuple):
    name: str
    at: datetime
    rung: int


class _Matter(NamedTuple):
    """Something that waits: when people are told of it, what they were told already, and by rung who is added."""

    action_id: str | None
    due: datetime
    points: list[_Point]
    told: tuple[str, ...]
    ladder: tuple[tuple[str, ...], ...]
    person: str | None


def calls(
    state: ReviewState, actions: Iterable[ActionState], signers: tuple[str, ...], now: datetime
) -> tuple[Call, ...]:
    """What people have to be told now and were not told yet; of each matter only the newest, so that whoever comes
    late is told once. actions: those of this review. signers: roles that sign it."""
    found = []
    for one in _matters(state, actions, signers, now):
        passed = [point for point in one.points if point.at <= now]
        if not passed or called_key(one.due, passed[-1].name) in one.told:
            continue
        roles = dict.fromkeys(role for step in one.ladder[: passed[-1].rung + 1] for role in step)
        found.append(
            Call(
                action_id=one.action_id,
                point=passed[-1].name,
                due=one.due,
                person=one.person,
                roles=tuple(roles),
                coming=next(point.at for point in one.points if point.at > now),
            )
        )
    return tuple(found)


def next_look(state: ReviewState, actions: Iterable[ActionState], now: datetime) -> datetime | None:
    """When time alone makes the next message due; None when nothing waits any more."""
    moments = [point.at for one in _matters(state, actions, (), now) for point in one.points if point.at > now]
    return min(moments, default=None)


def over(state: ReviewState, actions: Iterable[ActionState]) -> bool:
    """Whether the review is signed or waived, and every action verified or dropped."""
    return state.closed is not None and not any(one.open for one in actions)


def _matters(
    state: ReviewState, actions: Iterable[ActionState], signers: tuple[str, ...], now: datetime
) -> Iterator[_Matter]:
    owner, due = state.drafted.owner, state.drafted.due
    if state.closed is None:
        meeting = state.drafted.meeting_at
        first = [_Point(MEETING, meeting, 0)] if meeting and meeting < due else []
        ladder = ((owner,), signers, (EXECUTIVE,))
        yield _Matter(None, due, [*first, *_delays(due, now)], state.called, ladder, None)
    for one in actions:
        if one.open:
            first = [_Point(SOON, one.due - AHEAD, 0)] if one.due - AHEAD > one.opened_at else []
            points = [*first, *_delays(one.due, now)]
            yield _Matter(one.action_id, one.due, points, one.escalated, ((), (owner,), (EXECUTIVE,)), one.owner)


def _delays(due: datetime, now: datetime) -> list[_Point]:
    """Points from the due time on, with the first one after now."""
    found = [_Point(f"{delay.days}d", due + delay, rung) for rung, delay in enumerate(LATER)]
    while found[-1].at <= now:
        at = found[-1].at + AGAIN_EVERY
        found.append(_Point(f"{(at - due).days}d", at, len(LATER) - 1))
    return found
