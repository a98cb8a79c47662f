"""People's time in a rehearsal without people: clocks of waiting workflows are moved forward, nobody really waits."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from countermand.plan.target import Value

#: Workflows that wait for people by themselves. The clock of one that has others under way cannot be moved, and what a
#: revert measures counts from its own clock: an incident and its reverts wait in real time, and people act on them.
_FOR_PEOPLE = ("Approval", "Consent", "Messages", "Obligations", "Investigation", "Review")
_PATIENCE = 1.5  # seconds for one clock: one that is busy is moved on by its own work


class Skip(Value):
    """`seconds` of people's time that passed at once, `at` this instant of the real clock."""

    at: datetime
    seconds: float


class PeoplesClock:
    """Moves every waiting workflow of one server together."""

    def __init__(self, temporal: WorkflowEnvironment) -> None:
        self._temporal = temporal
        self.skips: list[Skip] = []

    @property
    def skipped(self) -> float:
        """Seconds that did not have to be waited for so far."""
        return sum(one.seconds for one in self.skips)

    async def skip(self, seconds: float, now: datetime) -> None:
        """Let people's time pass."""
        if seconds <= 0:
            return
        client = self._temporal.client
        handles = [
            client.get_workflow_handle(found.id, run_id=found.run_id)
            async for found in client.list_workflows("ExecutionStatus = 'Running'")
            if found.workflow_type in _FOR_PEOPLE and found.status is WorkflowExecutionStatus.RUNNING
        ]
        await asyncio.gather(*(self._forward(handle, seconds) for handle in handles))
        self.skips.append(Skip(at=now, seconds=seconds))

    async def _forward(self, handle: WorkflowHandle[Any, Any], seconds: float) -> None:
        with suppress(RPCError, TimeoutError, RuntimeError):  # it ended, is busy, or was moved by a later skip
            await asyncio.wait_for(self._temporal.fast_forward(handle, timedelta(seconds=seconds)), _PATIENCE)
