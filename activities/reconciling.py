"""Does something still work on every incident that the record says is open (T22)?

Whoever reaches the Temporal service can end a workflow or delete its history, and nothing inside it could say so. The
worker compares the record with what runs; what is missing is recorded, people are told, and the release can have a new
incident. Nothing is done to users' traffic.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import Protocol

from activities.ports import Channel, Ledger, Message
from countermand.canonical import digest, digest_bytes
from countermand.ledger.bodies import CommsFailed, CommsSent, IncidentOpened, IncidentUnattended
from countermand.ledger.record import Kind, Record
from countermand.playbook.terms import Audience, Step

_log = logging.getLogger(__name__)

#: Seconds between two looks. A workflow that a look misses and the next one misses too is gone.
EVERY = 30.0
_TOLD = (Audience.operator, Audience.approver)


class Executions(Protocol):
    """What the Temporal service knows of a workflow."""

    async def missing(self, workflow_id: str, at: datetime) -> str:
        """Empty while the one that worked under this id at that time runs, else what happened to it in words.

        Raises ConnectionError when nobody can say.
        """
        ...


class Reconciler:
    """Ports: Ledger, Executions, Channel."""

    def __init__(self, ledger: Ledger, executions: Executions, channel: Channel, console_url: str) -> None:
        self._ledger = ledger
        self._executions = executions
        self._channel = channel
        self._console_url = console_url
        self._missed: set[str] = set()

    async def keep(self) -> None:
        """Look again and again, until cancelled; a look that fails is logged, and the next one comes."""
        while True:
            try:
                await self.look()
            except Exception:
                _log.exception("open incidents could not be compared with what runs")
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Record every incident that was missed now and at the look before, and tell people."""
        missed: dict[str, str] = {}
        for opened in await self._open():
            if opened.incident_id is None:
                continue
            try:
                body = IncidentOpened.model_validate(opened.body)
                found = await self._executions.missing(body.workflow_id, opened.at)
                if found:
                    missed[opened.incident_id] = found
                    if opened.incident_id in self._missed:
                        await self._say(opened, found)
            except Exception:  # one incident that nobody can ask about must not hide the others
                _log.exception("incident %s could not be compared with what runs", opened.incident_id)
        self._missed = set(missed)

    async def _open(self) -> list[Record]:
        """The opening records of incidents that are neither closed nor known to be unattended."""
        about = (Kind.incident_opened, Kind.incident_closed, Kind.incident_unattended, Kind.incident_phase)
        newest: dict[str | None, Kind] = {}
        opened: list[Record] = []
        for record in await self._ledger.records(kinds=about):
            newest[record.incident_id] = record.kind
            if record.kind is Kind.incident_opened:
                opened.append(record)
        over = (Kind.incident_closed, Kind.incident_unattended)
        return [record for record in opened if newest[record.incident_id] not in over]

    async def _say(self, opened: Record, found: str) -> None:
        body = IncidentOpened.model_validate(opened.body)
        incident_id, release_id = opened.incident_id or "", opened.release_id or ""
        unattended = IncidentUnattended(
            workflow_id=body.workflow_id,
            found=found,
            sentence=f"Nothing works on this incident any more: {found}. Users stay on the share they have. Find out "
            "who did this, look at the target, and declare the incident again on the page of the release.",
        )
        # One per state of the record: an incident that went on and is missed again is said again.
        key = f"{incident_id}/unattended/{await self._newest(incident_id)}"
        await self._ledger.append(unattended.entry(key, "worker", incident_id=incident_id, release_id=release_id))
        for audience in _TOLD:
            await self._tell(key, opened, audience, unattended)

    async def _newest(self, incident_id: str) -> int:
        kinds = (Kind.incident_opened, Kind.incident_phase)
        return (await self._ledger.records(incident_id=incident_id, kinds=kinds))[-1].seq

    async def _tell(self, key: str, opened: Record, audience: Audience, said: IncidentUnattended) -> None:
        body = IncidentOpened.model_validate(opened.body)
        link = f"{self._console_url}/incidents/{opened.incident_id}"
        text = f"{said.sentence}\n\nRelease: {opened.release_id} ({body.service} in {body.environment})\n{link}\n"
        message = Message(
            key=f"{key}/{audience}",
            incident_id=opened.incident_id or "",
            step=Step.revert_stopped,
            audience=audience,
            subject=f"[{body.severity}] {body.service}: nothing works on incident {opened.incident_id} any more",
            text=text,
            facts_sha256=digest(said.model_dump(mode="json")),
        )
        receipt = await self._channel.send(message)
        ids = {"incident_id": opened.incident_id, "release_id": opened.release_id}
        sent = CommsSent(
            step=message.step.value,
            audience=audience.value,
            key=message.key,
            subject=message.subject,
            text_sha256=digest_bytes(text.encode()),
            channel=receipt.channel,
            facts_sha256=message.facts_sha256,
        )
        entries = [sent.entry(f"comms/{message.key}", "worker", **ids)]
        if receipt.tried:
            failed = CommsFailed(step=sent.step, audiences=(audience.value,), why="; ".join(receipt.tried))
            entries.insert(0, failed.entry(f"comms_failed/{message.key}", "worker", **ids))
        await self._ledger.append(*entries)
