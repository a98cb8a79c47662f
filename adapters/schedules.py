"""Schedules of Temporal that start a sandbox again and again; implements Schedules."""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from countermand import ids

_WITHIN = timedelta(seconds=5)


class TemporalSchedules:
    """One client; a schedule is known by its release and environment."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def remove(self, environment: str, release_id: str) -> bool:
        """End the schedule of a release; False when there is none. Raises RPCError."""
        try:
            handle = self._client.get_schedule_handle(ids.sandbox_schedule(environment, release_id))
            await handle.delete(rpc_timeout=_WITHIN)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return True

    async def next_time(self, environment: str, release_id: str) -> datetime | None:
        """When the next sandbox is due; None when there is no schedule. Raises RPCError."""
        try:
            handle = self._client.get_schedule_handle(ids.sandbox_schedule(environment, release_id))
            found = await handle.describe(rpc_timeout=_WITHIN)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        return next(iter(found.info.next_action_times), None)
