"""Keep the cards of a request for approval true, wherever people see them, and record who was told."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.ports import AskCards, CardsShown, Ledger
from countermand.canonical import digest
from countermand.ledger.bodies import Body, CommsFailed, CommsSent
from countermand.ledger.record import Entry
from countermand.messages.ask_card import ask_card
from countermand.messages.incident import incident
from countermand.plan.target import Value
from countermand.playbook.model import Audience, Step


class ShowRequest(Value):
    """`revision` grows with every change of the request; the workflow that owns the request counts it."""

    incident_id: str
    release_id: str
    ask_id: str
    revision: int


class ShowingActivities:
    """Ports: Ledger, AskCards."""

    def __init__(self, ledger: Ledger, cards: AskCards) -> None:
        self._ledger = ledger
        self._cards = cards

    @activity.defn(name="show_ask")
    async def show_ask(self, request: ShowRequest) -> CardsShown:
        """Show what the Ledger says now, and record every copy once, whether it came to be or not (COM-17).

        Raises ApplicationError with the delay a service asked for, after everything else has been done.
        """
        view = incident(await self._ledger.records(incident_id=request.incident_id))
        if view is None:
            raise ValueError(f"incident {request.incident_id!r} is not in the ledger")
        done = await self._cards.show(view, request.ask_id, request.revision)
        ask = next(ask for ask in view.asks if ask.opened.ask_id == request.ask_id)
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
        return done

    async def _record(self, request: ShowRequest, bodies: dict[str, Body]) -> None:
        """Once each: what was recorded first stands, whatever a later attempt would say."""
        entries: list[Entry] = []
        for key, body in bodies.items():
            if await self._ledger.find(key) is None:
                ids = {"incident_id": request.incident_id, "release_id": request.release_id}
                entries.append(body.entry(key, "worker", **ids))
        if entries:
            await self._ledger.append(*entries)
