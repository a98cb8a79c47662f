"""Tag a version where the target keeps a registry of versions, so that people who look there see it too (GOV-47)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Literal

from temporalio import activity

from activities.ports import Ledger, Marks, TargetRejected, Targets, TargetUnavailable
from countermand import ids
from countermand.governance.guard import guarded
from countermand.ledger.bodies import PlanMade, VersionMarked
from countermand.ledger.record import Kind
from countermand.plan.model import Plan
from countermand.plan.target import Member, Value

#: A registry that is slow keeps nobody waiting.
_WITHIN = timedelta(seconds=10)

Status = Literal["quarantined", "allowed"]


class MarkRequest(Value):
    """What is true now of the version that an incident put into quarantine."""

    incident_id: str
    status: Status


class MarkingActivities:
    """Ports: Targets, Ledger. Tags are for people: nothing rests on them, and nothing waits for them."""

    def __init__(self, targets: Targets, ledger: Ledger) -> None:
        self._targets = targets
        self._ledger = ledger

    @activity.defn(name="mark_version")
    async def mark_version(self, request: MarkRequest) -> None:
        """Tag the version in each target of the incident's newest plan; what was not done is recorded as that."""
        records = await self._ledger.records(incident_id=request.incident_id, kinds=[Kind.plan])
        if records:
            await self.mark(Plan.model_validate(PlanMade.model_validate(records[-1].body).plan), request.status)

    async def mark(self, plan: Plan, status: Status) -> None:
        """Tag the plan's candidate; a target that knows no tags is passed over. Raises nothing about targets."""
        for member in guarded(plan):
            key = ids.version_marked(
                plan.incident_id, member.candidate_digest, status, f"{member.target}/{member.name}"
            )
            if await self._ledger.find(key) is not None:
                continue
            why = await self._tag(member, status)
            if why is None:
                continue
            where = f"{member.target}/{member.name}"
            done = f"{where} shows {plan.candidate.name} as {status} now."
            body = VersionMarked(
                digest=member.candidate_digest,
                status=status,
                target=member.target,
                member=member.name,
                ok=not why,
                sentence=f"{where} could not tag {plan.candidate.name} as {status}: {why}" if why else done,
            )
            entry = body.entry(key, "worker", incident_id=plan.incident_id, release_id=plan.release_id)
            await self._ledger.append(entry)

    async def _tag(self, member: Member, status: Status) -> str | None:
        """Why it was not done; empty when it was, None where there are no tags."""
        try:
            target = self._targets(member.target)
            if not isinstance(target, Marks):
                return None
            await asyncio.wait_for(target.mark(member, member.candidate_digest, status), _WITHIN.total_seconds())
        except TimeoutError:
            return "it did not answer in time"
        except (TargetUnavailable, TargetRejected) as error:
            return str(error)
        return ""
