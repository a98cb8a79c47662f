"""Keep the cards of a request for approval true, wherever people see them, and record who was told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.ports import AskCards, CardsShown, Ledger, RoleDirectory
from countermand.canonical import digest
from countermand.governance.lanes import sent_to
from countermand.ledger.bodies import Body, CommsFailed, CommsSent
from countermand.ledger.record import Entry, Kind
from countermand.messages.ask_card import ask_card
from countermand.messages.incident import AskView, IncidentView, incident
from countermand.plan.target import Value
from countermand.playbook.model import Audience, Severity, Step

#: Pause before the end of a request is shown again to a service that gave no answer.
_SILENCE = timedelta(seconds=15)


class ShowRequest(Value):
    """`revision` grows with every change of the request; the workflow that owns the request counts it."""

    incident_id: str
    release_id: str
    ask_id: str
    revision: int


class ShowingActivities:
    """Ports: Ledger, AskCards, RoleDirectory; a clock."""

    def __init__(self, ledger: Ledger, cards: AskCards, people: RoleDirectory, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._cards = cards
        self._people = people
        self._clock = clock
        self._sharing = asyncio.Lock()

    @activity.defn(name="show_ask")
    async def show_ask(self, request: ShowRequest) -> CardsShown:
        """Show what the Ledger says now, and record every copy once, whether it came to be or not (COM-17).

        Raises ApplicationError after everything else has been done: with the delay a service asked for, or when it
        was silent about how a request ended. No later change would show that.
        """
        view = await self._view(request)
        if await self._share(request, view):
            view = await self._view(request)
        done = await self._cards.show(view, request.ask_id, request.revision)
        ask = _ask(request, view)
        facts_sha256 = digest(ask_card(view, ask))
        bodies: dict[str, Body] = {
            f"comms/slack/{copy.key}": CommsSent(
                step=Step.approval_asked.value,
                audience=Audience.approver.value,
                key=f"slack/{copy.key}",
                subject=f"{copy.subject} ({copy.place})",
                text_sha256=copy.text_sha256,
                channel="slack",
                facts_sha256=facts_sha256,
            )
            for copy in done.standing
        }
        if done.failed:
            key = f"comms_failed/slack/{request.ask_id}/{request.revision}"
            bodies[key] = CommsFailed(
                step=Step.approval_asked.value, audiences=(Audience.approver.value,), why="; ".join(done.failed)
            )
        await self._record(request, bodies)
        if done.retry_after is not None:
            raise ApplicationError(
                f"Slack asks to wait for {done.retry_after:g} s",
                type="ChannelBusy",
                next_retry_delay=timedelta(seconds=done.retry_after),
            )
        if done.silent and ask.closed is not None:
            raise ApplicationError(
                f"some cards do not say yet how it ended: {'; '.join(done.failed)}",
                type="ChannelSilent",
                next_retry_delay=_SILENCE,
            )
        return done

    async def _view(self, request: ShowRequest) -> IncidentView:
        view = incident(await self._ledger.records(incident_id=request.incident_id))
        if view is None:
            raise ValueError(f"incident {request.incident_id!r} is not in the ledger")
        return view

    async def _share(self, request: ShowRequest, view: IncidentView) -> bool:
        """Decide for people who were not asked yet whether they are called or only find it listed; True if any.

        One request after the other, so that two at once do not both take the last place of somebody's hour.
        """
        known = _ask(request, view).lanes
        people = [one for one in await self._cards.asked(view, request.ask_id) if one[0] not in known]
        if not people:
            return False
        severity = min(Severity(view.opened.severity), view.plan.severity if view.plan else Severity.sev4)
        async with self._sharing:
            limits = (await self._people.snapshot()).governance.limits
            before = await self._ledger.records(kinds=[Kind.ask_sent])
            sent = sent_to(before, request.ask_id, people, severity, self._clock(), limits)
            await self._record(request, {f"{request.ask_id}/sent/{one.subject}": one for one in sent})
        return True

    async def _record(self, request: ShowRequest, bodies: Mapping[str, Body]) -> None:
        """Once each: what was recorded first stands, whatever a later attempt would say."""
        entries: list[Entry] = []
        for key, body in bodies.items():
            if await self._ledger.find(key) is None:
                ids = {"incident_id": request.incident_id, "release_id": request.release_id}
                entries.append(body.entry(key, "worker", **ids))
        if entries:
            await self._ledger.append(*entries)


def _ask(request: ShowRequest, view: IncidentView) -> AskView:
    return next(ask for ask in view.asks if ask.opened.ask_id == request.ask_id)
