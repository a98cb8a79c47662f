"""Records and messages of one incident, told as activities; every workflow of an incident shares this."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.communicating import CommunicateRequest
from activities.recording import RecordingActivities, RecordRequest
from countermand import ids
from countermand.ledger.bodies import Body
from countermand.playbook.model import Playbook, Severity, Step
from workflows import policies
from workflows.messages import Messages, Telling, communicate
from workflows.recording import record


class Scribe:
    """Writes for one incident. `key` names an event once and for all: the same key is never recorded twice."""

    def __init__(self, incident_id: str, release_id: str, playbook: Playbook, severity: Severity) -> None:
        self._incident_id = incident_id
        self._release_id = release_id
        self._playbook = playbook
        self._reask_every = playbook.policy(severity).ask_again_every
        self._update_every = playbook.updates_every(severity)

    async def record(self, key: str, body: Body, summary: str) -> None:
        await record(self._incident_id, self._release_id, key, body, summary)

    async def tell(self, step: Step, occasion: str) -> None:
        """Have every audience of the step told what the Ledger says now; how words reach people is not waited for.

        Where nobody takes it over, after the incident, people are told from here.
        """
        audiences = self._playbook.audiences(step)
        if not audiences:
            return
        words = step.value.replace("_", " ")
        now = await workflow.execute_activity_method(
            RecordingActivities.record,
            RecordRequest(),
            summary=f"What is known when people are told: {words}",
            **policies.RECORD,
        )
        telling = Telling(
            step=step,
            occasion=occasion,
            audiences=audiences,
            reask_every=self._reask_every,
            update_every=self._update_every,
            as_of=now.seq,
        )
        try:
            await self._messages.signal(Messages.tell, telling)
        except ApplicationError:
            await communicate(
                CommunicateRequest(
                    incident_id=self._incident_id,
                    release_id=self._release_id,
                    step=step,
                    audiences=audiences,
                    occasion=occasion,
                    reask_every=self._reask_every,
                    as_of=now.seq,
                )
            )

    async def finish(self) -> None:
        """Nothing more is promised to anybody; what is left to say is still said."""
        try:
            await self._messages.signal(Messages.finish)
        except ApplicationError as error:
            workflow.logger.warning("messages of %s: %s", self._incident_id, error)

    @property
    def _messages(self) -> workflow.ExternalWorkflowHandle[Messages]:
        return workflow.get_external_workflow_handle_for(Messages.run, ids.messages_workflow(self._incident_id))
