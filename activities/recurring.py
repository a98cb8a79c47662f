"""The schedule of a release ends with the release."""

from __future__ import annotations

from typing import Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.ports import Catalogue, Ledger
from countermand import ids
from countermand.ledger.bodies import RolloutScheduled
from countermand.plan.target import Value


class Schedules(Protocol):
    """What starts a sandbox again and again."""

    async def remove(self, environment: str, release_id: str) -> bool:
        """End the schedule of a release; False when there is none."""
        ...


class EndIfClosed(Value):
    """`rollout_id`: the one that is due."""

    release_id: str
    environment: str
    rollout_id: str


class RecurringActivities:
    """Ports: Schedules, Catalogue, Ledger."""

    def __init__(self, schedules: Schedules, catalogue: Catalogue, ledger: Ledger) -> None:
        self._schedules = schedules
        self._catalogue = catalogue
        self._ledger = ledger

    @activity.defn(name="end_if_closed")
    async def end_if_closed(self, request: EndIfClosed) -> str:
        """End the schedule of a closed release and say so; empty, and nothing done, while it is open."""
        status = await self._catalogue.release(request.release_id)
        if status is None:
            raise ApplicationError(f"unknown release {request.release_id!r}", non_retryable=True)
        if status.closed_at is None:
            return ""
        await self._schedules.remove(request.environment, request.release_id)
        body = RolloutScheduled(
            environment=request.environment,
            every=None,
            name="Countermand",
            sentence=f"No sandbox starts by a schedule any more: the release is closed ({status.closed_why}).",
        )
        key = ids.rollout_record(request.rollout_id, "unscheduled")
        await self._ledger.append(body.entry(key, "worker", release_id=request.release_id))
        return body.sentence
