"""Envoy as a Target: two runtime weights in a file that Envoy watches, read back through its admin interface.

Every set replaces the file by rename; what counts is what Envoy says is in force after all its layers.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import httpx

from activities.ports import TargetRejected
from adapters.envoy_runtime import RUNTIME, STATS, InForce, Keys, Weights, edited, in_file, in_force, stats
from adapters.target_counts import Counts, SinceFirstLook
from adapters.target_file import Mark, read_file, replace_file, require_writable
from adapters.target_http import Keep, TargetHttp
from adapters.target_settings import EnvoyMember
from adapters.target_weights import not_restorable, split_of
from adapters.target_writes import Answer, Change, checked, set_split
from countermand.detection.models import Arm
from countermand.plan.target import Capabilities, Member, Observation, Preflight, SetOutcome, Split, TargetState

_USERS_UNKNOWN = "Envoy counts requests and this route keeps users together, so users are unknown."


class EnvoyTarget:
    """One Envoy. `members` are routes by the name that playbooks use; `keep` stores raw answers by content."""

    capabilities = Capabilities(
        kind="split",
        granularity_bp=1,
        compare_and_swap="content",
        durable=True,
        stores_fence=True,
        observes="counters",
        dry_run="client",
    )

    def __init__(
        self,
        admin_url: str,
        runtime_file: Path,
        layer: str,
        members: Mapping[str, EnvoyMember],
        transport: httpx.AsyncBaseTransport | None = None,
        keep: Keep | None = None,
    ) -> None:
        self._http = TargetHttp(admin_url, transport, keep)
        self._file = runtime_file
        self._layer = layer
        self._members = members
        self._counting = SinceFirstLook()

    def __repr__(self) -> str:
        return f"EnvoyTarget({self._http.base_url!r})"

    async def close(self) -> None:
        """Close the connections; the target cannot be used afterwards."""
        await self._http.close()

    async def read(self, member: Member) -> TargetState:
        """The weights in force, as shares. Raises TargetUnavailable, TargetRejected."""
        return _state(member, await self._look(member))

    async def preflight(self, member: Member, desired: Split) -> Preflight:
        """Is the destination's cluster healthy by its own checks, would the file decide, can it be written?

        Envoy knows no digests: `destination_digest` is None. Changes nothing. Raises TargetUnavailable.
        """
        wanted = checked(desired, self.capabilities)
        try:
            seen = await self._look(member)
            state = _state(member, seen)
            arm = Arm.baseline if wanted.baseline_bp >= state.split.baseline_bp else Arm.candidate
            problems = _health(arm, (await self._stats(member))[arm])
        except TargetRejected as refused:
            return Preflight(ready=False, problems=(str(refused),), destination_digest=None, write_permitted=False)
        problems += not_restorable(seen.weights.candidate, seen.weights.baseline, self.capabilities.granularity_bp)
        permitted = True
        try:
            change = Change(member, wanted, f"preflight/{state.revision}", state.fence, state)
            if await self.rehearse(change) is Answer.moved:
                problems.append(f"the runtime file and Envoy do not say the same about {member.name!r}")
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
        """Requests per cluster since this revision was first looked at. Raises TargetUnavailable, TargetRejected."""
        # Counters first: whatever they count happened before the revision that is read after them.
        counters = await self._stats(member)
        state = await self.read(member)
        served = {arm: found["upstream_rq_total"] for arm, found in counters.items()}
        # What Envoy answers itself, because an arm cannot be reached, is completed without being served by the arm.
        completed, errors = (
            sum(found.get(name, 0) for found in counters.values())
            for name in ("upstream_rq_completed", "upstream_rq_5xx")
        )
        now = Counts(served[Arm.candidate], served[Arm.baseline], completed, errors)
        grown = self._counting.growth(member.name, state.revision, now)
        sticky = self._place(member).routing == "sticky"
        return Observation(
            revision=state.revision,
            candidate_users=grown.candidate,
            baseline_users=grown.baseline,
            requests=grown.requests,
            errors=grown.errors,
            at=datetime.now(UTC),
            counts="requests",
            unknown=_USERS_UNKNOWN if sticky else None,
        )

    async def rehearse(self, change: Change) -> Answer:
        """Everything but the rename. Raises TargetUnavailable, TargetRejected."""
        seen = await self._deciding(change)

        def compare() -> Answer:
            require_writable(self._file)
            says = in_file(self._keys(change.member), read_file(self._file), seen.weights)
            return Answer.applied if says.revision == change.before.revision else Answer.moved

        return await asyncio.to_thread(compare)

    async def write(self, change: Change) -> Answer:
        """One new file over the old one. Raises Lost, TargetUnavailable, TargetRejected."""
        seen = await self._deciding(change)
        keys = self._keys(change.member)
        self._counting.forget(change.member.name)

        def edit(text: bytes) -> bytes | None:
            says = in_file(keys, text, seen.weights)
            if says.revision != change.before.revision:
                return None
            candidate, baseline = change.wanted.candidate_bp, change.wanted.baseline_bp
            generation = says.mark.generation + 1 if says.mark else 1
            mark = Mark(
                key=change.key, fence=change.fence, generation=generation, candidate=candidate, baseline=baseline
            )
            return edited(keys, text, Weights(candidate, baseline, mark))

        replaced = await asyncio.to_thread(replace_file, self._file, edit)
        return Answer.applied if replaced else Answer.moved

    async def _deciding(self, change: Change) -> InForce:
        """What is in force, if our file decides it (C11). Raises TargetRejected when another layer does."""
        seen = await self._look(change.member)
        if seen.overridden:
            who = ", ".join(f"{key!r} by layer {layer!r}" for key, layer in sorted(seen.overridden.items()))
            raise TargetRejected(f"the runtime file does not decide: {who}; clear the override first")
        return seen

    async def _look(self, member: Member) -> InForce:
        keys = self._keys(member)
        raw, body = await self._http.get("/runtime", None, RUNTIME)
        return in_force(keys, self._layer, raw, body)

    async def _stats(self, member: Member) -> dict[Arm, dict[str, int]]:
        place = self._place(member)
        clusters = "|".join(re.escape(place.of(arm)) for arm in Arm)
        names = "upstream_rq_(total|completed|5xx)|membership_healthy|health_check.success"
        pattern = quote(f"^cluster\\.({clusters})\\.({names})$", safe="")
        raw, body = await self._http.get(f"/stats?format=json&filter={pattern}", None, STATS)
        return {arm: stats(body, place.of(arm), raw) for arm in Arm}

    def _keys(self, member: Member) -> Keys:
        return Keys.of(member.name, self._place(member))

    def _place(self, member: Member) -> EnvoyMember:
        if member.name not in self._members:
            raise TargetRejected(f"no member {member.name!r} is configured; configured are: {sorted(self._members)}")
        return self._members[member.name]


def _state(member: Member, seen: InForce) -> TargetState:
    weights = seen.weights
    try:
        split = split_of(weights.candidate, weights.baseline)
    except TargetRejected as refused:
        raise TargetRejected(f"{member.name!r}: {refused}") from None
    return TargetState(
        split=split,
        revision=weights.revision,
        idempotency_key=weights.mark.names(weights.candidate, weights.baseline) if weights.mark else None,
        fence=weights.mark.fence if weights.mark else 0,
        read_at=datetime.now(UTC),
        raw_sha256=seen.sha256,
    )


def _health(arm: Arm, found: dict[str, int]) -> list[str]:
    """Without a health check of its own Envoy calls every endpoint healthy: that is no answer."""
    if not found.get("health_check.success"):
        return [f"the {arm} cluster is not healthy: no health check of Envoy has succeeded"]
    if not found.get("membership_healthy"):
        return [f"the {arm} cluster is not healthy: it has no healthy endpoint"]
    return []
