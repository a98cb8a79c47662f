"""The freeze of evidence of one incident: before anything is changed, or beside what break-glass does (GOV-41, 42)."""

from __future__ import annotations

from typing import Literal

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.freezing import Frozen
from countermand.governance.glass_box import GlassBox
from countermand.ledger.bodies import FreezeFailed, FreezeStarted
from countermand.playbook.model import EvidenceFreeze
from workflows.incident_steps import IncidentSteps
from workflows.phases import Phases
from workflows.scribe import Scribe


class Evidence:
    """What is copied, and whether it is safe."""

    def __init__(
        self, policy: EvidenceFreeze, steps: IncidentSteps, scribe: Scribe, phases: Phases, glass: GlassBox
    ) -> None:
        self._policy = policy
        self._steps = steps
        self._scribe = scribe
        self._phases = phases
        self._glass = glass
        self._copying: workflow.ActivityHandle[Frozen] | None = None
        self.safe = False

    async def freeze(self) -> str:
        """Copy the evidence; why that failed, in words. Empty when it is safe, or when break-glass came first."""
        limit = self._policy.time_limit
        await self._phases.enter("freezing", "Copying the evidence before anything is changed.", workflow.now() + limit)
        copying = self._copying = self._copying or self._steps.freeze(limit)
        await workflow.wait_condition(lambda: copying.done() or self._glass.broken)
        return await self._copied(copying, "wait") if copying.done() else ""

    async def beside(self, decision_id: str) -> None:
        """Begin to copy while something is done already."""
        if not self.safe:
            started = FreezeStarted(decision_id=decision_id)
            await self._scribe.record(f"freeze_started/{decision_id}", started, "Copy the evidence meanwhile")
            self._copying = self._copying or self._steps.freeze(self._policy.time_limit)

    async def finish(self) -> None:
        """Wait for what is still being copied, so that how it ended is on record."""
        if self._copying is not None and not self.safe:
            await self._copied(self._copying, "parallel")

    async def _copied(self, copying: workflow.ActivityHandle[Frozen], branch: Literal["wait", "parallel"]) -> str:
        try:
            await copying
            self.safe = True
            return ""
        except ActivityError as error:
            self._copying = None
            reason = str(error.cause or error)
            failed = FreezeFailed(reason=reason, branch=branch)
            await self._scribe.record(f"freeze_failed/{self._phases.number}", failed, "Freeze failed")
            return reason
