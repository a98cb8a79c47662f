"""HAProxy as a Target: the weights of two servers of one backend, by the runtime socket (targets.md §6.4).

HAProxy has no place for a key or a fence. What protects instead: every write is absolute, the weights are compared
with the ones of the Plan right before it, and no write starts late (TGT-4). A window between both remains.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from activities.ports import TargetRejected, TargetUnavailable
from adapters.haproxy_socket import RuntimeSocket
from adapters.target_counts import Counts, SinceFirstLook
from adapters.target_http import Keep, Lost, kept_as
from adapters.target_settings import HaproxyMember
from adapters.target_weights import not_restorable, split_of
from adapters.target_writes import Answer, Change, checked, set_split
from countermand.canonical import digest
from countermand.detection.models import Arm
from countermand.plan.target import Capabilities, Member, Observation, Preflight, SetOutcome, Split, TargetState

# A weight is at most 256; out of 200, every multiple of 0.5 % is a whole weight.
_WEIGHTS = 200
_TOO_HEAVY = "Absolute weight can only be between 0 and 256 inclusive."
_REFUSALS = (
    "No such server.",
    "No such backend.",
    "Permission denied",
    "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.",
    _TOO_HEAVY,
)
# All backends with their servers: by name, a frontend that is called the same would be shown instead.
_LOOK = "show stat -1 6 -1"
# These pick a server for each request by itself; with every other one, requests are not users.
_PER_REQUEST = ("roundrobin", "random")


class _Seen(NamedTuple):
    """One answer to `show stat`: both servers, the backend, and the weights that are in force."""

    rows: dict[Arm, dict[str, str]]
    backend: dict[str, str]
    weights: dict[Arm, int]
    sha256: str


class HaproxyTarget:
    """One HAProxy. `members` are backends by the name that playbooks use; `keep` stores raw answers by content."""

    capabilities = Capabilities(
        kind="split",
        granularity_bp=50,
        compare_and_swap="content",
        durable=False,
        stores_fence=False,
        observes="counters",
        dry_run="client",
    )

    def __init__(
        self, read_socket: Path, write_socket: Path, members: Mapping[str, HaproxyMember], keep: Keep | None = None
    ) -> None:
        self._read = RuntimeSocket(read_socket, keep)
        self._write = RuntimeSocket(write_socket, keep)
        self._members = members
        self._counting = SinceFirstLook()

    def __repr__(self) -> str:
        return f"HaproxyTarget({str(self._write.path)!r})"

    async def close(self) -> None:
        """Nothing stays open between calls."""

    async def read(self, member: Member) -> TargetState:
        """The weights in force, as shares. Raises TargetUnavailable, TargetRejected."""
        return _state(member, await self._look(member))

    async def preflight(self, member: Member, desired: Split) -> Preflight:
        """Is the destination's server up by its own check, may the weights be written, can they be restored?

        HAProxy knows no digests: `destination_digest` is None. Changes nothing. Raises TargetUnavailable.
        """
        wanted = checked(desired, self.capabilities)
        try:
            seen = await self._look(member)
            state = _state(member, seen)
        except TargetRejected as refused:
            return Preflight(ready=False, problems=(str(refused),), destination_digest=None, write_permitted=False)
        arm = Arm.baseline if wanted.baseline_bp >= state.split.baseline_bp else Arm.candidate
        status = seen.rows[arm]["status"]
        problems = []
        if status != "UP":
            problems.append(f"the {arm} server is not healthy: HAProxy says {status!r}, 'UP' is needed")
        weights = seen.weights
        problems += not_restorable(weights[Arm.candidate], weights[Arm.baseline], self.capabilities.granularity_bp)
        permitted = True
        try:
            await self.rehearse(Change(member, wanted, f"preflight/{state.revision}", state.fence, state))
        except TargetRejected as refused:
            permitted = False
            problems.append(str(refused))
        return Preflight(
            ready=not problems, problems=tuple(problems), destination_digest=None, write_permitted=permitted
        )

    async def set(
        self,
        member: Member,
        desired: Split,
        *,
        idempotency_key: str,
        fence: int,
        expected_revision: str | None,
        dry_run: bool = False,
    ) -> SetOutcome:
        """Set the split absolutely (TGT-1, TGT-2). Raises TargetUnavailable, TargetRejected, TargetAmbiguous."""
        return await set_split(
            self,
            member,
            desired,
            idempotency_key=idempotency_key,
            fence=fence,
            expected_revision=expected_revision,
            dry_run=dry_run,
        )

    async def observe(self, member: Member) -> Observation:
        """Requests per server since this revision was first looked at. Raises TargetUnavailable, TargetRejected."""
        seen = await self._look(member)
        revision = _state(member, seen).revision
        unknown = None
        algorithm, cookie = seen.backend.get("algo", ""), seen.backend.get("cookie", "")
        if algorithm not in _PER_REQUEST or cookie:
            how = f"algorithm {algorithm!r}, cookie {cookie!r}"
            unknown = f"HAProxy counts requests and does not route each for itself ({how}), so users are unknown."
        now = Counts(
            candidate=_number(seen, seen.rows[Arm.candidate], "req_tot"),
            baseline=_number(seen, seen.rows[Arm.baseline], "req_tot"),
            requests=_number(seen, seen.backend, "req_tot"),
            errors=_number(seen, seen.backend, "hrsp_5xx"),
        )
        grown = self._counting.growth(member.name, revision, now)
        return Observation(
            revision=revision,
            candidate_users=grown.candidate,
            baseline_users=grown.baseline,
            requests=grown.requests,
            errors=grown.errors,
            at=datetime.now(UTC),
            counts="requests",
            unknown=unknown,
        )

    async def rehearse(self, change: Change) -> Answer:
        """Ask for weights that HAProxy refuses, but only of those who may set weights at all (TGT-16)."""
        try:
            reply, sha256 = await self._command(change.member, {Arm.baseline: 257, Arm.candidate: 257})
        except Lost as lost:
            raise TargetUnavailable(str(lost)) from None
        if reply == f"{_TOO_HEAVY}\n\n" * 2:
            return Answer.applied
        raise _refusal(reply, sha256) or TargetUnavailable(
            f"HAProxy's answer, {kept_as(sha256)}, is not the one expected"
        )

    async def write(self, change: Change) -> Answer:
        """Both weights in one line, the growing one first. Raises Lost, TargetUnavailable, TargetRejected."""
        self._counting.forget(change.member.name)
        candidate = change.wanted.candidate_bp // self.capabilities.granularity_bp
        weights = {Arm.baseline: _WEIGHTS - candidate, Arm.candidate: candidate}
        growing = Arm.candidate if change.wanted.candidate_bp > change.before.split.candidate_bp else Arm.baseline
        ordered = dict(sorted(weights.items(), key=lambda item: item[0] is not growing))
        reply, sha256 = await self._command(change.member, ordered)
        if reply == "\n\n":
            return Answer.applied
        raise _refusal(reply, sha256) or Lost(f"HAProxy's answer, {kept_as(sha256)}, is not the one expected")

    async def _command(self, member: Member, weights: dict[Arm, int]) -> tuple[str, str]:
        place = self._place(member)
        line = ";".join(f"set server {place.backend}/{place.of(arm)} weight {n}" for arm, n in weights.items())
        return await self._write.ask(line)

    async def _look(self, member: Member) -> _Seen:
        place = self._place(member)
        try:
            text, sha256 = await self._read.ask(_LOOK)
        except Lost as lost:
            raise TargetUnavailable(str(lost)) from None
        if not text.endswith("\n\n"):
            raise TargetUnavailable(f"HAProxy's answer, {kept_as(sha256)}, is not whole")
        table = csv.DictReader(text.removeprefix("# ").splitlines())
        rows = {row["svname"]: row for row in table if row.get("pxname") == place.backend}
        if not rows:
            raise TargetRejected(f"HAProxy has no backend {place.backend!r}, or does not show it ({kept_as(sha256)})")
        try:
            backend, arms = rows.pop("BACKEND"), {arm: rows.pop(place.of(arm)) for arm in (Arm.candidate, Arm.baseline)}
            seen = _Seen(arms, backend, {arm: _weight(row) for arm, row in arms.items()}, sha256)
            others = sorted(name for name, row in rows.items() if _weight(row))
        except (KeyError, TypeError, ValueError):
            wanted = f"{place.candidate!r} and {place.baseline!r}"
            raise TargetRejected(
                f"backend {place.backend!r}, {kept_as(sha256)}, does not show servers {wanted}"
            ) from None
        if others:
            raise TargetRejected(
                f"backend {place.backend!r} also serves by {others}; only the two arms may have a weight"
            )
        return seen

    def _place(self, member: Member) -> HaproxyMember:
        if member.name not in self._members:
            raise TargetRejected(f"no member {member.name!r} is configured; configured are: {sorted(self._members)}")
        return self._members[member.name]


def _weight(row: dict[str, str]) -> int:
    """The weight in force: a server that an operator took out gets nothing whatever its weight says."""
    return 0 if row["status"].startswith(("MAINT", "DRAIN")) else int(row["weight"])


def _state(member: Member, seen: _Seen) -> TargetState:
    raw = {arm.value: int(row["weight"]) for arm, row in seen.rows.items()}
    revision = digest({"in_force": {arm.value: weight for arm, weight in seen.weights.items()}, "weights": raw})
    try:
        split = split_of(seen.weights[Arm.candidate], seen.weights[Arm.baseline])
    except TargetRejected as refused:
        raise TargetRejected(f"{member.name!r}: {refused}") from None
    return TargetState(
        split=split,
        revision=f"content:{revision}",
        idempotency_key=None,
        fence=0,
        read_at=datetime.now(UTC),
        raw_sha256=seen.sha256,
    )


def _number(seen: _Seen, row: dict[str, str], column: str) -> int:
    if not row.get(column, "").isdecimal():
        raise TargetUnavailable(f"HAProxy's answer, {kept_as(seen.sha256)}, has no number in {column!r}")
    return int(row[column])


def _refusal(reply: str, sha256: str) -> TargetRejected | None:
    """Both commands refused for one known reason: then nothing happened. Anything else is not known."""
    for reason in _REFUSALS:
        if reply == f"{reason}\n\n" * 2:
            return TargetRejected(f"HAProxy refused it: {reason!r} (answer {kept_as(sha256)})", sha256)
    return None
