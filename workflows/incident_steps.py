"""The activities and child workflows of one incident; `Incident` tells in which order and what for."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Literal

from temporalio import workflow
from temporalio.common import TypedSearchAttributes
from temporalio.exceptions import ActivityError, FailureError
from temporalio.workflow import ActivityHandle, ChildWorkflowHandle, ParentClosePolicy

from activities.briefing import Brief, BriefingActivities, BriefRequest
from activities.freezing import FreezeRequest, FreezingActivities, Frozen
from activities.gating import Gated, GateRequest, GatingActivities
from activities.investigating import InvestigatingActivities, MeasureRequest
from activities.planning import PlanningActivities, PlanRequest, PlanResult
from activities.recording import Checked
from activities.reviewing import CloseReleaseRequest, ReviewingActivities
from activities.verifying import HealthRequest, VerifyingActivities
from countermand import ids
from countermand.ledger.bodies import IncidentOpened, VerdictChanged
from countermand.plan.model import Plan
from countermand.plan.target import CheckResult, CheckWord, Value
from countermand.playbook.model import ApprovalPolicy, Severity
from workflows import policies
from workflows.approval import Approval, ApprovalInput, ApprovalResult
from workflows.ask_cards import AskCards, CardsInput
from workflows.messages import Messages, MessagesInput
from workflows.obligations import Obligations, ObligationsInput
from workflows.review import Review, ReviewInput
from workflows.staged_revert import RevertInput, RevertResult, StagedRevert
from workflows.visibility import labels

#: The signal by which an incident gives its watch a trigger that it cannot act on any more.
NOT_HEARD = "not_heard"
#: The signal by which an incident has its release watched more closely from a moment on.
TIGHTEN = "tighten"

Outcome = Literal[
    "reverted",
    "reverted_not_verified",
    "rejected",
    "withdrawn",
    "expired",
    "aborted",
    "reversed",
    "unresolved",
    "adjusted",
    "continued",
]


class Case(Value):
    """What the watch (or a person) opens an incident with.

    `declared`: the id of the decision by which a person opens it; what they signed is read from the Ledger.
    """

    incident_id: str
    release_id: str
    environment: str
    service: str
    severity: Severity
    verdict: VerdictChanged
    opened_by: str
    declared: str | None = None

    @property
    def labels(self) -> TypedSearchAttributes:
        return labels(self.environment, self.service, self.release_id, self.severity.value)


class Closing(Value):
    """How an incident ended, in a word and a sentence."""

    outcome: Outcome
    sentence: str


async def read_brief(case: Case) -> Brief:
    """Playbook, people and keys, pinned for the whole incident."""
    return await workflow.execute_activity_method(
        BriefingActivities.brief,
        BriefRequest(release_id=case.release_id),
        summary="Pin playbook, people and keys",
        **policies.RECORD,
    )


class IncidentSteps:
    """Steps of one incident under its pinned brief."""

    def __init__(self, case: Case, brief: Brief) -> None:
        self._case = case
        self._brief = brief
        self._me = workflow.info().workflow_id

    def opened(self, ends_by: datetime) -> IncidentOpened:
        """The record that declares the incident."""
        case, release = self._case, self._brief.release
        return IncidentOpened(
            workflow_id=self._me,
            environment=case.environment,
            service=case.service,
            candidate_name=release.candidate.name,
            baseline_name=release.baseline.name,
            severity=case.severity.value,
            trigger=case.verdict.trigger,
            sentence=case.verdict.sentence,
            evidence_digest=case.verdict.evidence_digest,
            opened_by=case.opened_by,
            ends_by=ends_by,
        )

    async def start_messages(self) -> None:
        """Start the workflow that tells people; it outlives the incident until everything is said."""
        case = self._case
        await workflow.start_child_workflow(
            Messages.run,
            MessagesInput(
                incident_id=case.incident_id,
                release_id=case.release_id,
                time_limit=self._brief.playbook.incident_time_limit + policies.AFTERWARDS,
            ),
            id=ids.messages_workflow(case.incident_id),
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary=f"Messages of {case.incident_id}",
        )

    async def start_obligations(self) -> None:
        """Start the workflow that looks after the clocks; it outlives the incident by months."""
        case = self._case
        await workflow.start_child_workflow(
            Obligations.run,
            ObligationsInput(incident_id=case.incident_id, release_id=case.release_id),
            id=ids.obligations_workflow(case.incident_id),
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary=f"Clocks of {case.incident_id}",
        )

    def freeze(self, limit: timedelta, number: int) -> ActivityHandle[Frozen]:
        """Begin to copy the evidence; awaiting it raises ActivityError when nothing could be copied in time."""
        return workflow.start_activity_method(
            FreezingActivities.freeze,
            FreezeRequest(
                incident_id=self._case.incident_id, release_id=self._case.release_id, budget=limit, round=number
            ),
            summary="Freeze the evidence",
            **policies.freeze(limit),
        )

    async def make_plan(self, severity: Severity, number: int) -> PlanResult:
        """A plan from what the target says now; a target that cannot be read makes it impossible, not a failure."""
        try:
            return await workflow.execute_activity_method(
                PlanningActivities.make_plan,
                PlanRequest(
                    incident_id=self._case.incident_id,
                    severity=severity,
                    brief=self._brief,
                    number=number,
                ),
                summary="Plan the way back from what the target says now",
                **policies.read_target(),
            )
        except ActivityError as error:
            return PlanResult(plan=None, impossible=str(error.cause or error))

    async def name_alternative(self) -> str:
        """Another version that people could choose; empty when there is none, or it cannot be looked up now."""
        try:
            found = await workflow.execute_activity_method(
                PlanningActivities.name_alternative,
                self._brief,
                summary="Which other version is eligible?",
                **policies.read_target(),
            )
        except ActivityError:
            return ""
        return found.name

    async def measure_slices(self, number: int) -> None:
        """How groups of people are served, for those who are asked; where no signal is about fairness, nothing is
        measured, and a store that does not answer is no reason not to ask."""
        detection = self._brief.playbook.detection
        if not detection.of_fairness:
            return
        with suppress(ActivityError):
            await workflow.execute_activity_method(
                InvestigatingActivities.measure_slices,
                MeasureRequest(
                    incident_id=self._case.incident_id,
                    release=self._brief.release,
                    detection=detection,
                    occasion=ids.ask_id(self._case.incident_id, number),
                ),
                summary="How are groups of people served?",
                **policies.read_target(timedelta(seconds=30)),
            )

    async def gate(self, plan: Plan, number: int) -> Gated:
        """What the verdicts on record lead to for this plan."""
        return await workflow.execute_activity_method(
            GatingActivities.decide_gate,
            GateRequest(plan=plan, brief=self._brief, number=number),
            summary="May this start without asking, and if not, who is asked until when?",
            **policies.read_target(timedelta(hours=24)),
        )

    async def ask(
        self, plan: Plan, policy: ApprovalPolicy, evidence_digest: str, number: int
    ) -> ChildWorkflowHandle[Approval, ApprovalResult]:
        """Start the approval of this plan on this evidence, and beside it the workflow that keeps its cards."""
        incident_id = self._case.incident_id
        await workflow.start_child_workflow(
            AskCards.run,
            CardsInput(
                incident_id=incident_id,
                release_id=plan.release_id,
                ask_id=ids.ask_id(incident_id, number),
                time_limit=self._brief.playbook.incident_time_limit,
            ),
            id=ids.cards_workflow(ids.approval_workflow(self._me, number)),
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            static_summary=f"Cards of request {number}",
        )
        return await workflow.start_child_workflow(
            Approval.run,
            ApprovalInput(
                ask_id=ids.ask_id(incident_id, number),
                plan=plan,
                policy=policy,
                evidence_digest=evidence_digest,
                requester=self._case.opened_by,
                brief=self._brief,
                supersedes=ids.ask_id(incident_id, number - 1) if number > 1 else None,
            ),
            id=ids.approval_workflow(self._me, number),
            search_attributes=self._case.labels,
            static_summary=f"Approval {number} of {incident_id}",
        )

    async def revert(
        self, plan: Plan, carried_by: ApprovalResult | str | None, number: int, ends_by: datetime
    ) -> ChildWorkflowHandle[StagedRevert, RevertResult]:
        """Begin to carry out a plan that was approved, for which the glass was broken by this decision, or (None) that
        a standing authorisation carries."""
        glass = carried_by if isinstance(carried_by, str) else None
        approval = carried_by if isinstance(carried_by, ApprovalResult) else None
        return await workflow.start_child_workflow(
            StagedRevert.run,
            RevertInput(
                plan=plan,
                ask=approval.ask if approval else None,
                approval=approval.state if approval else None,
                number=number,
                brief=self._brief,
                ends_by=ends_by,
                glass=glass,
            ),
            id=ids.revert_workflow(self._me, number),
            search_attributes=self._case.labels,
            static_summary=f"Revert {number} of {self._case.incident_id}",
        )

    async def verify_health(self, plan: Plan, since: datetime, revert: int, number: int) -> Checked:
        """Positive evidence from labelled answers since the last stage, and whether every member stays where it was
        left; what could not be looked at is unknown."""
        try:
            return await workflow.execute_activity_method(
                VerifyingActivities.verify_health,
                self._health(plan, since, revert, number),
                summary="Is the service shown to be healthy?",
                **policies.wait_for_evidence(self._brief.playbook.verification.time_limit),
            )
        except ActivityError as error:
            return _not_seen(error)

    async def watch_health(self, plan: Plan, since: datetime, until: datetime, revert: int, number: int) -> Checked:
        """Whether something became worse again before `until`; what could not be looked at is unknown."""
        try:
            return await workflow.execute_activity_method(
                VerifyingActivities.watch_health,
                self._health(plan, since, revert, number).model_copy(update={"until": until}),
                summary="Does the service stay healthy?",
                **policies.wait_for_evidence(until - since),
            )
        except ActivityError as error:
            return _not_seen(error)

    def _health(self, plan: Plan, since: datetime, revert: int, number: int) -> HealthRequest:
        playbook = self._brief.playbook
        return HealthRequest(
            incident_id=self._case.incident_id,
            release_id=self._case.release_id,
            detection=playbook.detection,
            verification=playbook.verification,
            since=since,
            revert=revert,
            round=number,
            key=f"{self._case.incident_id}/health/{revert}",
            plan=plan,
        )

    async def close_release(self, why: str) -> None:
        """End the watch of a release that is back on its baseline."""
        await workflow.execute_activity_method(
            ReviewingActivities.close_release,
            CloseReleaseRequest(release_id=self._case.release_id, why=why),
            summary="End the watch of the reverted release",
            **policies.RECORD,
        )

    async def hand_back(self, verdict: VerdictChanged) -> None:
        """Give the watch a trigger that came too late for this incident; it opens the next one. A release that nobody
        watches any more has no watch to take it: the verdict is in the Ledger."""
        watch = workflow.get_external_workflow_handle(ids.watch_workflow(self._case.environment, self._case.release_id))
        with suppress(FailureError):
            await watch.signal(NOT_HEARD, verdict)

    async def start_review(self) -> None:
        """Hand over to the review, which outlives the incident."""
        case = self._case
        await workflow.start_child_workflow(
            Review.run,
            ReviewInput(
                incident_id=case.incident_id, release_id=case.release_id, severity=case.severity, brief=self._brief
            ),
            id=ids.review_workflow(case.incident_id),
            parent_close_policy=ParentClosePolicy.ABANDON,
            search_attributes=case.labels,
            static_summary=f"Review of {case.incident_id}",
        )


def _not_seen(error: ActivityError) -> Checked:
    sentence = f"the answers could not be looked at: {error.cause or error}"
    return Checked(results=(CheckResult(name="health", word=CheckWord.unknown, sentence=sentence),))
