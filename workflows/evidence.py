"""The freeze of evidence of one incident: before anything is changed, or beside what break-glass does (GOV-41, 42)."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.freezing import Frozen
from countermand.governance.decision import Decision, DecisionKind
from countermand.ledger.bodies import FreezeFailed, FreezeStarted, FreezeWaived
from countermand.playbook.model import EvidenceFreeze, Severity
from workflows.incident_steps import IncidentSteps
from workflows.phases import Phases
from workflows.scribe import Scribe


class Evidence:
    """What is copied, and whether it is safe."""

    def __init__(self, policy: EvidenceFreeze, steps: IncidentSteps, scribe: Scribe, phases: Phases) -> None:
        self._policy = policy
        self._steps = steps
        self._scribe = scribe
        self._phases = phases
        self._copying: workflow.ActivityHandle[Frozen] | None = None
        self._round = 0
        self.settled = False

    async def freeze(self, severity: Severity) -> str:
        """Copy the evidence; what is missing, in words. Empty when nothing is, or when break-glass or a command came
        first. `settled` says whether something may be changed from here on."""
        limit = self._policy.budget(severity)
        until = workflow.now() + limit
        sentence = "Copying the evidence before anything is changed."
        await self._phases.enter("freezing", sentence, until, commands=(DecisionKind.abort,))
        copying = self._copying = self._copying or self._begin(limit)
        if not await self._phases.unless_interrupted(copying.done):
            return ""
        return await self._copied(copying, self._policy.if_incomplete)

    async def ask(self, missing: str) -> Decision | None:
        """What people answer when evidence is missing: another try, the end or, where the playbook has it, to go on."""
        kinds = [DecisionKind.ask_again, DecisionKind.abort]
        sentence = f"Nothing is changed, because evidence is missing: {missing}. Ask again = another try."
        if self._policy.if_incomplete == "ask":
            kinds.append(DecisionKind.proceed_incomplete)
            sentence += " Proceed incomplete = go on without it; the review will show who decided that and why."
        answer = await self._phases.wait_for("held", sentence, tuple(kinds))
        if answer is not None and answer.kind is DecisionKind.proceed_incomplete:
            waived = FreezeWaived(
                decision_id=answer.decision_id,
                subject=answer.actor.subject,
                name=answer.actor.printed_name,
                missing=missing,
                reason=answer.reason,
            )
            await self._scribe.record(f"freeze_waived/{answer.decision_id}", waived, "Go on with incomplete evidence")
            self.settled = True
        return answer

    async def beside(self, decision_id: str, severity: Severity) -> None:
        """Begin to copy while something is done already."""
        if not self.settled:
            started = FreezeStarted(decision_id=decision_id)
            await self._scribe.record(f"freeze_started/{decision_id}", started, "Copy the evidence meanwhile")
            self._copying = self._copying or self._begin(self._policy.budget(severity))

    async def finish(self) -> None:
        """Wait for what is still being copied, so that how it ended is on record."""
        if self._copying is not None and not self.settled:
            await self._copied(self._copying, "parallel")

    def _begin(self, limit: timedelta) -> workflow.ActivityHandle[Frozen]:
        self._round += 1
        return self._steps.freeze(limit, self._round)

    async def _copied(
        self, copying: workflow.ActivityHandle[Frozen], branch: Literal["wait", "ask", "parallel"]
    ) -> str:
        """What is missing. That nothing could be copied is recorded here; what could be and what not, where it was."""
        try:
            frozen = await copying
        except ActivityError as error:
            self._copying = None
            reason = str(error.cause or error)
            failed = FreezeFailed(reason=reason, branch=branch)
            await self._scribe.record(f"freeze_failed/{self._phases.number}", failed, "Freeze failed")
            return f"none of it could be copied: {reason}"
        self.settled = not frozen.missing
        self._copying = self._copying if self.settled else None
        return "; ".join(frozen.missing)
