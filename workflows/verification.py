"""After the way back: is the service shown to be well again? (GOV-31, TGT-13)"""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow

from countermand.governance.decision import DecisionKind
from countermand.playbook.model import RollbackVerification, Step
from workflows.incident_steps import Closing, IncidentSteps
from workflows.phases import Phases
from workflows.scribe import Scribe


class Verification:
    """All-clear only on positive evidence; otherwise people are asked, and silence never becomes success."""

    def __init__(self, policy: RollbackVerification, steps: IncidentSteps, scribe: Scribe, phases: Phases) -> None:
        self._policy = policy
        self._steps = steps
        self._scribe = scribe
        self._phases = phases

    async def run(self, since: datetime, revert: int) -> Closing:
        """Look as often as people want to."""
        number = 1
        while True:
            await self._phases.enter(
                "verifying",
                "All users are back on the baseline; waiting for labelled answers that show it is healthy.",
                workflow.now() + self._policy.time_limit,
            )
            checked = await self._steps.verify_health(since, revert, number)
            if checked.passed:
                return Closing(outcome="reverted", sentence="Rolled back and shown to be healthy.")
            await self._scribe.tell(Step.not_verified, f"{revert}/{number}")
            sentence = f"Rolled back, but not shown to be healthy: {checked.sentence}"
            answer = await self._phases.wait_for(
                "not_verified",
                f"{sentence} Resume = verify again, abort = close.",
                (DecisionKind.resume, DecisionKind.abort),
            )
            if answer is None or answer.kind is DecisionKind.abort:
                return Closing(outcome="reverted_not_verified", sentence=sentence)
            number += 1
