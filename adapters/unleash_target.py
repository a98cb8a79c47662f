"""Unleash as a Target: the rollout of one flag in one environment (targets.md §6.6).

What is read is what the client interface gives to services. Writes go to the admin interface, as a patch on the
condition that the parameters are still the ones seen; Unleash checks that right before it writes, and a window remains.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from activities.ports import TargetRejected, TargetUnavailable
from adapters.target_file import token_in
from adapters.target_health import health_problems
from adapters.target_http import Keep, Lost, Raw, TargetHttp, kept_as
from adapters.target_settings import UnleashMember
from adapters.target_writes import Answer, Change, checked, set_split
from adapters.unleash_flag import FLAG, Flag, flag_in
from countermand.detection.models import Arm
from countermand.plan.target import Capabilities, Member, Observation, Preflight, SetOutcome, Split, TargetState

# How Unleash says, with status 500, that the condition of a patch does not hold: then nothing was changed.
_CONDITION_FAILED = "Test operation failed\nname: TEST_OPERATION_FAILED\n"
_NEVER: list[dict[str, object]] = [{"op": "test", "path": "/parameters/rollout", "value": "never"}]


class _Failure(BaseModel):
    message: str


class UnleashTarget:
    """One Unleash server. `members` are flags by the name that playbooks use; `keep` stores raw answers by content."""

    capabilities = Capabilities(
        kind="split",
        granularity_bp=100,
        compare_and_swap="content",
        durable=True,
        stores_fence=True,
        observes="none",
        dry_run="client",
    )

    def __init__(
        self,
        url: str,
        read_token_file: Path,
        write_token_file: Path,
        members: Mapping[str, UnleashMember],
        transport: httpx.AsyncBaseTransport | None = None,
        keep: Keep | None = None,
    ) -> None:
        self._http = TargetHttp(url, transport, keep)
        self._arms = TargetHttp("", None, keep)
        self._read_token_file = read_token_file
        self._write_token_file = write_token_file
        self._members = members

    def __repr__(self) -> str:
        return f"UnleashTarget({self._http.base_url!r})"

    async def close(self) -> None:
        """Close the connections; the target cannot be used afterwards."""
        await self._http.close()
        await self._arms.close()

    async def read(self, member: Member) -> TargetState:
        """What services get. Raises TargetUnavailable, TargetRejected."""
        raw, flag = await self._look(member)
        return TargetState(
            split=flag.split,
            revision=flag.revision,
            idempotency_key=flag.key,
            fence=flag.fence,
            read_at=datetime.now(UTC),
            raw_sha256=raw.sha256,
        )

    async def preflight(self, member: Member, desired: Split) -> Preflight:
        """Is the destination healthy by its own endpoint, may the rollout be written?

        Unleash knows no digests: `destination_digest` is None. Changes nothing. Raises TargetUnavailable.
        """
        wanted = checked(desired, self.capabilities)
        try:
            state = await self.read(member)
        except TargetRejected as refused:
            return Preflight(ready=False, problems=(str(refused),), destination_digest=None, write_permitted=False)
        arm = Arm.baseline if wanted.baseline_bp >= state.split.baseline_bp else Arm.candidate
        problems = await health_problems(self._arms, self._place(member), arm)
        permitted = True
        try:
            change = Change(member, wanted, f"preflight/{state.revision}", state.fence, state)
            if await self.rehearse(change) is Answer.moved:
                problems.append(f"what services get is not what is set in {self._place(member).environment!r}")
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
        """Nothing is known, and that is said. Raises TargetUnavailable, TargetRejected."""
        state = await self.read(member)
        return Observation(
            revision=state.revision,
            candidate_users=0,
            baseline_users=0,
            requests=0,
            errors=0,
            at=datetime.now(UTC),
            unknown="Unleash counts evaluations by the hour, as services report them later: "
            "those from before a change cannot be told from those after it.",
        )

    async def rehearse(self, change: Change) -> Answer:
        """A patch on a condition that never holds, which only those get to who may write (TGT-16).

        Raises TargetUnavailable, TargetRejected.
        """
        try:
            flag = await self._deciding(change)
            if flag is None:
                return Answer.moved
            if await self._patch(change.member, flag, _NEVER) is Answer.applied:
                raise TargetRejected("Unleash takes no notice of the conditions of a patch; writes cannot be compared")
        except Lost as lost:
            raise TargetUnavailable(str(lost)) from None
        return Answer.applied

    async def write(self, change: Change) -> Answer:
        """One patch. Raises Lost, TargetUnavailable, TargetRejected."""
        flag = await self._deciding(change)
        if flag is None:
            return Answer.moved
        rollout = change.wanted.candidate_bp // self.capabilities.granularity_bp
        return await self._patch(change.member, flag, flag.edits(change.key, change.fence, rollout))

    async def _deciding(self, change: Change) -> Flag | None:
        """What is set now, with the id of its strategy; None when that is not what services got before.

        Raises TargetRejected for a flag that is switched off: a rollout would change nothing.
        """
        _, body = await self._http.get(self._admin(change.member), token_in(self._write_token_file), FLAG)
        flag = flag_in(body, self._place(change.member))
        if flag.revision != change.before.revision:
            return None
        if not flag.enabled and change.wanted.candidate_bp:
            place = self._place(change.member)
            raise TargetRejected(f"flag {place.flag!r} is switched off in {place.environment!r}; switch it on first")
        return flag

    async def _patch(self, member: Member, flag: Flag, edits: list[dict[str, object]]) -> Answer:
        path = f"{self._admin(member)}/strategies/{quote(flag.strategy_id, safe='')}"
        raw = await self._http.send("PATCH", path, token_in(self._write_token_file), json=edits, expected=(500,))
        if raw.status != 500:
            return Answer.applied
        try:
            said = _Failure.model_validate_json(raw.body).message
        except ValidationError:
            said = ""
        if not said.startswith(_CONDITION_FAILED):
            raise Lost(f"PATCH {path} was answered 500, {kept_as(raw.sha256)}")
        return Answer.moved

    async def _look(self, member: Member) -> tuple[Raw, Flag]:
        place = self._place(member)
        raw, body = await self._http.get(f"/api/client/features/{place.flag}", token_in(self._read_token_file), FLAG)
        return raw, flag_in(body, place)

    def _admin(self, member: Member) -> str:
        place = self._place(member)
        return f"/api/admin/projects/{place.project}/features/{place.flag}/environments/{place.environment}"

    def _place(self, member: Member) -> UnleashMember:
        if member.name not in self._members:
            raise TargetRejected(f"no member {member.name!r} is configured; configured are: {sorted(self._members)}")
        return self._members[member.name]
