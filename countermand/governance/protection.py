"""Against rollback as an attack and against denial of rollback: limits over what happened lately (GOV-49…59).

Each rule is a function of past facts and now. Facts may come in any order; those after `now` are ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from countermand.canonical import digest
from countermand.governance.limits import Limits
from countermand.plan.target import Value
from countermand.playbook.terms import Severity
from countermand.playbook.units import format_duration, format_percent

_DAY = timedelta(days=1)


def dedupe_key(release: str, environment: str, cause: str) -> str:
    """The key of the one open incident that further signals of this cause join (GOV-49, I1)."""
    return digest({"release": release, "environment": environment, "cause": cause})


class AskSent(Value):
    """One ask put to one person; `batched` ones were only added to their list."""

    subject: str
    severity: Severity
    at: datetime
    batched: bool = False


def lane(
    sent: Sequence[AskSent], subject: str, severity: Severity, now: datetime, limits: Limits
) -> Literal["own", "now", "batch"]:
    """How an ask reaches a person (GOV-50): sev1 in its `own` lane, always; others `now`, or once the person had
    their share of the last hour, in a `batch` shown as one list. sev1 asks do not use up the share."""
    if severity is Severity.sev1:
        return "own"
    lately = [
        one
        for one in sent
        if one.subject == subject
        and one.severity is not Severity.sev1
        and not one.batched
        and now - timedelta(hours=1) < one.at <= now
    ]
    return "now" if len(lately) < limits.asks_per_hour else "batch"


def flooding(received: Sequence[datetime], now: datetime, limits: Limits) -> bool:
    """Whether one source sent more signals in the last minute than it may; it then counts as unhealthy (GOV-51)."""
    return sum(now - timedelta(minutes=1) < at <= now for at in received) > limits.signals_per_minute


def absent(last: datetime | None, interval: timedelta, now: datetime, limits: Limits) -> bool:
    """Whether a source is silent for so long that its silence is itself a signal (GOV-58)."""
    return last is None or now - last >= limits.missed_intervals * interval


class Reverted(Value):
    """A change of what a release family serves, made by a completed revert, a reversal of one or a re-release.

    The ordinary rollout of a new release is none. Bundles are digests.
    """

    family: str
    environment: str
    from_bundle: str
    to_bundle: str
    at: datetime
    automatic: bool


def cooldown_flag(moves: Sequence[Reverted], family: str, environment: str, now: datetime, limits: Limits) -> str:
    """Why an automatic revert of the family has to wait, in words; empty when it need not (GOV-53)."""
    last = max((one.at for one in _of(moves, family, environment, now)), default=None)
    if last is None or now >= last + limits.cooldown:
        return ""
    return f"the last revert was at {last:%Y-%m-%d %H:%M} UTC, less than {format_duration(limits.cooldown)} ago"


def ping_pong_flag(moves: Sequence[Reverted], family: str, environment: str, now: datetime, limits: Limits) -> str:
    """That the family went there and back, in words; empty when it did not (GOV-54)."""
    lately = [one for one in _of(moves, family, environment, now) if one.at > now - limits.ping_pong_window]
    longest = chain = 0
    before: Reverted | None = None
    for move in lately:
        back = before is not None and (move.from_bundle, move.to_bundle) == (before.to_bundle, before.from_bundle)
        chain = chain + 1 if back else 1
        longest = max(longest, chain)
        before = move
    if longest < limits.ping_pong_moves:
        return ""
    return f"{longest} moves there and back in {format_duration(limits.ping_pong_window)}; people have to decide"


def daily_stop(moves: Sequence[Reverted], environment: str, now: datetime, limits: Limits) -> str:
    """That the environment had its automatic rollbacks of the last 24 hours; empty when not (GOV-55)."""
    count = sum(one.automatic and one.environment == environment and now - _DAY < one.at <= now for one in moves)
    if count < limits.automatic_per_day:
        return ""
    return f"{count} automatic rollbacks in 24 hours, {limits.automatic_per_day} is the most"


class Attempt(Value):
    """One plan that was carried out in an incident. improved: None when it could not be told."""

    at: datetime
    improved: bool | None


def ineffective_stop(attempts: Sequence[Attempt], now: datetime, limits: Limits) -> str:
    """That the last plans of an incident helped nothing; empty when they did. Not knowing counts as no (GOV-59)."""
    count = 0
    for attempt in sorted((one for one in attempts if one.at <= now), key=lambda one: one.at, reverse=True):
        if attempt.improved is True:
            break
        count += 1
    return f"{count} plans in a row without improvement" if count >= limits.ineffective_plans else ""


def first_stage_stop(moved_bp: int, soak: timedelta, limits: Limits) -> str:
    """Why the first stage is too large or too short for an automatic revert; empty when it is not (GOV-57).

    moved_bp: basis points of all users that it moves.
    """
    if moved_bp > limits.first_stage_bp:
        return (
            f"the first stage moves {format_percent(moved_bp)} of users, "
            f"{format_percent(limits.first_stage_bp)} is the most"
        )
    if soak < limits.first_stage_soak:
        return f"the first stage soaks {format_duration(soak)}, {format_duration(limits.first_stage_soak)} is the least"
    return ""


def flags(moves: Sequence[Reverted], family: str, environment: str, now: datetime, limits: Limits) -> tuple[str, ...]:
    """Cooldown and ping-pong, for `GateFacts.flags`."""
    found = (
        cooldown_flag(moves, family, environment, now, limits),
        ping_pong_flag(moves, family, environment, now, limits),
    )
    return tuple(flag for flag in found if flag)


def _of(moves: Sequence[Reverted], family: str, environment: str, now: datetime) -> list[Reverted]:
    mine = [one for one in moves if (one.family, one.environment) == (family, environment) and one.at <= now]
    return sorted(mine, key=lambda one: one.at)
