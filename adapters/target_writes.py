"""What is the same for every Target after a write was sent: read back, resolve what is not known, report."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from time import monotonic
from typing import Literal, NamedTuple

from activities.ports import TargetAmbiguous, TargetRejected, TargetUnavailable
from adapters.target_http import Lost
from countermand.plan.target import Member, SetOutcome, Split, TargetState

# No write starts later than this after `set` was called (TGT-4); with calls of at most 10 s, `set` returns
# within 50 s: give the activity at least a minute from start to close.
_WRITES_START_WITHIN = 20.0
_READ_BACKS_START_WITHIN = 10.0
_READ_BACK_PAUSES = (0.0, 0.1, 0.3, 1.0)


class Answer(Enum):
    """What a target says to a write: done now, done before under this key, or refused as stale."""

    applied = auto()
    already = auto()
    moved = auto()


class Change(NamedTuple):
    """One absolute change and the state it starts from."""

    member: Member
    wanted: Split
    key: str
    fence: int
    before: TargetState


async def write_and_read_back(
    change: Change,
    *,
    write: Callable[[], Awaitable[Answer]],
    read: Callable[[], Awaitable[TargetState]],
    called: float,
) -> SetOutcome:
    """Write once, or once more when the first write got no answer and shows no effect (targets.md §4).

    `write` raises Lost when its effect is not known; `called` is the monotonic time at which `set` began.
    Raises TargetUnavailable, TargetRejected, TargetAmbiguous.
    """
    name = change.member.name
    for _ in range(2):
        if monotonic() - called > _WRITES_START_WITHIN:
            break
        try:
            answer = await write()
        except Lost:
            answer = None
        after = await _read_back(change, read, new_revision_due=answer in (None, Answer.applied))
        resolved_by: Literal["response", "read_back"] = "read_back" if answer is None else "response"
        if after.split == change.wanted:
            now = after.idempotency_key == change.key and answer is not Answer.already
            return outcome("applied" if now else "already", change, after, resolved_by=resolved_by)
        if after.revision != change.before.revision or answer in (Answer.already, Answer.moved):
            return outcome("conflict", change, after, resolved_by=resolved_by)
        if answer is Answer.applied:
            raise TargetAmbiguous(f"{name!r}: the write was confirmed and cannot be read back")
    raise TargetUnavailable(f"{name!r}: writes are not answered and the split is as it was")


async def _read_back(
    change: Change, read: Callable[[], Awaitable[TargetState]], *, new_revision_due: bool
) -> TargetState:
    """The state after a write; waits a little for a new revision where one is due."""
    started = monotonic()
    seen = None
    for pause in _READ_BACK_PAUSES:
        await asyncio.sleep(pause)
        if monotonic() - started > _READ_BACKS_START_WITHIN:
            break
        try:
            seen = await read()
        except (TargetUnavailable, TargetRejected):
            continue
        if seen.revision != change.before.revision or not new_revision_due:
            return seen
    if seen is None:
        raise TargetAmbiguous(f"{change.member.name!r}: a write was sent and the split cannot be read")
    return seen


def outcome(
    result: Literal["applied", "already", "conflict"],
    change: Change,
    after: TargetState,
    *,
    resolved_by: Literal["response", "read_back"] = "response",
    dry_run: Literal["server", "client"] | None = None,
) -> SetOutcome:
    """The outcome, with who is behind the state after it as far as the key there tells."""
    by: Literal["our_key", "external", "unknown"] = "external"
    if result == "applied" or after.idempotency_key == change.key:
        by = "our_key"
    elif after.idempotency_key is None:
        by = "unknown"
    return SetOutcome(result=result, by=by, before=change.before, after=after, resolved_by=resolved_by, dry_run=dry_run)
