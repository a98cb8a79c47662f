"""Records and messages of one incident, told as activities; every workflow of an incident shares this."""

from __future__ import annotations

from temporalio import workflow

from activities.communicating import CommunicateRequest, CommunicatingActivities
from activities.recording import RecordingActivities, RecordRequest
from countermand.ledger.bodies import Body
from countermand.playbook.model import Playbook, Severity, Step
from workflows import policies


class Scribe:
    """Writes for one incident. `key` names an event once and for all: the same key is never recorded twice."""

    def __init__(self, incident_id: str, release_id: str, playbook: Playbook, severity: Severity) -> None:
        self._incident_id = incident_id
        self._release_id = release_id
        self._playbook = playbook
        self._reask_every = playbook.approvals[severity].ask_again_every

    async def record(self, key: str, body: Body, summary: str) -> None:
        entry = body.entry(
            f"{self._incident_id}/{key}", "worker", incident_id=self._incident_id, release_id=self._release_id
        )
        await workflow.execute_activity_method(
            RecordingActivities.record, RecordRequest(entries=(entry,)), summary=summary, **policies.RECORD
        )

    async def tell(self, step: Step, occasion: str) -> None:
        await workflow.execute_activity_method(
            CommunicatingActivities.communicate,
            CommunicateRequest(
                incident_id=self._incident_id,
                release_id=self._release_id,
                step=step,
                audiences=self._playbook.audiences(step),
                occasion=occasion,
                reask_every=self._reask_every,
            ),
            summary=f"Tell people: {step.value.replace('_', ' ')}",
            **policies.RECORD,
        )
