"""What happens after a trigger: declare → freeze evidence → plan → ask → revert in stages → verify → close → review.

One running Incident per release and environment: the workflow id is made of both (I1).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

from temporalio import workflow
from temporalio.common import TypedSearchAttributes
from temporalio.exceptions import ActivityError
from temporalio.workflow import ParentClosePolicy

from activities.briefing import Brief, BriefingActivities, BriefRequest
from activities.freezing import FreezeRequest, FreezingActivities
from activities.planning import PlanningActivities, PlanRequest
from activities.reviewing import CloseReleaseRequest, ReviewingActivities
from activities.verifying import HealthRequest, VerifyingActivities
from countermand import ids
from countermand.detection.models import WatchVerdict
from countermand.governance.approval import ApprovalStatus
from countermand.governance.commands import CommandBox
from countermand.governance.decision import Decision, DecisionKind
from countermand.ledger.bodies import FreezeFailed, IncidentClosed, IncidentOpened, IncidentPhase, VerdictChanged
from countermand.plan.model import Plan
from countermand.plan.target import Value
from countermand.playbook.model import Severity, Step
from countermand.playbook.units import format_duration
from workflows import policies
from workflows.approval import Approval, ApprovalInput, ApprovalResult
from workflows.decisions import Answer, refuse_in_words
from workflows.review import Review, ReviewInput
from workflows.scribe import Scribe
from workflows.staged_revert import STOPPED, RUNNING, RevertInput, RevertResult, StagedRevert
from workflows.visibility import labels, show

Phase = Literal["freezing", "planning", "asking", "reverting", "verifying", "held", "not_verified"]
Outcome = Literal[
    "reverted", "reverted_not_verified", "rejected", "withdrawn", "expired", "aborted", "reversed", "unresolved"
]


class Case(Value):
    """What the watch (or a person) opens an incident with."""

    incident_id: str
    release_id: str
    environment: str
    service: str
    severity: Severity
    trigger: str
    sentence: str
    evidence_digest: str
    watch_id: str
    verdict: WatchVerdict
    opened_by: str


class Closing(Value):
    """How an incident ended, in a word and a sentence."""

    outcome: Outcome
    sentence: str


@workflow.defn(name="Incident")
class Incident:
    """Owns everything from the trigger to the review."""

    @workflow.init
    def __init__(self, case: Case) -> None:
        self._case = case
        self._commands = CommandBox(workflow.info().workflow_id)
        self._approval: workflow.ChildWorkflowHandle[Approval, ApprovalResult] | None = None
        self._phases = 0
        self._plans = 0
        self._asks = 0
        self._reverts = 0

    @workflow.run
    async def run(self, case: Case) -> Closing:
        self._brief = await self._read_brief()
        self._scribe = Scribe(case.incident_id, case.release_id, self._brief.playbook, case.severity)
        self._ends_by = workflow.now() + self._brief.playbook.incident_time_limit
        await self._declare()
        closing = await self._freeze() or await self._resolve()
        await self._close(closing)
        await self._hand_over_to_review()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return closing

    @workflow.update
    async def decide(self, decision: Decision) -> Answer:
        """Take a signed command while this incident itself waits for people (held, or not verified)."""
        refuse_in_words(self._commands.give, decision)
        return Answer(status="accepted", sentence=f"{decision.kind.value.replace('_', ' ')} accepted.")

    @decide.validator
    def validate_decision(self, decision: Decision) -> None:
        refuse_in_words(self._commands.check, decision)

    @workflow.signal
    async def evidence_changed(self, why: str) -> None:
        """The set of failing criteria changed: an open request for approval is no longer what was shown."""
        if self._approval is not None:
            await self._approval.signal(Approval.supersede, why)

    # --- the story --------------------------------------------------------------------------------------------

    async def _read_brief(self) -> Brief:
        brief = await workflow.execute_activity_method(
            BriefingActivities.brief,
            BriefRequest(release_id=self._case.release_id),
            summary="Pin playbook, people and keys",
            **policies.RECORD,
        )
        self._commands.trust(brief.keys, brief.directory)
        return brief

    async def _declare(self) -> None:
        case, release = self._case, self._brief.release
        await self._scribe.record(
            "opened",
            IncidentOpened(
                workflow_id=workflow.info().workflow_id,
                environment=case.environment,
                service=case.service,
                candidate_name=release.candidate.name,
                baseline_name=release.baseline.name,
                severity=case.severity.value,
                trigger=case.trigger,
                sentence=case.sentence,
                evidence_digest=case.evidence_digest,
                opened_by=case.opened_by,
                ends_by=self._ends_by,
            ),
            "Declare the incident",
        )
        leading = case.verdict.leading
        await self._scribe.record(
            "verdict",
            VerdictChanged(
                watch_id=case.watch_id,
                word=case.verdict.word.value,
                severity=leading.severity.value,
                trigger=leading.trigger,
                sentence=leading.sentence,
                row=leading.seq,
                row_digest=leading.row,
                evidence=leading.model_dump(mode="json"),
            ),
            "Keep the verdict that opened it",
        )
        await self._scribe.tell(Step.incident_opened, "opened")

    async def _freeze(self) -> Closing | None:
        """Nothing is changed before the evidence is safe; a freeze that fails is tried again by people."""
        limit = self._brief.playbook.evidence_freeze.time_limit
        while True:
            await self._enter("freezing", "Copying the evidence before anything is changed.", workflow.now() + limit)
            try:
                await workflow.execute_activity_method(
                    FreezingActivities.freeze,
                    FreezeRequest(incident_id=self._case.incident_id, release_id=self._case.release_id),
                    summary="Freeze the evidence",
                    **policies.freeze(limit),
                )
                return None
            except ActivityError as error:
                reason = str(error.cause or error)
                await self._scribe.record(
                    f"freeze_failed/{self._phases}", FreezeFailed(reason=reason, branch="wait"), "Freeze failed"
                )
                closing = await self._hold(f"The evidence could not be frozen, so nothing is changed: {reason}")
                if closing is not None:
                    return closing

    async def _resolve(self) -> Closing:
        """Plan and ask until people decided and the way back is done, or the incident's time is over."""
        while workflow.now() < self._ends_by:
            plan, impossible = await self._make_plan()
            if plan is None:
                closing = await self._hold(f"No plan is possible: {impossible}")
            else:
                closing = await self._ask_and_act(plan)
            if closing is not None:
                return closing
        limit = format_duration(self._brief.playbook.incident_time_limit)
        return Closing(outcome="unresolved", sentence=f"Nobody decided within {limit}; the candidate keeps its share.")

    async def _ask_and_act(self, plan: Plan) -> Closing | None:
        """One round; None when it has to be planned and asked again."""
        approval = await self._ask(plan)
        because = approval.state.because
        match approval.state.status:
            case ApprovalStatus.approved:
                return await self._revert(plan, approval)
            case ApprovalStatus.rejected:
                return Closing(outcome="rejected", sentence=f"The rollback was {because}; the candidate keeps its share.")
            case ApprovalStatus.withdrawn:
                return Closing(outcome="withdrawn", sentence=f"The request was {because}.")
            case ApprovalStatus.expired if approval.ask.policy.default == "abort":
                return Closing(outcome="expired", sentence=f"The request expired: {because}. Declared default: abort.")
            case ApprovalStatus.expired:
                return await self._hold(f"Holding: {because}. The candidate keeps its share and is still watched.")
            case _:
                return None

    async def _revert(self, plan: Plan, approval: ApprovalResult) -> Closing | None:
        result = await self._carry_out(plan, approval)
        match result.outcome:
            case "completed":
                return await self._verify(result.completed_at or workflow.now())
            case "aborted":
                return Closing(outcome="aborted", sentence=f"The rollback was {result.sentence}")
            case "reversed":
                return Closing(outcome="reversed", sentence=f"The rollback was {result.sentence}")
            case _:
                return None

    async def _verify(self, since: datetime) -> Closing:
        """All-clear only on positive evidence; otherwise people are asked, and silence never becomes success."""
        await self._scribe.tell(Step.reverted, str(self._reverts))
        verification = self._brief.playbook.verification
        number = 1
        while True:
            await self._enter(
                "verifying",
                "All users are back on the baseline; waiting for labelled answers that show it is healthy.",
                workflow.now() + verification.time_limit,
            )
            checked = await workflow.execute_activity_method(
                VerifyingActivities.verify_health,
                HealthRequest(
                    incident_id=self._case.incident_id,
                    release_id=self._case.release_id,
                    detection=self._brief.playbook.detection,
                    verification=verification,
                    since=since,
                    revert=self._reverts,
                    round=number,
                    key=f"{self._case.incident_id}/health/{self._reverts}",
                ),
                summary="Is the service shown to be healthy?",
                **policies.wait_for_evidence(verification.time_limit),
            )
            if checked.passed:
                return Closing(outcome="reverted", sentence="Rolled back and shown to be healthy.")
            await self._scribe.tell(Step.not_verified, f"{self._reverts}/{number}")
            answer = await self._wait_for(
                "not_verified",
                f"Rolled back, but not shown to be healthy: {checked.sentence} Resume = verify again, abort = close.",
                (DecisionKind.resume, DecisionKind.abort),
            )
            if answer is None or answer.kind is DecisionKind.abort:
                return Closing(
                    outcome="reverted_not_verified",
                    sentence=f"Rolled back, but not shown to be healthy: {checked.sentence}",
                )
            number += 1

    async def _close(self, closing: Closing) -> None:
        self._commands.open(())
        if closing.outcome in ("reverted", "reverted_not_verified"):
            await workflow.execute_activity_method(
                ReviewingActivities.close_release,
                CloseReleaseRequest(release_id=self._case.release_id, why=closing.sentence),
                summary="End the watch of the reverted release",
                **policies.RECORD,
            )
        await self._scribe.record(
            "closed",
            IncidentClosed(outcome=closing.outcome, sentence=closing.sentence),
            f"Close the incident: {closing.outcome}",
        )
        if closing.outcome == "reverted":
            await self._scribe.tell(Step.all_clear, "closed")
        show(closing.outcome, closing.sentence)

    async def _hand_over_to_review(self) -> None:
        await workflow.start_child_workflow(
            Review.run,
            ReviewInput(
                incident_id=self._case.incident_id,
                release_id=self._case.release_id,
                severity=self._case.severity,
                brief=self._brief,
            ),
            id=ids.review_workflow(self._case.incident_id),
            parent_close_policy=ParentClosePolicy.ABANDON,
            search_attributes=self._labels(),
            static_summary=f"Review of {self._case.incident_id}",
        )

    # --- rounds -----------------------------------------------------------------------------------------------

    async def _make_plan(self) -> tuple[Plan | None, str]:
        self._plans += 1
        await self._enter("planning", "Reading the target and working out the way back.", None)
        try:
            made = await workflow.execute_activity_method(
                PlanningActivities.make_plan,
                PlanRequest(
                    incident_id=self._case.incident_id,
                    severity=self._case.severity,
                    brief=self._brief,
                    number=self._plans,
                ),
                summary="Plan the way back from what the target says now",
                **policies.READ_TARGET,
            )
        except ActivityError as error:
            return None, str(error.cause or error)
        return made.plan, made.impossible

    async def _ask(self, plan: Plan) -> ApprovalResult:
        self._asks += 1
        policy = self._brief.playbook.approvals[self._case.severity]
        me = workflow.info().workflow_id
        approval_id = ids.approval_workflow(me, self._asks)
        await self._enter(
            "asking",
            f"Waiting for {policy.quorum.distinct_people} people to approve the plan; "
            f"if nobody decides in {format_duration(policy.time_limit)}: {policy.default}.",
            workflow.now() + policy.time_limit,
            commands_to=approval_id,
            commands=(DecisionKind.withdraw,),
        )
        earlier = ids.ask_id(self._case.incident_id, self._asks - 1) if self._asks > 1 else None
        self._approval = await workflow.start_child_workflow(
            Approval.run,
            ApprovalInput(
                ask_id=ids.ask_id(self._case.incident_id, self._asks),
                plan=plan,
                evidence_digest=self._case.evidence_digest,
                requester=self._case.opened_by,
                brief=self._brief,
                supersedes=earlier,
            ),
            id=approval_id,
            search_attributes=self._labels(),
            static_summary=f"Approval {self._asks} of {self._case.incident_id}",
        )
        try:
            return await self._approval
        finally:
            self._approval = None

    async def _carry_out(self, plan: Plan, approval: ApprovalResult) -> RevertResult:
        self._reverts += 1
        revert_id = ids.revert_workflow(workflow.info().workflow_id, self._reverts)
        await self._enter(
            "reverting",
            f"Going back in {len(plan.stages)} stages; hold, abort or reverse at any point.",
            workflow.now() + plan.expected_duration,
            commands_to=revert_id,
            commands=sorted({*RUNNING, *STOPPED}),
        )
        return await workflow.execute_child_workflow(
            StagedRevert.run,
            RevertInput(
                plan=plan,
                ask=approval.ask,
                approval=approval.state,
                number=self._reverts,
                brief=self._brief,
                ends_by=self._ends_by,
            ),
            id=revert_id,
            search_attributes=self._labels(),
            static_summary=f"Revert {self._reverts} of {self._case.incident_id}",
        )

    # --- waiting for people -----------------------------------------------------------------------------------

    async def _hold(self, sentence: str) -> Closing | None:
        """Freeze where we are and ask again after a while, so that a hold is never the end (GOV-23)."""
        answer = await self._wait_for("held", sentence, (DecisionKind.ask_again, DecisionKind.abort))
        if answer is not None and answer.kind is DecisionKind.abort:
            return Closing(outcome="aborted", sentence=f"Aborted by {answer.actor.printed_name}: {answer.reason}")
        return None

    async def _wait_for(
        self, phase: Phase, sentence: str, kinds: tuple[DecisionKind, ...]
    ) -> Decision | None:
        """Wait for a command until it is time to ask again; None when that time came first."""
        patience = self._brief.playbook.approvals[self._case.severity].ask_again_every
        until = min(workflow.now() + patience, self._ends_by)
        self._commands.open(kinds)
        await self._enter(phase, sentence, until, commands=kinds, waiting_for="incident_commander")
        try:
            await workflow.wait_condition(
                lambda: self._commands.given,
                timeout=max(until - workflow.now(), timedelta(milliseconds=1)),
                timeout_summary=f"{phase.replace('_', ' ')} until {until:%H:%M:%S} UTC",
            )
        except TimeoutError:
            return None
        finally:
            self._commands.open(())
        return self._commands.take()

    async def _enter(
        self,
        phase: Phase,
        sentence: str,
        until: datetime | None,
        *,
        commands_to: str | None = None,
        commands: Iterable[DecisionKind] = (),
        waiting_for: str = "nothing",
    ) -> None:
        """Say where we are, in the Ledger and in the Temporal UI."""
        self._phases += 1
        await self._scribe.record(
            f"phase/{self._phases}",
            IncidentPhase(
                phase=phase,
                sentence=sentence,
                until=until,
                commands_to=commands_to or workflow.info().workflow_id,
                commands=tuple(kind.value for kind in commands),
            ),
            f"Phase: {phase.replace('_', ' ')}",
        )
        show(phase, sentence, waiting_for)

    def _labels(self) -> TypedSearchAttributes:
        case = self._case
        return labels(case.environment, case.service, case.release_id, case.severity.value)
