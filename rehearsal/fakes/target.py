"""A release-control system in memory that misbehaves as its scenario says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from activities.fence import REHEARSAL, Rehearsal
from activities.ports import TargetAmbiguous, TargetRejected, TargetUnavailable
from countermand.canonical import digest
from countermand.evidence.reconciliation import Change
from countermand.plan.target import Capabilities, Member, Observation, Preflight, SetOutcome, Split, TargetState
from countermand.rehearsal.world import TargetFault

_USERS = 50_000
_STALE_READS = 3


@dataclass(frozen=True)
class Effect:
    """What the target really did; nobody else writes this list."""

    at: datetime
    member: str
    candidate_bp: int
    result: str


@dataclass
class Health:
    """What the checks of a target find: of the destination, of what it serves, of requests."""

    destination: bool = True
    digest: bool = True
    requests: bool = True


@dataclass
class _Held:
    """One member: who gets the candidate, and what the last writer left."""

    split: Split
    revision: int = 1
    key: str | None = None
    fence: int = 0
    log: list[tuple[datetime, str | None, Split, int]] = field(default_factory=list)


@dataclass
class _Fault:
    said: TargetFault
    until: datetime | None = None
    used: bool = False


class SandboxTarget:
    """Implements Target and History for every member that is asked for.

    time_scale: story seconds per real second, which the length of a fault counts in.
    """

    capabilities = Capabilities(
        kind="split",
        granularity_bp=1,
        compare_and_swap="native",
        durable=True,
        stores_fence=True,
        observes="counters",
        dry_run="server",
    )

    def __init__(
        self, share_bp: int, faults: Sequence[TargetFault], clock: Callable[[], datetime], time_scale: int = 1
    ) -> None:
        self.effects: list[Effect] = []
        self.health = Health()
        self._share = Split.candidate(share_bp)
        self._faults = [_Fault(fault) for fault in faults if fault.on != "start"]
        self._clock = clock
        self._scale = time_scale
        self._members: dict[str, _Held] = {}
        self._writes: dict[str, int] = {}
        self._stale: dict[str, tuple[int, TargetState]] = {}

    def share(self, member: str) -> int:
        """The candidate's share now, in basis points."""
        return self._held(member).split.candidate_bp

    def edit(self, member: str, candidate_bp: int) -> None:
        """Somebody else moves users."""
        self._write(member, Split.candidate(candidate_bp), None, "external")

    async def read(self, member: Member) -> TargetState:
        self._unless_dark("read")
        left, stale = self._stale.get(member.name, (0, None))
        if left and stale is not None:
            self._stale[member.name] = (left - 1, stale)
            return stale
        return self._state(member.name)

    async def preflight(self, member: Member, desired: Split) -> Preflight:
        self._unless_dark("read")
        problems = () if self.health.destination else ("the destination does not answer its health check",)
        served = member.candidate_digest if desired.candidate_bp else member.baseline_digest
        return Preflight(
            ready=not problems,
            problems=problems,
            destination_digest=served if self.health.digest else digest({"served": "something else"}),
            write_permitted=True,
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
        name = member.name
        held, before = self._held(name), self._state(name)
        if before.split == desired:
            by = "our_key" if held.key == idempotency_key else "external"
            return SetOutcome(result="already", by=by, before=before, after=before)
        if dry_run:
            return SetOutcome(result="applied", before=before, after=before, dry_run="server")
        fault = self._next(f"stage_{self._writes.setdefault(idempotency_key, len(self._writes) + 1)}", "any_set")
        if fence < held.fence:
            raise TargetRejected(f"fence {fence} is older than {held.fence}: somebody newer is in charge")
        if fault is not None and fault.do == "external_edit":
            self.edit(name, fault.candidate or 0)
            before = self._state(name)
        if expected_revision is not None and expected_revision != before.revision:
            return SetOutcome(result="conflict", before=before, after=before)
        return self._applied(name, desired, idempotency_key, fence, before, fault)

    def _applied(
        self, name: str, desired: Split, key: str, fence: int, before: TargetState, fault: TargetFault | None
    ) -> SetOutcome:
        match fault.do if fault else "":
            case "unreachable":
                raise TargetUnavailable("connection refused")
            case "reject":
                raise TargetRejected("403: this token may not change this split")
            case "partial":
                self._write(name, Split.candidate((fault.candidate if fault else 0) or 0), key, "ambiguous", fence)
                raise TargetAmbiguous("some of its places follow and others do not; it cannot say who is served what")
            case "stale_read":
                self._stale[name] = (_STALE_READS, before)
        self._write(name, desired, key, "applied", fence)
        after = self._state(name)
        if fault is not None and fault.do == "timeout_after_apply":
            return SetOutcome(result="applied", before=before, after=after, resolved_by="read_back")
        if fault is not None and fault.do == "apply_then_drop":
            self._write(name, before.split, None, "external")
        return SetOutcome(result="applied", before=before, after=after)

    async def observe(self, member: Member) -> Observation:
        held = self._held(member.name)
        candidate = _USERS * held.split.candidate_bp // 10_000
        return Observation(
            revision=str(held.revision),
            candidate_users=candidate,
            baseline_users=_USERS - candidate,
            requests=_USERS,
            errors=0 if self.health.requests else _USERS // 10,
            at=self._clock(),
        )

    async def changes(self, member: Member, since: datetime) -> list[Change]:
        return [
            Change(at=at, candidate_bp=split.candidate_bp, revision=str(revision), key=key)
            for at, key, split, revision in self._held(member.name).log
            if at >= since
        ]

    # --- what is scripted ---------------------------------------------------------------------------------------

    def _next(self, *places: str) -> TargetFault | None:
        """The fault of one of these places that is due: once, or for its length from the first time on."""
        now = self._clock()
        for one in self._faults:
            if one.said.on not in places or (one.used and (one.until is None or now >= one.until)):
                continue
            if not one.used and one.said.for_ is not None:
                one.until = now + timedelta(seconds=one.said.for_.total_seconds() / self._scale)
            one.used = True
            return one.said
        return None

    def _unless_dark(self, place: str) -> None:
        fault = self._next(place)
        if fault is not None and fault.do == "unreachable":
            raise TargetUnavailable("connection refused")

    # --- what is kept -------------------------------------------------------------------------------------------

    def _held(self, name: str) -> _Held:
        return self._members.setdefault(name, _Held(self._share))

    def _write(self, name: str, split: Split, key: str | None, result: str, fence: int | None = None) -> None:
        held, at = self._held(name), self._clock()
        held.split, held.key, held.revision = split, key, held.revision + 1
        held.fence = held.fence if fence is None else fence
        held.log.append((at, key, split, held.revision))
        self.effects.append(Effect(at, name, split.candidate_bp, result))

    def _state(self, name: str) -> TargetState:
        held = self._held(name)
        return TargetState(
            split=held.split,
            revision=str(held.revision),
            idempotency_key=held.key,
            fence=held.fence,
            read_at=self._clock(),
            raw_sha256=digest({"member": name, "revision": held.revision, "bp": held.split.candidate_bp}),
        )


class SandboxTargets:
    """Implements Targets: every name is the one fake of this rehearsal."""

    environment: Rehearsal = REHEARSAL

    def __init__(self, target: SandboxTarget) -> None:
        self._target = target

    def __call__(self, name: str) -> SandboxTarget:  # noqa: ARG002, whatever a playbook names is played here
        return self._target
