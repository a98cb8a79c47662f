"""One run of the schedule of a release: start a sandbox of it, or say why none is started (LRN-26, LRN-27).

A schedule gives every run an id of its own, so that it cannot start the rollout itself: this hands over to the one id
that admits one rollout at a time.
"""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.recording import RecordingActivities, RecordRequest
from activities.recurring import EndIfClosed, RecurringActivities
from countermand import ids
from countermand.ledger.bodies import RolloutSkipped
from countermand.plan.target import Value
from workflows import policies
from workflows.release_rollout import ReleaseRollout, RolloutInput
from workflows.visibility import labels, show


class RecurringInput(Value):
    """Whose sandbox is due."""

    release_id: str
    environment: str
    service: str


@workflow.defn(name="RecurringSandbox")
class RecurringSandbox:
    """Ends as soon as the sandbox runs; the sandbox lives on by itself."""

    @workflow.run
    async def run(self, due: RecurringInput) -> str:
        """What was done, in a sentence."""
        rollout_id = ids.scheduled_rollout(workflow.info().workflow_id)
        sentence = await self._over(due, rollout_id) or await self._started(due, rollout_id)
        show("over", "The start that was due is done with.")
        return sentence

    async def _over(self, due: RecurringInput, rollout_id: str) -> str:
        """Why nothing is due any more; empty while the release is open."""
        return await workflow.execute_activity_method(
            RecurringActivities.end_if_closed,
            EndIfClosed(release_id=due.release_id, environment=due.environment, rollout_id=rollout_id),
            summary="Is the release still open?",
            **policies.RECORD,
        )

    async def _started(self, due: RecurringInput, rollout_id: str) -> str:
        try:
            await workflow.start_child_workflow(
                ReleaseRollout.run,
                RolloutInput(rollout_id=rollout_id, release_id=due.release_id, kind="sandbox", unattended=True),
                id=ids.rollout_workflow(due.environment, due.release_id),
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                search_attributes=labels(due.environment, due.service, due.release_id),
                static_summary=f"sandbox of {due.release_id}, by its schedule",
            )
        except WorkflowAlreadyStartedError:
            return await self._skipped(due, rollout_id)
        return f"{rollout_id} is under way."

    async def _skipped(self, due: RecurringInput, rollout_id: str) -> str:
        body = RolloutSkipped(
            rollout_id=rollout_id,
            sentence="The sandbox that was due by its schedule was not started: another rollout of this release "
            "is under way.",
        )
        key = ids.rollout_record(rollout_id, "skipped")
        await workflow.execute_activity_method(
            RecordingActivities.record,
            RecordRequest(entries=(body.entry(key, "worker", release_id=due.release_id),)),
            summary="Not started: another one runs",
            **policies.RECORD,
        )
        return body.sentence
