"""Tell people beside the rollback: nothing waits for words, each audience hears in order, promised updates come.

Outside the responders every message says when the next one comes. A durable timer stands behind it and ends with the
incident (COM-19, COM-24).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.communicating import Communicated, CommunicateRequest, CommunicatingActivities
from countermand.ledger.bodies import CommsFailed, UpdateOverdue
from countermand.plan.target import Value
from countermand.playbook.model import Audience, Step
from countermand.playbook.terms import PROMISED
from countermand.playbook.units import Duration
from workflows import policies
from workflows.recording import record

#: A promised update is sent this long before its time, or after two thirds of a short time.
_LEAD = timedelta(minutes=10)


class MessagesInput(Value):
    """The incident whose people are told, at most for `time_limit`."""

    incident_id: str
    release_id: str
    time_limit: Duration


class Telling(Value):
    """What is told to whom. `as_of`: the newest record it is about, so that waiting does not change what it says."""

    step: Step
    occasion: str
    audiences: tuple[Audience, ...]
    reask_every: Duration
    update_every: Duration
    as_of: int | None = None


@dataclass
class _Lane:
    """One audience: what it has to hear, and until when it has to hear something again.

    `promise` is the key of the message that said so; None when no message did, because it reached nobody.
    """

    audience: Audience
    waiting: deque[Telling] = field(default_factory=deque)
    last: Telling | None = None
    busy: bool = False
    until: datetime | None = None
    promise: str | None = None
    tried: bool = False
    updates: int = 0

    @property
    def silent(self) -> bool:
        return not self.waiting and not self.busy and self.until is None

    @property
    def acts_at(self) -> datetime | None:
        """When it is time for an update, or for saying that none came."""
        if self.until is None or self.last is None:
            return None
        return self.until if self.tried else self.until - min(_LEAD, self.last.update_every / 3)

    def update(self) -> Telling | None:
        """The promised update, with the newest facts."""
        if self.last is None:
            return None
        self.tried = True
        self.updates += 1
        changes = {"step": Step.periodic_update, "occasion": str(self.updates), "as_of": None}
        return self.last.model_copy(update=changes)


async def communicate(request: CommunicateRequest) -> Communicated:
    """Tell; a message that cannot be sent is recorded and stops nothing (REL-6)."""
    words = request.step.value.replace("_", " ")
    try:
        return await workflow.execute_activity_method(
            CommunicatingActivities.communicate, request, summary=f"Tell people: {words}", **policies.TELL
        )
    except ActivityError as error:
        failed = CommsFailed(step=request.step.value, audiences=request.audiences, why=str(error.cause or error))
        key = f"comms_failed/{request.step.value}/{request.occasion}/{'+'.join(request.audiences)}"
        await record(request.incident_id, request.release_id, key, failed, f"Could not tell people: {words}")
        return Communicated(sent=0, reached=False)


@workflow.defn(name="Messages")
class Messages:
    """Ends when the incident is over and everything is said."""

    @workflow.init
    def __init__(self, request: MessagesInput) -> None:
        self._request = request
        self._lanes = {audience: _Lane(audience) for audience in Audience}
        self._over = False

    @workflow.run
    async def run(self, request: MessagesInput) -> None:
        speaking = [asyncio.create_task(self._speak(lane)) for lane in self._lanes.values()]
        try:
            await workflow.wait_condition(
                lambda: self._over, timeout=request.time_limit, timeout_summary="the incident fell silent"
            )
        except TimeoutError:
            self._over = True
        await asyncio.gather(*speaking)

    @workflow.signal
    def tell(self, telling: Telling) -> None:
        """Each audience hears it after everything it was told before."""
        for audience in telling.audiences:
            self._lanes[audience].waiting.append(telling)

    @workflow.signal
    def finish(self) -> None:
        """The incident is over: say what is left to say, and promise nothing more."""
        self._over = True

    # --- one audience -------------------------------------------------------------------------------------------

    @property
    def _done(self) -> bool:
        return self._over and all(lane.silent for lane in self._lanes.values())

    async def _speak(self, lane: _Lane) -> None:
        while not self._done:
            telling = await self._next(lane)
            if telling is not None:
                lane.busy = True
                await self._send(lane, telling)
                lane.busy = False

    async def _next(self, lane: _Lane) -> Telling | None:
        """What has to be said now; None: look again."""
        acts_at = lane.acts_at

        def now() -> bool:
            return bool(lane.waiting) or self._done or (self._over and lane.until is not None)

        if await _before(acts_at, now, f"next update to {lane.audience.value}"):
            if lane.waiting:
                return lane.waiting.popleft()
            return lane.update() if lane.until is not None else None
        if not lane.tried:
            return lane.update()
        await self._overdue(lane)
        if lane.last is not None:
            lane.until, lane.tried = workflow.now() + lane.last.update_every, False
        return None

    async def _send(self, lane: _Lane, telling: Telling) -> None:
        lane.last = telling
        may_promise = lane.audience in PROMISED and not self._over
        request = CommunicateRequest(
            incident_id=self._request.incident_id,
            release_id=self._request.release_id,
            step=telling.step,
            audiences=(lane.audience,),
            occasion=telling.occasion,
            reask_every=telling.reask_every,
            as_of=telling.as_of,
            next_update_at=workflow.now() + telling.update_every if may_promise else None,
            keeps=lane.promise,
        )
        sending = asyncio.create_task(communicate(request))
        if lane.promise is not None and not await _before(lane.until, sending.done, "the promised update is due"):
            await self._overdue(lane)
        told = await sending
        if told.reached:
            lane.until, lane.tried = told.promised, False
            lane.promise = request.key(lane.audience) if told.promised else None
        elif self._over:
            await self._overdue(lane)
            lane.until = None
        elif may_promise and lane.until is None:
            lane.until, lane.tried = request.next_update_at, False

    async def _overdue(self, lane: _Lane) -> None:
        """A promise was not kept; people see it in the timeline and in the review."""
        if lane.promise is None or lane.until is None:
            return
        overdue = UpdateOverdue(audience=lane.audience.value, key=lane.promise, until=lane.until)
        key, lane.promise = f"update/{lane.promise}/overdue", None
        incident_id, release_id = self._request.incident_id, self._request.release_id
        await record(incident_id, release_id, key, overdue, f"Update to {lane.audience.value} is overdue")


async def _before(at: datetime | None, condition: Callable[[], bool], what: str) -> bool:
    """Wait for the condition; False when `at` came first."""
    if at is None:
        await workflow.wait_condition(condition)
        return True
    try:
        await workflow.wait_condition(
            condition, timeout=max(at - workflow.now(), timedelta(milliseconds=1)), timeout_summary=what
        )
    except TimeoutError:
        return False
    return True
