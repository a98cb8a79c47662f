"""A Kubernetes HTTPRoute as a Target: the two weights of one rule (targets.md §6.7).

The API server compares: a patch names the `resourceVersion` it was made from, and is refused once that has moved.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import httpx

from activities.ports import TargetRejected, TargetUnavailable
from adapters.kubernetes_route import FIELD_MANAGER, ROUTE, Route, route_in
from adapters.target_file import token_in
from adapters.target_health import health_problems
from adapters.target_http import Keep, Lost, Raw, TargetHttp
from adapters.target_settings import HttpRouteMember, HttpRouteSettings
from adapters.target_weights import not_restorable, split_of
from adapters.target_writes import Answer, Change, checked, set_split
from countermand.detection.models import Arm
from countermand.plan.target import Capabilities, Member, Observation, Preflight, SetOutcome, Split, TargetState

_MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
# A gateway that writes the status between our read and our patch makes one more try worth while.
_TRIES = 2


class HttpRouteTarget:
    """HTTPRoutes of one API server, by the name that playbooks use; `keep` stores raw answers by content."""

    capabilities = Capabilities(
        kind="split",
        granularity_bp=1,
        compare_and_swap="native",
        durable=True,
        stores_fence=True,
        observes="none",
        dry_run="server",
    )

    def __init__(
        self, settings: HttpRouteSettings, transport: httpx.AsyncBaseTransport | None = None, keep: Keep | None = None
    ) -> None:
        """Raises TargetRejected when the certificate of the authority cannot be read."""
        self._http = TargetHttp(settings.url, transport, keep, trusting(settings.ca_file))
        self._arms = TargetHttp("", None, keep)
        self._settings = settings

    def __repr__(self) -> str:
        return f"HttpRouteTarget({self._http.base_url!r})"

    async def close(self) -> None:
        """Close the connections; the target cannot be used afterwards."""
        await self._http.close()
        await self._arms.close()

    async def read(self, member: Member) -> TargetState:
        """The weights, as shares. Raises TargetUnavailable, TargetRejected."""
        raw, route = await self._look(member)
        try:
            split = split_of(*route.weights)
        except TargetRejected as refused:
            raise TargetRejected(f"{member.name!r}: {refused}") from None
        return TargetState(
            split=split,
            revision=route.revision,
            idempotency_key=route.mark.names(*route.weights) if route.mark else None,
            fence=route.mark.fence if route.mark else 0,
            read_at=datetime.now(UTC),
            raw_sha256=raw.sha256,
        )

    async def preflight(self, member: Member, desired: Split) -> Preflight:
        """Is the destination healthy by its own endpoint, may the weights be written, and does nobody else write them?

        A route knows no digests: `destination_digest` is None. Changes nothing. Raises TargetUnavailable.
        """
        wanted = checked(desired, self.capabilities)
        try:
            state = await self.read(member)
            _, route = await self._look(member)
        except TargetRejected as refused:
            return Preflight(ready=False, problems=(str(refused),), destination_digest=None, write_permitted=False)
        arm = Arm.baseline if wanted.baseline_bp >= state.split.baseline_bp else Arm.candidate
        problems = await health_problems(self._arms, self._place(member), arm)
        problems += not_restorable(*route.weights, self.capabilities.granularity_bp)
        problems += self._contested(route)
        permitted = True
        try:
            change = Change(member, wanted, f"preflight/{state.revision}", state.fence, state)
            if await self.rehearse(change) is Answer.moved:
                problems.append(f"someone changed {member.name!r} while it was being checked")
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
            unknown="an HTTPRoute does not say whom the gateway serves.",
        )

    async def rehearse(self, change: Change) -> Answer:
        """A dry run at the API server. Raises TargetUnavailable, TargetRejected."""
        try:
            return await self._patch(change, "&dryRun=All")
        except Lost as lost:
            raise TargetUnavailable(str(lost)) from None

    async def write(self, change: Change) -> Answer:
        """One patch that takes effect. Raises Lost, TargetUnavailable, TargetRejected."""
        return await self._patch(change)

    async def _patch(self, change: Change, dry_run: str = "") -> Answer:
        path = f"{self._path(change.member)}?fieldManager={FIELD_MANAGER}{dry_run}"
        shares = change.wanted.candidate_bp, change.wanted.baseline_bp
        for _ in range(_TRIES):
            _, route = await self._look(change.member)
            if route.revision != change.before.revision:
                return Answer.moved
            patch, token = route.patch(change.key, change.fence, *shares), token_in(self._settings.write_token_file)
            raw = await self._http.send("PATCH", path, token, headers=_MERGE_PATCH, json=patch, expected=(409,))
            if raw.status != 409:
                return Answer.applied
        if (await self._look(change.member))[1].revision != change.before.revision:
            return Answer.moved
        raise TargetUnavailable(f"{change.member.name!r}: others wrote to the route during each of {_TRIES} tries")

    def _contested(self, route: Route) -> list[str]:
        """Others that would put the weights back, as far as the API server knows who writes what (TGT-17)."""
        others = sorted(route.owners() - set(self._settings.shared_with))
        if not others:
            return []
        return [
            f"contested: the weights also belong to {', '.join(map(repr, others))}, which may put them back; "
            "name in `shared_with` who leaves them alone"
        ]

    async def _look(self, member: Member) -> tuple[Raw, Route]:
        path = self._path(member)
        raw, body = await self._http.get(path, token_in(self._settings.read_token_file), ROUTE)
        return raw, route_in(body, self._place(member))

    def _path(self, member: Member) -> str:
        place = self._place(member)
        return f"/apis/gateway.networking.k8s.io/v1/namespaces/{place.namespace}/httproutes/{place.route}"

    def _place(self, member: Member) -> HttpRouteMember:
        members = self._settings.members
        if member.name not in members:
            raise TargetRejected(f"no member {member.name!r} is configured; configured are: {sorted(members)}")
        return members[member.name]


def trusting(ca_file: Path) -> ssl.SSLContext:
    """Trust in what this authority signed, and in nothing else. Raises TargetRejected."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise TargetRejected(f"{ca_file} is not the certificate of an authority: {error.strerror}") from None
