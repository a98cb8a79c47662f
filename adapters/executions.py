"""What the Temporal service knows of a workflow: does it run?"""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

#: By how much the clocks of the service and of the Ledger may differ.
_SKEW = timedelta(seconds=60)
_WORDS = {
    WorkflowExecutionStatus.COMPLETED: "its workflow ended without closing it",
    WorkflowExecutionStatus.FAILED: "its workflow failed",
    WorkflowExecutionStatus.CANCELED: "its workflow was cancelled from outside",
    WorkflowExecutionStatus.TERMINATED: "its workflow was terminated from outside",
    WorkflowExecutionStatus.TIMED_OUT: "its workflow ran out of time",
}


class TemporalExecutions:
    """Implements Executions with one client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def missing(self, workflow_id: str, at: datetime) -> str:
        """Empty while the one that worked under this id at that time runs, else what happened to it.

        A name is no proof: whoever ends a workflow can start something else under its id. Raises ConnectionError when
        the service does not answer.
        """
        try:
            found = await self._client.get_workflow_handle(workflow_id).describe()
            first = found.raw_description.workflow_execution_info.first_run_id
            if first and first != found.run_id:
                began = (await self._client.get_workflow_handle(workflow_id, run_id=first).describe()).start_time
            else:
                began = found.start_time
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return "the service knows no such workflow; its history was deleted"
            raise ConnectionError(f"the Temporal service does not say whether {workflow_id!r} runs: {error}") from error
        if began > at + _SKEW:
            return f"its workflow ended, and another one was started under its name at {began:%Y-%m-%d %H:%M} UTC"
        return _WORDS.get(found.status, "") if found.status is not None else ""
