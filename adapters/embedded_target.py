"""The embedded Target: a split behind a control interface with generations, keys and fences.

The reference implementation of the port (targets.md §3, §4, §6.1).
"""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from activities.ports import TargetRejected, TargetUnavailable
from adapters.target_http import Keep, Lost, TargetHttp, kept_as
from adapters.target_writes import Answer, Change, checked, set_split
from countermand.detection.models import Arm
from countermand.evidence.reconciliation import Change as Logged
from countermand.plan.target import (
    Capabilities,
    LeaseState,
    Member,
    Observation,
    Preflight,
    SetOutcome,
    Split,
    TargetState,
)


class _SplitBody(BaseModel):
    generation: int
    candidate_bp: int
    baseline_bp: int
    idempotency_key: str | None
    fence: int


class _WriteBody(BaseModel):
    already: bool


class _ArmBody(BaseModel):
    digest: str
    healthy: bool


class _ObservedBody(BaseModel):
    generation: int
    candidate_users: int
    baseline_users: int
    requests: int
    errors: int
    at: datetime


class _PastBody(_SplitBody):
    changed_at: datetime


class _LeaseBody(BaseModel):
    lease_id: str
    cap_bp: int
    returns_to_bp: int
    expires_at: datetime


_SPLIT = TypeAdapter(_SplitBody)
_ARMS = TypeAdapter(dict[Arm, _ArmBody])
_OBSERVED = TypeAdapter(_ObservedBody)
_HISTORY = TypeAdapter(list[_PastBody])


class EmbeddedTarget:
    """The demo service, or anything else that speaks its control interface.

    `keep` stores raw answers by content (`Ledger.put_blob`); `TargetState.raw_sha256` names them.
    """

    capabilities = Capabilities(
        kind="split",
        granularity_bp=1,
        compare_and_swap="native",
        durable=True,
        stores_fence=True,
        observes="counters",
        dry_run="server",
        leases=True,
    )

    def __init__(
        self,
        base_url: str,
        read_token: str,
        write_token: str,
        transport: httpx.AsyncBaseTransport | None = None,
        keep: Keep | None = None,
    ) -> None:
        self._http = TargetHttp(base_url, transport, keep)
        self._read_token = read_token
        self._write_token = write_token

    def __repr__(self) -> str:
        return f"EmbeddedTarget({self._http.base_url!r})"

    async def close(self) -> None:
        """Close the connections; the target cannot be used afterwards."""
        await self._http.close()

    async def read(self, member: Member) -> TargetState:
        """The stored split. Raises TargetUnavailable, TargetRejected."""
        raw, body = await self._http.get(_path(member), self._read_token, _SPLIT)
        try:
            split = Split(candidate_bp=body.candidate_bp, baseline_bp=body.baseline_bp)
        except ValidationError:
            raise TargetUnavailable(
                f"{member.name!r}: the shares in its answer, {kept_as(raw.sha256)}, are no split"
            ) from None
        return TargetState(
            split=split,
            revision=str(body.generation),
            idempotency_key=body.idempotency_key,
            fence=body.fence,
            read_at=datetime.now(UTC),
            raw_sha256=raw.sha256,
        )

    async def preflight(self, member: Member, desired: Split) -> Preflight:
        """May and can the arm whose share does not shrink take the traffic (TGT-15, TGT-16)? Changes nothing.

        Raises TargetUnavailable when that cannot be found out now.
        """
        wanted = checked(desired, self.capabilities)
        try:
            state = await self.read(member)
            _, arms = await self._http.get("/control/arms", self._read_token, _ARMS)
        except TargetRejected as refused:
            return Preflight(ready=False, problems=(str(refused),), destination_digest=None, write_permitted=False)
        back = wanted.baseline_bp >= state.split.baseline_bp
        arm = Arm.baseline if back else Arm.candidate
        destination = arms.get(arm)
        problems = _problems(arm, destination, member.baseline_digest if back else member.candidate_digest)
        permitted = True
        rehearsal = Change(member, wanted, f"preflight/{state.revision}", state.fence, state)
        try:
            if await self.rehearse(rehearsal) is Answer.moved:
                problems.append(f"someone changed {member.name!r} while it was being checked")
        except TargetRejected as refused:
            permitted = False
            problems.append(str(refused))
        return Preflight(
            ready=not problems,
            problems=tuple(problems),
            destination_digest=destination.digest if destination else None,
            write_permitted=permitted,
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
        """Users per arm since the revision took effect. Raises TargetUnavailable, TargetRejected."""
        _, body = await self._http.get(f"{_path(member)}/observed", self._read_token, _OBSERVED)
        return Observation(revision=str(body.generation), **body.model_dump(exclude={"generation"}))

    async def changes(self, member: Member, since: datetime) -> list[Logged]:
        """Its append-only history from `since` on, without the generation it was created with.

        Raises TargetUnavailable, TargetRejected.
        """
        _, history = await self._http.get(f"{_path(member)}/history", self._read_token, _HISTORY)
        return [
            Logged(
                at=past.changed_at,
                candidate_bp=past.candidate_bp,
                revision=str(past.generation),
                key=past.idempotency_key,
            )
            for past in history
            if past.generation > 1 and past.changed_at >= since
        ]

    async def lease(self, member: Member, *, lease_id: str, cap_bp: int, seconds: float) -> LeaseState:
        """Begin or renew; safe to send again, so that no answer means try again.

        Raises TargetUnavailable, TargetRejected.
        """
        wanted: dict[str, object] = {"lease_id": lease_id, "cap_bp": cap_bp, "seconds": seconds}
        try:
            raw = await self._http.send("PUT", f"{_path(member)}/lease", self._write_token, json=wanted)
            body = _LeaseBody.model_validate_json(raw.body)
        except (Lost, ValidationError) as error:
            raise TargetUnavailable(
                f"lease {lease_id!r}: {type(error).__name__}, whether it is on is not known"
            ) from None
        return LeaseState(
            lease_id=body.lease_id,
            cap_bp=body.cap_bp,
            returns_to=Split.candidate(body.returns_to_bp),
            expires_at=body.expires_at,
        )

    async def release(self, member: Member, lease_id: str) -> None:
        """End the lease. Raises TargetUnavailable, TargetRejected."""
        try:
            await self._http.send(
                "DELETE", f"{_path(member)}/lease?lease_id={quote(lease_id, safe='')}", self._write_token
            )
        except Lost as lost:
            raise TargetUnavailable(str(lost)) from None

    async def rehearse(self, change: Change) -> Answer:
        """A dry run at the target; having no answer to it does no harm. Raises TargetUnavailable, TargetRejected."""
        try:
            return await self._put(change, f"{_path(change.member)}?dry_run=true")
        except Lost as lost:
            raise TargetUnavailable(str(lost)) from None

    async def write(self, change: Change) -> Answer:
        """One write. Raises Lost, TargetUnavailable, TargetRejected."""
        return await self._put(change, _path(change.member))

    async def _put(self, change: Change, path: str) -> Answer:
        raw = await self._http.send(
            "PUT",
            path,
            self._write_token,
            headers={"If-Match": f'"{change.before.revision}"'},
            json={
                "candidate_bp": change.wanted.candidate_bp,
                "baseline_bp": change.wanted.baseline_bp,
                "idempotency_key": change.key,
                "fence": change.fence,
            },
            expected=(412,),
        )
        if raw.status == 412:
            return Answer.moved
        try:
            return Answer.already if _WriteBody.model_validate_json(raw.body).already else Answer.applied
        except ValidationError:
            raise Lost(f"the target's answer to PUT {path}, {kept_as(raw.sha256)}, is not the one expected") from None


def _path(member: Member) -> str:
    return f"/control/splits/{quote(member.name, safe='')}"


def _problems(arm: Arm, found: _ArmBody | None, expected_digest: str) -> list[str]:
    if found is None:
        return [f"the target has no {arm} arm"]
    problems = []
    if not found.healthy:
        problems.append(f"the {arm} arm is not healthy")
    if found.digest != expected_digest:
        problems.append(f"the {arm} arm serves {found.digest}, not {expected_digest}")
    return problems
