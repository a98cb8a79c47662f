"""Delete what is due by its retention class, batch by batch, each with a certificate (OBL-31, OBL-32)."""

from __future__ import annotations

from temporalio import workflow

from activities.retaining import BatchDone, BatchRequest, RetentionActivities
from countermand.plan.target import Value
from workflows import policies
from workflows.visibility import show

#: Batches of one run; what is left waits for the next day.
MOST_BATCHES = 500


class RetentionInput(Value):
    """approver: the subject who asked for the run, or `schedule`."""

    approver: str


class RetentionResult(Value):
    """What a run did."""

    deleted: int
    held: int
    sentence: str


@workflow.defn(name="RetentionRun")
class RetentionRun:
    """Ends when nothing is due any more; stopping it in between loses nothing."""

    @workflow.run
    async def run(self, asked: RetentionInput) -> RetentionResult:
        run_id, deleted, held = workflow.info().run_id, 0, 0
        done = BatchDone(next="")
        for _ in range(MOST_BATCHES):
            done = await self._batch(BatchRequest(run_id=run_id, approver=asked.approver, at=done.next or ""))
            deleted, held = deleted + done.deleted, held + done.held
            if done.next is None:
                break
        left = "" if done.next is None else " More is due; the next run goes on."
        sentence = f"{deleted} deleted with certificates, {held} kept under a hold.{left}"
        show("over", sentence)
        return RetentionResult(deleted=deleted, held=held, sentence=sentence)

    async def _batch(self, request: BatchRequest) -> BatchDone:
        return await workflow.execute_activity_method(
            RetentionActivities.purge_batch,
            request,
            summary="Delete one batch of what is due",
            **policies.PURGE,
        )
