"""An alias in the MLflow registry as a Target: it names the candidate's version or the baseline's, and nothing between.

MLflow serves nobody. Whether the services behind the alias follow it is asked of them, by probes (TGT-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import httpx

from activities.ports import TargetRejected, TargetUnavailable
from adapters.mlflow_registry import AliasMark, Named, Registry, Version
from adapters.served_digest import Probes
from adapters.target_http import Keep, Lost, TargetHttp
from adapters.target_settings import MlflowMember
from adapters.target_writes import Answer, Change, checked, set_split
from countermand.detection.models import Arm
from countermand.plan.target import WHOLE, Capabilities, Member, Observation, Preflight, SetOutcome, Split, TargetState

_NOT_SERVED = "a registry does not say which version users get; `serving` in the targets file says whom to ask."


class MlflowTarget:
    """One registry. `members` are aliases by the name that playbooks use; `keep` stores raw answers by content."""

    def __init__(
        self,
        url: str,
        members: Mapping[str, MlflowMember],
        read_token: str | None = None,
        write_token: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        keep: Keep | None = None,
    ) -> None:
        self._http = TargetHttp(url, transport, keep)
        self._registry = Registry(self._http, read_token, write_token)
        self._members = members
        self._probes = Probes()
        self.capabilities = Capabilities(
            kind="alias",
            granularity_bp=WHOLE,
            compare_and_swap="content",
            durable=True,
            stores_fence=True,
            observes="headers" if all(place.serving for place in members.values()) else "none",
            dry_run="client",
        )

    def __repr__(self) -> str:
        return f"MlflowTarget({self._http.base_url!r})"

    async def close(self) -> None:
        """Close the connections; the target cannot be used afterwards."""
        await self._http.close()
        await self._probes.close()

    async def read(self, member: Member) -> TargetState:
        """Which arm the alias names. Raises TargetUnavailable; TargetRejected, too when it names neither."""
        named = await self._registry.named(self._place(member))
        return _state(member, self._place(member), named)

    async def preflight(self, member: Member, desired: Split) -> Preflight:
        """Is there a version with the destination's digest, is it ready, may the alias be written?

        Changes nothing. Raises TargetUnavailable.
        """
        wanted = checked(desired, self.capabilities)
        arm = _arm(wanted)
        found = None
        try:
            state = await self.read(member)
            found = await self._registry.with_digest(self._place(member), _digest(member, arm))
            problems = _problems(self._place(member), arm, _digest(member, arm), found)
        except TargetRejected as refused:
            return Preflight(ready=False, problems=(str(refused),), destination_digest=None, write_permitted=False)
        permitted = True
        try:
            await self._prove_write(member)
        except TargetRejected as refused:
            permitted = False
            problems.append(str(refused))
        if (await self.read(member)).revision != state.revision:
            problems.append(f"someone changed {member.name!r} while it was being checked")
        return Preflight(
            ready=not problems,
            problems=tuple(problems),
            destination_digest=found.digest if found else None,
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
        """Let the alias name the wanted arm (TGT-1, TGT-2). Raises what `set_split` raises."""
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
        """Probes of the serving process since this revision was first looked at, a few more with every call.

        Raises TargetUnavailable, TargetRejected.
        """
        state = await self.read(member)
        serving = self._place(member).serving
        if serving is None:
            return Observation(
                revision=state.revision,
                candidate_users=0,
                baseline_users=0,
                requests=0,
                errors=0,
                at=datetime.now(UTC),
                unknown=_NOT_SERVED,
            )
        seen = await self._probes.more(member.name, state.revision, serving)
        arms = {member.candidate_digest, member.baseline_digest}
        unknown = f"{seen.silent} of {seen.requests} probes were answered without the header {serving.header!r}."
        return Observation(
            revision=state.revision,
            candidate_users=seen.digests[member.candidate_digest],
            baseline_users=seen.digests[member.baseline_digest],
            requests=seen.requests,
            errors=seen.errors,
            at=datetime.now(UTC),
            counts="probes",
            unknown=unknown if seen.silent else None,
            neither=next((digest for digest in sorted(seen.digests) if digest not in arms), None),
        )

    async def mark(self, member: Member, digest: str, status: str) -> None:
        """Write `status` on the newest version with this digest, for whoever deploys from the registry.

        Repeating it changes nothing. Raises TargetUnavailable; TargetRejected when no version has the digest.
        """
        place = self._place(member)
        version = await self._registry.with_digest(place, digest)
        if version is None:
            raise TargetRejected(f"no version of {place.model!r} has the digest {digest}")
        try:
            await self._registry.say(place, version.number, status)
        except Lost as lost:
            raise TargetUnavailable(str(lost)) from None

    async def rehearse(self, change: Change) -> Answer:
        """Everything but the write. Raises TargetUnavailable, TargetRejected."""
        await self._destination(change)
        await self._prove_write(change.member)
        return Answer.applied

    async def write(self, change: Change) -> Answer:
        """The mark, then the alias. Raises Lost, TargetUnavailable, TargetRejected."""
        place = self._place(change.member)
        destination = await self._destination(change)
        self._probes.forget(change.member.name)
        # In this order: an alias without its mark would be somebody else's, a mark without its alias is nobody's.
        await self._registry.remember(place, AliasMark(key=change.key, fence=change.fence, version=destination.number))
        await self._registry.point(place, destination.number)
        return Answer.applied

    async def _destination(self, change: Change) -> Version:
        place, arm = self._place(change.member), _arm(change.wanted)
        digest = _digest(change.member, arm)
        found = await self._registry.with_digest(place, digest)
        problems = _problems(place, arm, digest, found)
        if found is None or problems:
            raise TargetRejected("; ".join(problems))
        return found

    async def _prove_write(self, member: Member) -> None:
        try:
            await self._registry.prove_write(self._place(member))
        except Lost as lost:
            raise TargetUnavailable(str(lost)) from None

    def _place(self, member: Member) -> MlflowMember:
        if member.name not in self._members:
            raise TargetRejected(f"no member {member.name!r} is configured; configured are: {sorted(self._members)}")
        return self._members[member.name]


def _arm(wanted: Split) -> Arm:
    return Arm.candidate if wanted.candidate_bp else Arm.baseline


def _digest(member: Member, arm: Arm) -> str:
    return member.candidate_digest if arm is Arm.candidate else member.baseline_digest


def _problems(place: MlflowMember, arm: Arm, digest: str, found: Version | None) -> list[str]:
    if found is None:
        return [f"there is no {arm} arm: no version of {place.model!r} has the digest {digest}"]
    if found.status != "READY":
        return [f"the {arm} arm is not healthy: version {found.number} of {place.model!r} is {found.status}"]
    return []


def _state(member: Member, place: MlflowMember, named: Named) -> TargetState:
    shares = {member.baseline_digest: 0, member.candidate_digest: WHOLE}
    if named.version.digest not in shares:
        raise TargetRejected(
            f"alias {place.alias!r} of {place.model!r} names version {named.version.number}, which is "
            f"{named.version.digest or 'without a digest'}; expected was {member.candidate_digest} or "
            f"{member.baseline_digest}. Nothing is overwritten"
        )
    ours = named.mark is not None and named.mark.version == named.version.number
    return TargetState(
        split=Split.candidate(shares[named.version.digest]),
        revision=named.revision,
        idempotency_key=named.mark.key if named.mark and ours else None,
        fence=named.mark.fence if named.mark else 0,
        read_at=datetime.now(UTC),
        raw_sha256=named.sha256,
    )
