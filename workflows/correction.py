"""A wrong message is corrected or withdrawn: its recipients are told, however long that takes (COM-25)."""

from __future__ import annotations

from temporalio import workflow

from activities.communicating import Communicated, CommunicatingActivities, CorrectRequest
from workflows import policies


@workflow.defn(name="Correction")
class Correction:
    """What was ordered stands in the Ledger before this starts."""

    @workflow.run
    async def run(self, request: CorrectRequest) -> Communicated:
        return await workflow.execute_activity_method(
            CommunicatingActivities.correct,
            request,
            summary="Tell the recipients of a wrong message",
            **policies.CORRECT,
        )
