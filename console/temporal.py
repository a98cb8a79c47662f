"""The console's way to workflows: start a watch, hand over a signed decision."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Protocol

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.communicating import CorrectRequest
from adapters.schedules import TemporalSchedules
from countermand import ids
from countermand.governance.decision import Decision, Refusal, Refused
from countermand.learning.proposal import Proposal
from countermand.plan.model import Release
from workflows.adopting import AdoptPlaybook
from workflows.allowing import AllowVersion
from workflows.ask_cards import AskCards
from workflows.cadence_run import CadenceInput, CadenceRun
from workflows.consent import ConsentInput
from workflows.correction import Correction
from workflows.decisions import REFUSED, UPDATE, Answer
from workflows.incident import Incident
from workflows.incident_steps import Case
from workflows.obligations import Obligations, ObligationsInput
from workflows.policies import EFFECTS_QUEUE
from workflows.recurring_sandbox import RecurringInput, RecurringSandbox
from workflows.release_rollout import ReleaseRollout, RolloutInput
from workflows.release_watch import ReleaseWatch, WatchInput
from workflows.releasing import ReleaseHold
from workflows.retention_run import RetentionInput, RetentionRun
from workflows.standing import IssueStanding
from workflows.standing_preflight import PreflightInput, StandingPreflight
from workflows.threshold_change import ThresholdChange
from workflows.visibility import labels

_log = logging.getLogger(__name__)

_ANSWER_WITHIN = 12.0
_LOOK = timedelta(seconds=3)
#: A start that was missed for longer is left out: the next one comes anyway.
_CATCH_UP = timedelta(minutes=10)


class OutcomeUnknown(Exception):
    """No worker answered in time; the decision may still be counted. Look at the incident before deciding again."""


class Workflows(Protocol):
    """What the console asks of Temporal."""

    async def start_watch(self, watch: WatchInput) -> None: ...

    async def decide(self, decision: Decision) -> Answer: ...

    async def start_correction(self, correction_id: str) -> None: ...

    async def start_standing(self, authorisation_id: str, asked: ConsentInput) -> None: ...

    async def start_allowing(self, asked: ConsentInput) -> None: ...

    async def start_releasing(self, asked: ConsentInput) -> None: ...

    async def run_retention(self, approver: str) -> None: ...
    async def start_adopting(self, asked: ConsentInput) -> None: ...

    async def start_threshold(self, proposal: Proposal) -> None: ...
    async def start_duty(self, request: CadenceInput, word: str) -> None: ...

    async def start_rollout(self, release: Release, rollout: RolloutInput) -> Answer: ...

    async def schedule_sandbox(self, release: Release, every: timedelta) -> None: ...

    async def unschedule_sandbox(self, release: Release) -> None: ...

    async def next_sandbox(self, release: Release) -> datetime | None: ...

    async def declare(self, decision: Decision, case: Case) -> Answer: ...

    async def keep_obligation(self, decision: Decision, release_id: str) -> Answer: ...

    async def ready(self) -> bool: ...

    async def workers(self) -> list[str]: ...

    async def show_again(self, approval: str) -> None: ...


class TemporalWorkflows:
    """Implements Workflows with one client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def start_watch(self, watch: WatchInput) -> None:
        """Start the watch of a release; starting it again joins the running one."""
        await self._client.start_workflow(
            ReleaseWatch.run,
            watch,
            id=ids.watch_workflow(watch.environment, watch.release_id),
            task_queue=EFFECTS_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            search_attributes=labels(watch.environment, watch.service, watch.release_id),
            static_summary=f"Watch of {watch.release_id}",
        )
        await self._client.start_workflow(
            StandingPreflight.run,
            PreflightInput(release_id=watch.release_id),
            id=ids.preflight_workflow(watch.environment, watch.release_id),
            task_queue=EFFECTS_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            search_attributes=labels(watch.environment, watch.service, watch.release_id),
            static_summary=f"Way back of {watch.release_id}",
        )

    async def decide(self, decision: Decision) -> Answer:
        """Send the decision as an Update whose id is the decision id, so that sending it twice counts once.

        Raises Refused with the workflow's reason, or OutcomeUnknown when nobody answered in time.
        """
        handle = self._client.get_workflow_handle(decision.addressed_to)
        return await _answered(handle.execute_update(UPDATE, decision, id=decision.decision_id, result_type=Answer))

    async def declare(self, decision: Decision, case: Case) -> Answer:
        """Open the one incident of a release and hand over the declaration, in one call: an incident that was opened
        meanwhile answers for itself. Raises like `decide`."""
        begin = WithStartWorkflowOperation(
            Incident.run,
            case,
            id=decision.addressed_to,
            task_queue=EFFECTS_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            search_attributes=case.labels,
            static_summary=f"{case.incident_id}: {case.verdict.trigger.replace('_', ' ')} on {case.release_id}",
        )
        update = self._client.execute_update_with_start_workflow(
            UPDATE, decision, start_workflow_operation=begin, id=decision.decision_id, result_type=Answer
        )
        return await _answered(update)

    async def keep_obligation(self, decision: Decision, release_id: str) -> Answer:
        """Hand a decision about clocks over; clocks that nobody looks after any more are looked after again, in one
        call. Raises like `decide`."""
        begin = WithStartWorkflowOperation(
            Obligations.run,
            ObligationsInput(incident_id=decision.incident_id, release_id=release_id),
            id=decision.addressed_to,
            task_queue=EFFECTS_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=f"Clocks of {decision.incident_id}",
        )
        update = self._client.execute_update_with_start_workflow(
            UPDATE, decision, start_workflow_operation=begin, id=decision.decision_id, result_type=Answer
        )
        return await _answered(update)

    async def start_correction(self, correction_id: str) -> None:
        """Start telling people; starting it again changes nothing. Raises OutcomeUnknown."""
        try:
            await self._client.start_workflow(
                Correction.run,
                CorrectRequest(correction_id=correction_id),
                id=ids.correction_workflow(correction_id),
                task_queue=EFFECTS_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                static_summary="A wrong message is put right",
            )
        except RPCError as error:
            raise OutcomeUnknown(str(error)) from error

    async def start_standing(self, authorisation_id: str, asked: ConsentInput) -> None:
        """Start asking for a standing authorisation. Raises OutcomeUnknown."""
        try:
            await self._client.start_workflow(
                IssueStanding.run,
                asked,
                id=ids.standing_workflow(authorisation_id),
                task_queue=EFFECTS_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary="A standing authorisation is asked for",
            )
        except RPCError as error:
            raise OutcomeUnknown(str(error)) from error

    async def start_allowing(self, asked: ConsentInput) -> None:
        """Start asking whether a denied version may be used again. Raises OutcomeUnknown."""
        try:
            await self._client.start_workflow(
                AllowVersion.run,
                asked,
                id=ids.allowing_workflow(asked.consent_id),
                task_queue=EFFECTS_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary="May a denied version be used again?",
            )
        except RPCError as error:
            raise OutcomeUnknown(str(error)) from error

    async def start_releasing(self, asked: ConsentInput) -> None:
        """Start asking whether a legal hold may be released. Raises OutcomeUnknown."""
        try:
            await self._client.start_workflow(
                ReleaseHold.run,
                asked,
                id=ids.releasing_workflow(asked.consent_id),
                task_queue=EFFECTS_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary=asked.subject,
            )
        except RPCError as error:
            raise OutcomeUnknown(str(error)) from error

    async def run_retention(self, approver: str) -> None:
        """Start a purge of what is due; one that runs already is enough. Raises OutcomeUnknown."""
        try:
            await self._client.start_workflow(
                RetentionRun.run,
                RetentionInput(approver=approver),
                id=ids.RETENTION_RUN,
                task_queue=EFFECTS_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                static_summary="Delete what is due",
            )
        except RPCError as error:
            raise OutcomeUnknown(str(error)) from error

    async def start_adopting(self, asked: ConsentInput) -> None:
        """Start asking whether a playbook may be used. Raises OutcomeUnknown."""
        try:
            await self._client.start_workflow(
                AdoptPlaybook.run,
                asked,
                id=ids.adopting_workflow(asked.consent_id),
                task_queue=EFFECTS_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary="May a playbook be used?",
            )
        except RPCError as error:
            raise OutcomeUnknown(str(error)) from error

    async def start_threshold(self, proposal: Proposal) -> None:
        """Start what leads a proposed change of thresholds. Raises OutcomeUnknown."""
        try:
            await self._client.start_workflow(
                ThresholdChange.run,
                proposal,
                id=ids.threshold_workflow(proposal.proposal_id),
                task_queue=EFFECTS_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary="A change of thresholds is proposed",
            )
        except RPCError as error:
            raise OutcomeUnknown(str(error)) from error

    async def start_duty(self, request: CadenceInput, word: str) -> None:
        """Start a run that a person wants now. Raises OutcomeUnknown."""
        try:
            await self._client.start_workflow(
                CadenceRun.run,
                request,
                id=ids.cadence_by_hand(request.duty, word),
                task_queue=EFFECTS_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary=f"{request.duty}, because a person wants it now",
            )
        except RPCError as error:
            raise OutcomeUnknown(str(error)) from error

    async def start_rollout(self, release: Release, rollout: RolloutInput) -> Answer:
        """Start a rollout and wait for its plan, in one call; one that runs already answers for itself. Raises
        OutcomeUnknown."""
        begin = WithStartWorkflowOperation(
            ReleaseRollout.run,
            rollout,
            id=ids.rollout_workflow(release.environment, release.release_id),
            task_queue=EFFECTS_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            search_attributes=labels(release.environment, release.service, release.release_id),
            static_summary=f"{rollout.kind} of {release.release_id}",
        )
        return await _answered(
            self._client.execute_update_with_start_workflow(
                ReleaseRollout.begin, rollout.rollout_id, start_workflow_operation=begin, id=rollout.rollout_id
            )
        )

    async def schedule_sandbox(self, release: Release, every: timedelta) -> None:
        """Start a sandbox again and again; a schedule that is there already gets this interval. Raises
        OutcomeUnknown."""
        wanted = _schedule(release, every)
        name = ids.sandbox_schedule(release.environment, release.release_id)
        try:
            try:
                await self._client.create_schedule(name, wanted)
            except ScheduleAlreadyRunningError:
                await self._client.get_schedule_handle(name).update(lambda _: ScheduleUpdate(wanted))
        except RPCError as error:
            raise OutcomeUnknown(str(error)) from error

    async def unschedule_sandbox(self, release: Release) -> None:
        """Start no more of them; none to end is fine. Raises OutcomeUnknown."""
        try:
            await TemporalSchedules(self._client).remove(release.environment, release.release_id)
        except RPCError as error:
            raise OutcomeUnknown(str(error)) from error

    async def next_sandbox(self, release: Release) -> datetime | None:
        """When the next one is due; None when none is, or the service does not say now."""
        try:
            return await TemporalSchedules(self._client).next_time(release.environment, release.release_id)
        except RPCError as error:
            _log.info("the schedule of %s cannot be read: %s", release.release_id, error)
            return None

    async def ready(self) -> bool:
        """Whether the service answers."""
        try:
            return await self._client.service_client.check_health()
        except RPCError:
            return False

    async def workers(self) -> list[str]:
        """The identities of the workers that asked for work in the last minutes. Raises OutcomeUnknown."""
        queue = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=EFFECTS_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        try:
            described = await self._client.workflow_service.describe_task_queue(queue, timeout=_LOOK)
        except RPCError as error:
            raise OutcomeUnknown(str(error)) from error
        return sorted(poller.identity for poller in described.pollers)

    async def show_again(self, approval: str) -> None:
        """Ask for the cards of an approval to be looked at again; one that is over has none to renew."""
        cards = self._client.get_workflow_handle_for(AskCards.run, ids.cards_workflow(approval))
        try:
            await cards.signal(AskCards.look_again)
        except RPCError as error:
            _log.info("the cards of %s are not renewed: %s", approval, error)


def _schedule(release: Release, every: timedelta) -> Schedule:
    action = ScheduleActionStartWorkflow(
        RecurringSandbox.run,
        RecurringInput(release_id=release.release_id, environment=release.environment, service=release.service),
        id=ids.sandbox_schedule(release.environment, release.release_id),
        task_queue=EFFECTS_QUEUE,
        typed_search_attributes=labels(release.environment, release.service, release.release_id),
        static_summary=f"A sandbox of {release.release_id} is due",
    )
    return Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=_CATCH_UP),
    )


async def _answered(update: Awaitable[Answer]) -> Answer:
    """The workflow's answer, or its refusal as Refused, or OutcomeUnknown when there is none in time."""
    try:
        return await asyncio.wait_for(update, _ANSWER_WITHIN)
    except WorkflowUpdateFailedError as error:
        raise _refused(error.cause) from error
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        raise OutcomeUnknown("no worker answered in time") from error
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise Refused(
                Refusal.already_decided, "this is already over.", "Open the incident to see how it ended."
            ) from error
        raise OutcomeUnknown(str(error)) from error


def _refused(cause: BaseException | None) -> Refused:
    if isinstance(cause, ApplicationError) and cause.type == REFUSED:
        code, detail, next_ = cause.details
        return Refused(Refusal(code), detail, next_)
    return Refused(Refusal.already_decided, "this ended while your decision was on its way.", "Reload the incident.")
