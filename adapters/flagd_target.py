"""A flag file as a Target, as flagd and OpenFeature providers read it: one fractional rule (targets.md §6.5).

A file serves nobody and counts nobody: what traffic does stays unknown until somebody else says it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx

from activities.ports import TargetRejected
from adapters.flagd_file import Flag, flag_in
from adapters.target_file import read_file, replace_file, require_writable
from adapters.target_health import health_problems
from adapters.target_http import Keep, TargetHttp, kept
from adapters.target_settings import FlagdMember
from adapters.target_weights import not_restorable, split_of
from adapters.target_writes import Answer, Change, checked, set_split
from countermand.detection.models import Arm
from countermand.plan.target import Capabilities, Member, Observation, Preflight, SetOutcome, Split, TargetState


class FlagdTarget:
    """One file of flags. `members` are flags by the name that playbooks use; `keep` stores the file by content."""

    capabilities = Capabilities(
        kind="split",
        granularity_bp=1,
        compare_and_swap="content",
        durable=True,
        stores_fence=True,
        observes="none",
        dry_run="client",
    )

    def __init__(
        self,
        file: Path,
        members: Mapping[str, FlagdMember],
        transport: httpx.AsyncBaseTransport | None = None,
        keep: Keep | None = None,
    ) -> None:
        self._file = file
        self._members = members
        self._keep = keep
        self._http = TargetHttp("", transport, keep)

    def __repr__(self) -> str:
        return f"FlagdTarget({str(self._file)!r})"

    async def close(self) -> None:
        """Close the connections to the arms; the target cannot be used afterwards."""
        await self._http.close()

    async def read(self, member: Member) -> TargetState:
        """What the file says. Raises TargetUnavailable, TargetRejected."""
        flag, sha256 = await self._look(member)
        try:
            split = split_of(*flag.weights)
        except TargetRejected as refused:
            raise TargetRejected(f"{member.name!r}: {refused}") from None
        return TargetState(
            split=split,
            revision=flag.revision,
            idempotency_key=flag.mark.names(*flag.weights) if flag.mark else None,
            fence=flag.mark.fence if flag.mark else 0,
            read_at=datetime.now(UTC),
            raw_sha256=sha256,
        )

    async def preflight(self, member: Member, desired: Split) -> Preflight:
        """Is the destination healthy by its own endpoint, is its variant the digest, can the file be written?

        Changes nothing. Raises TargetUnavailable.
        """
        wanted = checked(desired, self.capabilities)
        try:
            state = await self.read(member)
            flag, _ = await self._look(member)
        except TargetRejected as refused:
            return Preflight(ready=False, problems=(str(refused),), destination_digest=None, write_permitted=False)
        place = self._place(member)
        back = wanted.baseline_bp >= state.split.baseline_bp
        arm, expected = (Arm.baseline, member.baseline_digest) if back else (Arm.candidate, member.candidate_digest)
        found = flag.digest_of(place, arm)
        problems = await health_problems(self._http, place, arm)
        if found is not None and found != expected:
            problems.append(f"the {arm} variant is {found}, not {expected}")
        if flag.entry.get("defaultVariant") == place.candidate:
            problems.append(f"`defaultVariant` is {place.candidate!r}: users without a targeting key would stay on it")
        problems += not_restorable(*flag.weights, self.capabilities.granularity_bp)
        permitted = True
        try:
            await self.rehearse(Change(member, wanted, f"preflight/{state.revision}", state.fence, state))
        except TargetRejected as refused:
            permitted = False
            problems.append(str(refused))
        return Preflight(
            ready=not problems, problems=tuple(problems), destination_digest=found, write_permitted=permitted
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
            unknown="a flag file does not say which variant users get.",
        )

    async def rehearse(self, change: Change) -> Answer:
        """Everything but the rename. Raises TargetUnavailable, TargetRejected."""
        await asyncio.to_thread(require_writable, self._file)
        flag, _ = await self._look(change.member)
        return Answer.applied if flag.revision == change.before.revision else Answer.moved

    async def write(self, change: Change) -> Answer:
        """One new file over the old one. Raises Lost, TargetUnavailable, TargetRejected."""
        place = self._place(change.member)

        def edit(text: bytes) -> bytes | None:
            flag = flag_in(text, place)
            if flag.revision != change.before.revision:
                return None
            return flag.edited(change.key, change.fence, change.wanted.candidate_bp, change.wanted.baseline_bp)

        replaced = await asyncio.to_thread(replace_file, self._file, edit)
        return Answer.applied if replaced else Answer.moved

    async def _look(self, member: Member) -> tuple[Flag, str]:
        place = self._place(member)
        text = await asyncio.to_thread(read_file, self._file)
        sha256 = await kept(self._keep, text, "application/json")
        return flag_in(text, place), sha256

    def _place(self, member: Member) -> FlagdMember:
        if member.name not in self._members:
            raise TargetRejected(f"no member {member.name!r} is configured; configured are: {sorted(self._members)}")
        return self._members[member.name]
