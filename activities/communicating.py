"""Tell every audience of a step, once each, from one list of facts."""

from __future__ import annotations

import asyncio

from temporalio import activity

from activities.heartbeat import heartbeating
from activities.ports import Channel, Ledger, Message, Renderer
from countermand.canonical import digest, digest_bytes
from countermand.ledger.bodies import CommsCorrected, CommsFailed, CommsSent
from countermand.messages.correction import correction_text
from countermand.messages.facts import facts
from countermand.messages.incident import incident
from countermand.plan.target import Value
from countermand.playbook.model import Audience, Step
from countermand.playbook.units import Duration

#: Messages of one step on their way at the same time.
_AT_ONCE = 5
#: Who is told before the others.
_FIRST = (Audience.approver, Audience.operator)


class CommunicateRequest(Value):
    """`occasion` tells repeated steps apart (an ask id, a stage number)."""

    incident_id: str
    release_id: str
    step: Step
    audiences: tuple[Audience, ...]
    occasion: str
    reask_every: Duration


class CorrectRequest(Value):
    """What is to be put right stands in the Ledger under this id."""

    correction_id: str


class Communicated(Value):
    """How many messages were delivered to a channel."""

    sent: int


class CommunicatingActivities:
    """Ports: Ledger, Renderer, Channel. `console_url` is where links point."""

    def __init__(self, ledger: Ledger, renderer: Renderer, channel: Channel, console_url: str) -> None:
        self._ledger = ledger
        self._renderer = renderer
        self._channel = channel
        self._console_url = console_url

    @activity.defn(name="communicate")
    async def communicate(self, request: CommunicateRequest) -> Communicated:
        """Render and send; idempotent by incident, step, occasion and audience (COM-15)."""
        view = incident(await self._ledger.records(incident_id=request.incident_id))
        if view is None:
            raise ValueError(f"incident {request.incident_id!r} is not in the ledger")
        known = facts(view, step=request.step, console_url=self._console_url, reask_every=request.reask_every)
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def told(audience: Audience) -> bool:
            async with at_once:
                return await self._tell(request, audience, known)

        async with heartbeating():
            done = await asyncio.gather(*map(told, sorted(request.audiences, key=_later)), return_exceptions=True)
        # Everybody else has been told by now; trying again goes on where it stopped.
        for outcome in done:
            if isinstance(outcome, BaseException):
                raise outcome
        return Communicated(sent=sum(map(bool, done)))

    async def _tell(self, request: CommunicateRequest, audience: Audience, known: dict[str, object]) -> bool:
        """Was the message sent now? What happened to it is recorded before this returns."""
        key = f"{request.incident_id}/{request.step}/{request.occasion}/{audience}"
        if await self._ledger.find(f"comms/{key}"):
            return False
        try:
            subject, text = self._renderer.render(request.step, audience, known)
        except ValueError as error:  # trying again cannot help; the other audiences are told all the same
            failed = CommsFailed(step=request.step.value, audiences=(audience.value,), why=str(error))
            ids = {"incident_id": request.incident_id, "release_id": request.release_id}
            await self._ledger.append(failed.entry(f"comms_failed/{key}", "worker", **ids))
            return False
        message = Message(
            key=key,
            incident_id=request.incident_id,
            step=request.step,
            audience=audience,
            subject=subject,
            text=text,
            facts_sha256=digest(known),
        )
        await self._deliver(message, request.release_id)
        return True

    @activity.defn(name="correct")
    async def correct(self, request: CorrectRequest) -> Communicated:
        """Tell the audience of a wrong message, by its own route; idempotent by the order's id (COM-25)."""
        ordered = await self._ledger.find(f"correction/{request.correction_id}")
        if ordered is None or ordered.incident_id is None or ordered.release_id is None:
            raise ValueError(f"correction {request.correction_id!r} is not in the ledger")
        order = CommsCorrected.model_validate(ordered.body)
        wrong = await self._ledger.find(f"comms/{order.key}")
        if wrong is None:
            raise ValueError(f"message {order.key!r} is not in the ledger")
        if await self._ledger.find(f"comms/{order.message_key}"):
            return Communicated(sent=0)
        subject, text = correction_text(order, wrong.at)
        message = Message(
            key=order.message_key,
            incident_id=ordered.incident_id,
            step=Step(order.step),
            audience=Audience(order.audience),
            subject=subject,
            text=text,
            facts_sha256=digest(ordered.body),
        )
        async with heartbeating():
            await self._deliver(message, ordered.release_id)
        return Communicated(sent=1)

    async def _deliver(self, message: Message, release_id: str) -> None:
        """Send, and record what happened."""
        receipt = await self._channel.send(message)
        message = receipt.instead or message  # facts may have changed since the attempt that was cut off
        body = CommsSent(
            step=message.step.value,
            audience=message.audience.value,
            key=message.key,
            subject=message.subject,
            text_sha256=digest_bytes(message.text.encode()),
            channel=receipt.channel,
            facts_sha256=message.facts_sha256,
        )
        ids = {"incident_id": message.incident_id, "release_id": release_id}
        entries = [body.entry(f"comms/{message.key}", "worker", **ids)]
        if receipt.tried:
            why = f"{'; '.join(receipt.tried)}; taken by {receipt.channel}"
            failed = CommsFailed(step=message.step.value, audiences=(message.audience.value,), why=why)
            entries.insert(0, failed.entry(f"comms_failed/{message.key}", "worker", **ids))
        await self._ledger.append(*entries)


def _later(audience: Audience) -> bool:
    """Sort key: people who have to act come first (COM-28)."""
    return audience not in _FIRST
