"""Records and messages of one incident, told as activities; every workflow of an incident shares this."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.communicating import CommunicateRequest, CommunicatingActivities
from activities.recording import RecordingActivities, RecordRequest
from countermand.ledger.bodies import Body, CommsFailed
from countermand.playbook.model import Playbook, Severity, Step
from workflows import policies


class Scribe:
    """Writes for one incident. `key` names an event once and for all: the same key is never recorded twice."""

    def __init__(self, incident_id: str, release_id: str, playbook: Playbook, severity: Severity) -> None:
        self._incident_id = incident_id
        self._release_id = release_id
        self._playbook = playbook
        self._reask_every = playbook.policy(severity).ask_again_every

    async def record(self, key: str, body: Body, summary: str) -> None:
        entry = body.entry(
            f"{self._incident_id}/{key}", "worker", incident_id=self._incident_id, release_id=self._release_id
        )
        await workflow.execute_activity_method(
            RecordingActivities.record, RecordRequest(entries=(entry,)), summary=summary, **policies.RECORD
        )

    async def tell(self, step: Step, occasion: str) -> None:
        """Tell every audience of the step; a message that cannot be sent is recorded and stops nothing (REL-6)."""
        audiences = self._playbook.audiences(step)
        words = step.value.replace("_", " ")
        try:
            await workflow.execute_activity_method(
                CommunicatingActivities.communicate,
                CommunicateRequest(
                    incident_id=self._incident_id,
                    release_id=self._release_id,
                    step=step,
                    audiences=audiences,
                    occasion=occasion,
                    reask_every=self._reask_every,
                ),
                summary=f"Tell people: {words}",
                **policies.TELL,
            )
        except ActivityError as error:
            failed = CommsFailed(step=step.value, audiences=audiences, why=str(error.cause or error))
            await self.record(f"comms_failed/{step.value}/{occasion}", failed, f"Could not tell people: {words}")
