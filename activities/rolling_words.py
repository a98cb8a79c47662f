"""Tell people about a rollout: started, going on, held, over."""

from __future__ import annotations

from temporalio import activity

from activities.heartbeat import heartbeating
from activities.ports import Channel, Ledger, Message, Renderer
from countermand.canonical import digest, digest_bytes
from countermand.ledger.bodies import CommsFailed, CommsSent
from countermand.messages.rollout import facts
from countermand.plan.target import Value
from countermand.playbook.model import Audience, Step
from countermand.rollout.view import rollouts


class TellRollout(Value):
    """`occasion` tells repeated steps apart."""

    rollout_id: str
    release_id: str
    step: Step
    occasion: str
    audiences: tuple[Audience, ...]


class RolloutTold(Value):
    """How many audiences were told now."""

    sent: int


class RolloutWords:
    """Ports: Ledger, Renderer, Channel. `console_url` is where links point."""

    def __init__(self, ledger: Ledger, renderer: Renderer, channel: Channel, console_url: str) -> None:
        self._ledger = ledger
        self._renderer = renderer
        self._channel = channel
        self._console_url = console_url

    @activity.defn(name="tell_rollout")
    async def tell_rollout(self, request: TellRollout) -> RolloutTold:
        """Render and send; idempotent by rollout, step, occasion and audience (COM-15)."""
        found = rollouts(await self._ledger.records(release_id=request.release_id))
        view = next((one for one in found if one.plan.rollout_id == request.rollout_id), None)
        if view is None:
            raise ValueError(f"rollout {request.rollout_id!r} is not in the ledger")
        known = facts(view, step=request.step, console_url=self._console_url)
        sent = 0
        async with heartbeating():
            for audience in request.audiences:
                sent += await self._tell(request, audience, known)
        return RolloutTold(sent=sent)

    async def _tell(self, request: TellRollout, audience: Audience, known: dict[str, object]) -> bool:
        key = f"{request.rollout_id}/{request.step}/{request.occasion}/{audience}"
        if await self._ledger.find(f"comms/{key}"):
            return False
        try:
            subject, text = self._renderer.render(request.step, audience, known)
        except ValueError as error:  # trying again cannot help
            failed = CommsFailed(step=request.step.value, audiences=(audience.value,), why=str(error))
            await self._ledger.append(failed.entry(f"comms_failed/{key}", "worker", release_id=request.release_id))
            return False
        message = Message(
            key=key,
            incident_id="",
            release_id=request.release_id,
            step=request.step,
            audience=audience,
            subject=subject,
            text=text,
            facts_sha256=digest(known),
        )
        receipt = await self._channel.send(message)
        message = receipt.instead or message
        body = CommsSent(
            step=message.step.value,
            audience=message.audience.value,
            key=message.key,
            subject=message.subject,
            text_sha256=digest_bytes(message.text.encode()),
            channel=receipt.channel,
            facts_sha256=message.facts_sha256,
        )
        await self._ledger.append(body.entry(f"comms/{key}", "worker", release_id=request.release_id))
        return receipt.reached
