"""What is the same for every Target: the sequence of a `set`, the read-back, and what is reported (TGT-1 to TGT-4)."""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from time import monotonic
from typing import Literal, NamedTuple, Protocol

from pydantic import ValidationError

from activities.ports import TargetAmbiguous, TargetRejected, TargetUnavailable
from adapters.target_http import Lost
from countermand.plan.target import Capabilities, Member, SetOutcome, Split, TargetState

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


class Writable(Protocol):
    """What an adapter offers so that `set_split` can do the rest."""

    capabilities: Capabilities

    async def read(self, member: Member) -> TargetState: ...

    async def rehearse(self, change: Change) -> Answer:
        """Find out whether the change would be taken, and change nothing. Raises TargetUnavailable, TargetRejected."""
        ...

    async def write(self, change: Change) -> Answer:
        """Send the change once. Raises Lost when its effect is not known, TargetUnavailable when nothing was sent,
        TargetRejected when it was refused."""
        ...


async def set_split(
    target: Writable,
    member: Member,
    desired: Split,
    *,
    idempotency_key: str,
    fence: int,
    expected_revision: str | None,
    dry_run: bool,
) -> SetOutcome:
    """Validate, read, compare, write, read back (TGT-2); `expected_revision` None takes the revision read first.

    A dry run that finds the change good is `applied`, with `dry_run` set and nothing changed.
    Raises TargetUnavailable, TargetRejected, TargetAmbiguous.
    """
    called = monotonic()
    wanted = checked(desired, target.capabilities)
    before = await target.read(member)
    change = Change(member, wanted, idempotency_key, fence, before)
    adapter_side: Literal["client"] | None = "client" if dry_run else None
    if before.split == wanted:
        return outcome("already", change, before, dry_run=adapter_side)
    if fence < before.fence:
        raise TargetRejected(f"fence {fence} for {member.name!r} is lower than {before.fence} at the target")
    if expected_revision not in (None, before.revision):
        return outcome("conflict", change, before, dry_run=adapter_side)
    if dry_run:
        answer = await target.rehearse(change)
        after = await target.read(member)
        unchanged = answer is Answer.applied and after.revision == before.revision
        result: Literal["applied", "conflict"] = "applied" if unchanged else "conflict"
        return outcome(result, change, after, dry_run=target.capabilities.dry_run)
    return await _write_and_read_back(target, change, called)


def checked(desired: Split, capabilities: Capabilities) -> Split:
    """The split, validated again, because `model_copy(update=…)` does not validate (TGT-7).

    Raises TargetRejected, also for a share that is finer than the target can express.
    """
    try:
        wanted = Split.model_validate(desired.model_dump())
    except ValidationError:
        raise TargetRejected(
            f"{desired!r}: two shares of 0…10,000 basis points that add up to 10,000 are accepted"
        ) from None
    if wanted.candidate_bp % capabilities.granularity_bp:
        raise TargetRejected(
            f"{wanted.candidate_bp!r} basis points cannot be expressed; "
            f"multiples of {capabilities.granularity_bp} are accepted"
        )
    return wanted


async def _write_and_read_back(target: Writable, change: Change, called: float) -> SetOutcome:
    """Write once, or once more when the first write got no answer and shows no effect (targets.md §4)."""
    name = change.member.name
    for _ in range(2):
        if monotonic() - called > _WRITES_START_WITHIN:
            break
        try:
            answer = await target.write(change)
        except Lost:
            answer = None
        after = await _read_back(target, change, new_revision_due=answer in (None, Answer.applied))
        resolved_by: Literal["response", "read_back"] = "read_back" if answer is None else "response"
        if after.split == change.wanted:
            ours = after.idempotency_key == change.key or not target.capabilities.stores_fence
            done = ours and answer is not Answer.already
            return outcome("applied" if done else "already", change, after, resolved_by=resolved_by)
        if after.revision != change.before.revision or answer in (Answer.already, Answer.moved):
            return outcome("conflict", change, after, resolved_by=resolved_by)
        if answer is Answer.applied:
            raise TargetAmbiguous(f"{name!r}: the write was confirmed and cannot be read back")
    raise TargetUnavailable(f"{name!r}: writes are not answered and the split is as it was")


async def _read_back(target: Writable, change: Change, *, new_revision_due: bool) -> TargetState:
    """The state after a write; waits a little for a new revision where one is due."""
    started = monotonic()
    seen = None
    for pause in _READ_BACK_PAUSES:
        await asyncio.sleep(pause)
        if monotonic() - started > _READ_BACKS_START_WITHIN:
            break
        try:
            seen = await target.read(change.member)
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
    """The outcome, with who is behind the state after it: as far as the key there tells, or the answer to our write."""
    by: Literal["our_key", "external", "unknown"] = "external"
    if after.idempotency_key == change.key or (result == "applied" and resolved_by == "response"):
        by = "our_key"
    elif after.idempotency_key is None:
        by = "unknown"
    return SetOutcome(result=result, by=by, before=change.before, after=after, resolved_by=resolved_by, dry_run=dry_run)
