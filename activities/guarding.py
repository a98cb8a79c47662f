"""After a rollback: look at the target until the bad version comes back or the guard's time is over (TGT-17)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.eligible import records_of_lists
from activities.heartbeat import heartbeating
from activities.ports import KeyRing, Ledger, RoleDirectory, TargetRejected, Targets, TargetUnavailable
from countermand.governance import guard as rules
from countermand.governance.shipped import rights_in_force
from countermand.governance.version_lists import VersionLists
from countermand.ledger.bodies import PlanMade, ReleaseRegistered, RequarantineBreach, StageOutcome
from countermand.ledger.record import Kind
from countermand.plan.model import Plan
from countermand.plan.target import Member, Split, TargetState, Value
from countermand.playbook.units import Duration

#: Time between two looks.
EVERY = timedelta(seconds=5)
#: Looks in a row without an answer after which the guard says that it sees nothing.
_BLIND_AFTER = 3


class GuardRequest(Value):
    """`blind`: whether that is what was said last."""

    incident_id: str
    environment: str
    service: str
    until: datetime
    blind: bool
    pause_after: Duration


class Guarded(Value):
    """Why looking ended, in a word and a sentence; `breach` goes with `back`."""

    reason: Literal["back", "blind", "watching", "over", "pause"]
    sentence: str
    breach: RequarantineBreach | None = None


class GuardingActivities:
    """Ports: Targets, Ledger, RoleDirectory, KeyRing; a clock. `every`: time between two looks."""

    def __init__(
        self,
        targets: Targets,
        ledger: Ledger,
        people: RoleDirectory,
        keys: KeyRing,
        clock: Callable[[], datetime],
        every: timedelta = EVERY,
    ) -> None:
        self._targets = targets
        self._ledger = ledger
        self._people = people
        self._keys = keys
        self._clock = clock
        self._every = every

    @activity.defn(name="guard")
    async def guard(self, request: GuardRequest) -> Guarded:
        """Look again and again; return when something changed, after `pause_after`, or when the time is over.

        What to look at stands in the Ledger: the newest plan of the incident, and what its stages left.
        """
        plan, left_keys = await self._left(request.incident_id)
        began, failures = self._clock(), 0
        async with heartbeating():
            while True:
                now = self._clock()
                if now >= request.until:
                    return _over(plan, unseen=request.blind or failures >= _BLIND_AFTER)
                try:
                    found = await self._look(request, plan, left_keys)
                    failures = 0
                except (TargetUnavailable, TargetRejected) as error:
                    failures += 1
                    found = _blind(plan, error) if failures == _BLIND_AFTER and not request.blind else None
                else:
                    if found is None and request.blind:
                        found = Guarded(reason="watching", sentence="it can be read again, and is as it was left.")
                if found is not None:
                    return found
                if now - began >= request.pause_after:
                    return Guarded(reason="pause", sentence="nothing changed for a while")
                await asyncio.sleep(self._every.total_seconds())

    async def _left(self, incident_id: str) -> tuple[Plan, frozenset[str | None]]:
        """The plan that was carried out, and the keys that effects of the incident left on the targets."""
        records = await self._ledger.records(incident_id=incident_id, kinds=[Kind.plan, Kind.stage_outcome])
        plans = [PlanMade.model_validate(one.body) for one in records if one.kind is Kind.plan]
        if not plans:
            raise ApplicationError(f"incident {incident_id!r} has no plan to guard", non_retryable=True)
        outcomes = [StageOutcome.model_validate(one.body) for one in records if one.kind is Kind.stage_outcome]
        keys = frozenset(one.after.idempotency_key for one in outcomes if one.after is not None)
        return Plan.model_validate(plans[-1].plan), keys

    async def _look(self, request: GuardRequest, plan: Plan, left_keys: frozenset[str | None]) -> Guarded | None:
        """What has changed; None when everything is as it was left. Raises TargetUnavailable, TargetRejected."""
        left_bp = plan.stages[-1].desired.candidate_bp
        for member in rules.guarded(plan):
            target = self._targets(member.target)
            state = await target.read(member)
            if state.split.candidate_bp <= left_bp:
                continue
            if not await self._in_quarantine(plan):
                return Guarded(reason="over", sentence=f"people let {plan.candidate.name} out of quarantine.")
            newer = await self._newer(request, plan)
            match rules.seen(member, left_bp, state, await self._served(member, state), newer=bool(newer)):
                case "back":
                    body = rules.breach(plan, member, left_bp, state, await self._who(state, left_keys))
                    return Guarded(reason="back", sentence=body.sentence, breach=body)
                case "cannot_tell":
                    why = f"{newer} was registered for {request.service} since; {member.target!r} does not tell which "
                    return Guarded(reason="over", sentence=f"{why}version has the share now, so its own watch goes on.")
                case _:
                    continue
        return None

    async def _served(self, member: Member, state: TargetState) -> str | None:
        """The digest behind the candidate's share, where the target tells it."""
        target = self._targets(member.target)
        if target.capabilities.kind == "alias":  # it was found by its digest
            return member.candidate_digest
        if state.split.baseline_bp == 0:
            return None
        return (await target.preflight(member, Split.candidate(10_000))).destination_digest

    async def _in_quarantine(self, plan: Plan) -> bool:
        rights = rights_in_force((await self._people.snapshot()).governance)
        records = await records_of_lists(self._ledger)
        lists = VersionLists(plan.environment, records, self._keys.gateway_keys(), rights)
        return any(body.digest == plan.candidate.digest for _, _, body in lists.quarantines)

    async def _newer(self, request: GuardRequest, plan: Plan) -> str:
        """The newest other release of the service that was registered since the incident was opened; empty: none."""
        opened = await self._ledger.records(incident_id=request.incident_id, kinds=[Kind.incident_opened], limit=1)
        found = ""
        for record in await self._ledger.records(kinds=[Kind.release_registered], after_seq=opened[0].seq):
            body = ReleaseRegistered.model_validate(record.body)
            same = (body.service, body.environment) == (request.service, request.environment)
            if same and body.candidate_digest != plan.candidate.digest:
                found = body.candidate_name
        return found

    async def _who(self, state: TargetState, left_keys: frozenset[str | None]) -> str:
        left_key = state.idempotency_key if state.idempotency_key in left_keys else None
        intent = await self._ledger.find(f"{state.idempotency_key}/intent") if state.idempotency_key else None
        return rules.who(state.idempotency_key, left_key, intent.incident_id if intent else None)


def _over(plan: Plan, *, unseen: bool) -> Guarded:
    last = "but at the end the target could not be read" if unseen else "and it was not seen again"
    return Guarded(reason="over", sentence=f"the time to look for {plan.candidate.name} is over, {last}.")


def _blind(plan: Plan, error: Exception) -> Guarded:
    said = f"whether {plan.candidate.name} comes back cannot be seen: {error}. It is tried again all the time."
    return Guarded(reason="blind", sentence=said)
