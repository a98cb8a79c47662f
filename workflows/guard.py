"""After a rollback: whoever brings the bad version back opens an incident, and people hear of it (GOV-47)."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Literal

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from activities.communicating import CommunicateRequest
from activities.guarding import Guarded, GuardingActivities, GuardRequest
from countermand import ids
from countermand.canonical import digest
from countermand.ledger.bodies import GuardState, RequarantineBreach, VerdictChanged
from countermand.ledger.release_bodies import BREACH
from countermand.playbook.model import ALWAYS, Step
from workflows import policies
from workflows.guard_steps import GUARD, GuardInput
from workflows.incident import AUTOMATION, Incident
from workflows.incident_steps import Case
from workflows.messages import communicate
from workflows.recording import record
from workflows.visibility import show

#: Pause before looking is tried again after its activity failed for good.
_AFTER_FAILURE = timedelta(minutes=1)
#: What messages of an incident that is over say about being asked again.
_REASK_EVERY = timedelta(hours=1)


@workflow.defn(name=GUARD)
class GuardWatch:
    """Ends when the time is over, when people lift the quarantine, or with a breach: then an incident takes over."""

    @workflow.init
    def __init__(self, guard: GuardInput) -> None:
        self._guard = guard
        self._blind = guard.blind
        self._states = guard.states

    @workflow.run
    async def run(self, guard: GuardInput) -> str:
        if self._states == 0:
            await self._enter("watching", f"The target is looked at until {guard.until:%Y-%m-%d %H:%M} UTC.")
        while workflow.now() < guard.until:
            try:
                found = await self._look()
            except ActivityError as error:  # a guard never dies of a store that is down; it says that it is blind
                await self._turn_blind(f"Looking failed and is tried again: {error.cause or error}")
                await workflow.sleep(_AFTER_FAILURE)
                continue
            match found.reason:
                case "back" if found.breach is not None:
                    await self._raise(found.breach)
                    return found.sentence
                case "over":
                    break
                case "blind":
                    await self._turn_blind(found.sentence)
                case "watching":
                    self._blind = False
                    await self._enter("watching", found.sentence)
                case _:
                    pass
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(guard.model_copy(update={"blind": self._blind, "states": self._states}))
        else:
            last = "its time is over, but at the end nothing could be seen." if self._blind else "its time is over."
            found = Guarded(reason="over", sentence=last)
        await self._enter("over", f"The guard ended: {found.sentence}")
        return found.sentence

    async def _look(self) -> Guarded:
        guard = self._guard
        return await workflow.execute_activity_method(
            GuardingActivities.guard,
            GuardRequest(
                incident_id=guard.incident_id,
                environment=guard.environment,
                service=guard.service,
                until=guard.until,
                blind=self._blind,
                pause_after=policies.OBSERVE_FOR,
            ),
            summary="Look whether the bad version comes back",
            **policies.OBSERVE,
        )

    async def _turn_blind(self, sentence: str) -> None:
        if not self._blind:
            self._blind = True
            await self._enter("blind", sentence)

    async def _enter(self, state: Literal["watching", "blind", "over"], sentence: str) -> None:
        self._states += 1
        body = GuardState(state=state, sentence=sentence, until=self._guard.until)
        await self._record(f"guard/{self._states}", body, f"Guard: {state}")
        show(state, f"Guard: {state}.")

    async def _record(self, key: str, body: GuardState | RequarantineBreach, summary: str) -> None:
        await record(self._guard.incident_id, self._guard.release_id, key, body, summary)

    async def _raise(self, breach: RequarantineBreach) -> None:
        """Record it, and open an incident or tell the open one; automation moves nobody, people decide there."""
        await self._record("breach", breach, "A version in quarantine is back")
        show("breach", "A version in quarantine is back.", "incident_commander")
        guard = self._guard
        verdict = VerdictChanged(
            watch_id=workflow.info().workflow_id,
            word="trigger",
            severity=guard.severity.value,
            trigger=BREACH,
            sentence=breach.sentence,
            row=0,
            evidence_digest=digest(breach),
            verdicts=(),
        )
        workflow_id = ids.incident_workflow(guard.environment, guard.service, guard.release_id)
        case = Case(
            incident_id=ids.breach_incident_id(guard.incident_id),
            release_id=guard.release_id,
            environment=guard.environment,
            service=guard.service,
            severity=guard.severity,
            verdict=verdict,
            opened_by=AUTOMATION,
        )
        try:
            await workflow.start_child_workflow(
                Incident.run,
                case,
                id=workflow_id,
                parent_close_policy=ParentClosePolicy.ABANDON,
                search_attributes=case.labels,
                static_summary=f"{case.incident_id}: {verdict.trigger.replace('_', ' ')} on {guard.release_id}",
            )
        except WorkflowAlreadyStartedError:
            handle = workflow.get_external_workflow_handle_for(Incident.run, workflow_id)
            with suppress(FailureError):  # it may be closing in this very moment; the breach is in the Ledger
                await handle.signal(Incident.evidence_changed, verdict)
            await self._tell()

    async def _tell(self) -> None:
        """People hear of it from the incident that this opens; where one was open already, from the guarded one."""
        await communicate(
            CommunicateRequest(
                incident_id=self._guard.incident_id,
                release_id=self._guard.release_id,
                step=Step.requarantine_breach,
                audiences=ALWAYS[Step.requarantine_breach],
                occasion="breach",
                reask_every=_REASK_EVERY,
            )
        )
