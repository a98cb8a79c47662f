"""Tell every audience of a step, once each, from one list of facts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from enum import Enum

from temporalio import activity

from activities.heartbeat import heartbeating
from activities.ports import Channel, Ledger, Message, Receipt, Renderer
from countermand.canonical import digest, digest_bytes
from countermand.ledger.bodies import Body, CommsCorrected, CommsFailed, CommsSent, UpdateKept, UpdatePromised
from countermand.messages.correction import correction_text
from countermand.messages.facts import NO_PROMISE, facts
from countermand.messages.incident import incident
from countermand.plan.target import Value
from countermand.playbook.model import Audience, Step
from countermand.playbook.terms import PROMISED
from countermand.playbook.units import Duration

#: Messages of one step on their way at the same time.
_AT_ONCE = 5
#: Who is told before the others.
_FIRST = (Audience.approver, Audience.operator)


class CommunicateRequest(Value):
    """`occasion` tells repeated steps apart (an ask id, a stage number).

    as_of: the newest record that counts, so that a message that had to wait still tells what it is about.
    next_update_at: what may be promised; `keeps`: key of the message whose promise this one keeps.
    """

    incident_id: str
    release_id: str
    step: Step
    audiences: tuple[Audience, ...]
    occasion: str
    reask_every: Duration
    as_of: int | None = None
    next_update_at: datetime | None = None
    keeps: str | None = None

    def key(self, audience: Audience) -> str:
        """Names one message once and for all."""
        return f"{self.incident_id}/{self.step}/{self.occasion}/{audience}"


class CorrectRequest(Value):
    """What is to be put right stands in the Ledger under this id."""

    correction_id: str


class Communicated(Value):
    """How many messages were delivered to a channel now; whether everybody has theirs by now and was reached; and when
    the next one was promised to them."""

    sent: int
    reached: bool = True
    promised: datetime | None = None


class _Told(Enum):
    sent = "sent now"
    known = "sent before"
    failed = "reached nobody"


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
        records = await self._ledger.records(incident_id=request.incident_id)
        view = incident(one for one in records if request.as_of is None or one.seq <= request.as_of)
        if view is None:
            raise ValueError(f"incident {request.incident_id!r} is not in the ledger")
        if view.closed is not None:  # nothing more can be promised
            request = request.model_copy(update={"next_update_at": None})
        known = facts(
            view,
            step=request.step,
            console_url=self._console_url,
            reask_every=request.reask_every,
            next_update_at=request.next_update_at,
        )
        at_once = asyncio.Semaphore(_AT_ONCE)
        no_timer = view.closed is None and request.next_update_at is None

        async def told(audience: Audience) -> _Told:
            said = known | {"next_update": NO_PROMISE} if no_timer and audience in PROMISED else known
            async with at_once:
                return await self._tell(request, audience, said)

        async with heartbeating():
            done = await asyncio.gather(*map(told, sorted(request.audiences, key=_later)), return_exceptions=True)
        # Everybody else has been told by now; trying again goes on where it stopped.
        for outcome in done:
            if isinstance(outcome, BaseException):
                raise outcome
        reached = _Told.failed not in done
        promised = request.next_update_at if reached else None
        return Communicated(sent=done.count(_Told.sent), reached=reached, promised=promised)

    async def _tell(self, request: CommunicateRequest, audience: Audience, known: dict[str, object]) -> _Told:
        """What happened to the message is recorded before this returns."""
        key = request.key(audience)
        if await self._ledger.find(f"comms/{key}"):
            return _Told.known
        try:
            subject, text = self._renderer.render(request.step, audience, known)
        except ValueError as error:  # trying again cannot help; the other audiences are told all the same
            failed = CommsFailed(step=request.step.value, audiences=(audience.value,), why=str(error))
            ids = {"incident_id": request.incident_id, "release_id": request.release_id}
            await self._ledger.append(failed.entry(f"comms_failed/{key}", "worker", **ids))
            return _Told.failed
        message = Message(
            key=key,
            incident_id=request.incident_id,
            step=request.step,
            audience=audience,
            subject=subject,
            text=text,
            facts_sha256=digest(known),
        )
        receipt = await self._deliver(message, request.release_id, await self._beside(request, audience))
        return _Told.sent if receipt.reached else _Told.failed

    async def _beside(self, request: CommunicateRequest, audience: Audience) -> dict[str, Body]:
        """What is recorded beside a message that reaches people: the promise it makes, and the one it keeps."""
        key = request.key(audience)
        bodies: dict[str, Body] = {}
        if request.next_update_at is not None:
            promised = UpdatePromised(audience=audience.value, key=key, until=request.next_update_at)
            bodies[f"update/{key}/promised"] = promised
        if request.keeps is not None and await self._ledger.find(f"update/{request.keeps}/kept") is None:
            kept = UpdateKept(audience=audience.value, key=request.keeps, by=key)
            bodies[f"update/{request.keeps}/kept"] = kept
        return bodies

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
            await self._deliver(message, ordered.release_id, {})
        return Communicated(sent=1)

    async def _deliver(self, message: Message, release_id: str, beside: Mapping[str, Body]) -> Receipt:
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
        if receipt.reached:
            entries += [body.entry(idem_key, "worker", **ids) for idem_key, body in beside.items()]
        await self._ledger.append(*entries)
        return receipt


def _later(audience: Audience) -> bool:
    """Sort key: people who have to act come first (COM-28)."""
    return audience not in _FIRST
