"""After the way back: is the service shown to be well again, and does it stay so? (GOV-31, TGT-13, R113)"""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import workflow

from activities.recording import Checked
from countermand.governance.decision import Decision, DecisionKind
from countermand.plan.model import Plan
from countermand.plan.relapse import relapse_sentence
from countermand.plan.target import CheckWord
from countermand.playbook.model import RollbackVerification, Step
from workflows.incident_steps import Closing, IncidentSteps
from workflows.phases import Phases
from workflows.scribe import Scribe


class Verification:
    """All-clear only on positive evidence; otherwise people are asked, and silence never becomes success."""

    def __init__(
        self,
        policy: RollbackVerification,
        steps: IncidentSteps,
        scribe: Scribe,
        phases: Phases,
        ends_by: datetime,
    ) -> None:
        self._policy = policy
        self._steps = steps
        self._scribe = scribe
        self._phases = phases
        self._ends_by = ends_by
        self._looks = 0
        self.relapse = ""

    async def run(self, plan: Plan, since: datetime, revert: int) -> Closing | None:
        """Look as often as people want to. None: it became worse again and a new plan is to be put to people."""
        while True:
            closing = await self._show_healthy(plan, since, revert)
            if closing is not None:
                return closing
            if self._policy.watch_for is None:
                return Closing(outcome="reverted", sentence="Rolled back and shown to be healthy.")
            checked = await self._watch_on(plan, revert, self._policy.watch_for)
            if isinstance(checked, Closing):
                return checked
            since = workflow.now()
            closing = await self._worse_again(checked, revert)
            if closing is not None or self.relapse:
                return closing

    async def _show_healthy(self, plan: Plan, since: datetime, revert: int) -> Closing | None:
        """None when it is shown."""
        while True:
            self._looks += 1
            await self._phases.enter(
                "verifying",
                "All users are back on the baseline; waiting for labelled answers that show it is healthy.",
                workflow.now() + self._policy.time_limit,
                commands=(DecisionKind.abort,),
            )
            checked = await self._phases.doing(self._steps.verify_health(plan, since, revert, self._looks))
            if checked is None:
                return _aborted("reverted_not_verified", "Rolled back, not shown to be healthy", self._phases.taken())
            if checked.passed:
                return None
            await self._scribe.tell(Step.not_verified, f"{revert}/{self._looks}")
            sentence = f"Rolled back, but not shown to be healthy: {checked.sentence}"
            answer = await self._phases.wait_for(
                "not_verified",
                f"{sentence} Resume = verify again, abort = close.",
                (DecisionKind.resume, DecisionKind.abort),
            )
            if answer is None or answer.kind is DecisionKind.abort:
                return Closing(outcome="reverted_not_verified", sentence=sentence)

    async def _watch_on(self, plan: Plan, revert: int, span: timedelta) -> Checked | Closing:
        """What became worse, or how the incident ends when nothing did."""
        began = workflow.now()
        until = min(began + span, self._ends_by)
        self._looks += 1
        await self._phases.enter(
            "verifying",
            "Shown to be healthy. It is watched for a relapse; after that the incident is closed.",
            until,
            commands=(DecisionKind.abort,),
        )
        checked = await self._phases.doing(self._steps.watch_health(plan, began, until, revert, self._looks))
        healthy = "Rolled back and shown to be healthy"
        if checked is None:
            return _aborted("reverted", f"{healthy}; the watch for a relapse ended early", self._phases.taken())
        if any(result.word is CheckWord.failed for result in checked.results):
            return checked
        seen = "no relapse was seen" if checked.passed else f"whether it stayed so is not known: {checked.sentence}"
        return Closing(outcome="reverted", sentence=f"{healthy}; {seen}")

    async def _worse_again(self, checked: Checked, revert: int) -> Closing | None:
        """What the playbook declares: a new plan (`relapse` says why), or to hold until somebody decides."""
        sentence = relapse_sentence(checked.sentence, await self._steps.name_alternative())
        await self._scribe.tell(Step.not_verified, f"{revert}/{self._looks}")
        if self._policy.on_regression == "ask":
            self.relapse = f"{sentence} "
            return None
        while workflow.now() < self._ends_by:
            answer = await self._phases.wait_for(
                "not_verified",
                f"{sentence} Resume = verify again, ask again = a new plan, abort = close.",
                (DecisionKind.resume, DecisionKind.ask_again, DecisionKind.abort),
            )
            if answer is None:
                continue
            if answer.kind is DecisionKind.abort:
                return _aborted("reverted_not_verified", sentence.rstrip("."), answer)
            if answer.kind is DecisionKind.ask_again:
                self.relapse = f"{sentence} "
            return None
        return Closing(outcome="reverted_not_verified", sentence=sentence)


def _aborted(outcome: str, so_far: str, answer: Decision | None) -> Closing:
    by = f"aborted by {answer.actor.printed_name}" if answer else "break-glass came"
    return Closing.model_validate({"outcome": outcome, "sentence": f"{so_far}; {by}"})
