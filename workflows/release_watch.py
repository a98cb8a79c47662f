"""Watch one release from registration to its end: long observing, a record of every change, an Incident on trigger."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from activities.recording import RecordingActivities, RecordRequest
from activities.watching import ObserveRequest, ObserveResult, WatchingActivities
from countermand import ids
from countermand.detection.models import VerdictWord, WatchVerdict
from countermand.ledger.bodies import VerdictChanged
from countermand.plan.target import Value
from countermand.playbook.model import Severity
from workflows import policies
from workflows.incident import Incident
from workflows.incident_steps import NOT_HEARD, TIGHTEN, Case
from workflows.visibility import show

#: Pause before observing is tried again after its activity failed for good.
_AFTER_FAILURE = timedelta(minutes=1)
#: How often and after which pause it is looked whether an incident that is closing has closed.
_TRIES, _UNTIL_CLOSED = 60, timedelta(seconds=1)


class WatchInput(Value):
    """A registered release. `seen`, `incidents` and `tightened_at` carry over when the watch continues as new.

    tightened_at: from this moment on it is watched more closely, as a finding about fairness asked.
    """

    release_id: str
    environment: str
    service: str
    playbook_digest: str
    started_at: datetime
    seen: str = ""
    incidents: int = 0
    tightened_at: datetime | None = None


@workflow.defn(name="ReleaseWatch")
class ReleaseWatch:
    """Ends when the release is closed or the watch reaches its declared length."""

    @workflow.init
    def __init__(self, watch: WatchInput) -> None:
        self._watch = watch
        self._seen = watch.seen
        self._incidents = watch.incidents
        self._tightened_at = watch.tightened_at

    @workflow.run
    async def run(self, watch: WatchInput) -> str:
        while True:
            show("watching", f"Watching {watch.release_id}: {self._seen or 'no verdict yet'}.")
            try:
                observed = await self._observe()
            except ActivityError:  # a watch never dies of a store that is down; it says that it is blind
                show("blind", "Observing failed and is tried again.")
                await workflow.sleep(_AFTER_FAILURE)
                continue
            if observed.reason == "over":
                show("over", "The watch is over.")
                await workflow.wait_condition(workflow.all_handlers_finished)
                return observed.why
            if observed.reason == "changed" and observed.verdict is not None:
                await self._react(observed, observed.verdict)
            if workflow.info().is_continue_as_new_suggested() and workflow.all_handlers_finished():
                carried = {"seen": self._seen, "incidents": self._incidents, "tightened_at": self._tightened_at}
                workflow.continue_as_new(watch.model_copy(update=carried))

    @workflow.signal(name=NOT_HEARD)
    async def not_heard(self, verdict: VerdictChanged) -> None:
        """A trigger came while an incident was closing, too late to act on it there: it opens the next incident."""
        for _ in range(_TRIES):
            if await self._start_incident(verdict):
                return
            await workflow.sleep(_UNTIL_CLOSED)
        await self._open_incident(verdict)

    @workflow.signal(name=TIGHTEN)
    def tighten(self, since: datetime) -> None:
        """Judge anew from this moment on, and need half as long to fire (GOV-34)."""
        self._tightened_at = since
        self._seen = ""

    async def _observe(self) -> ObserveResult:
        watch, since = self._watch, self._tightened_at
        observing = workflow.start_activity_method(
            WatchingActivities.observe,
            ObserveRequest(
                release_id=watch.release_id,
                playbook_digest=watch.playbook_digest,
                started_at=watch.started_at,
                seen=self._seen,
                pause_after=policies.OBSERVE_FOR,
                tightened_at=since,
            ),
            summary="Judge every block until something changes",
            **policies.OBSERVE,
        )
        await workflow.wait_condition(lambda: observing.done() or self._tightened_at != since)
        if not observing.done():
            observing.cancel()
            with suppress(ActivityError):
                await observing
            return ObserveResult(reason="pause", verdict=None, row_start=None, why="watched anew", signature="")
        return await observing

    async def _react(self, observed: ObserveResult, watch_verdict: WatchVerdict) -> None:
        self._seen = observed.signature
        verdict = VerdictChanged.of(workflow.info().workflow_id, watch_verdict)
        entry = verdict.entry(
            f"{verdict.watch_id}/verdict/{verdict.row}/{verdict.evidence_digest}",
            "worker",
            release_id=self._watch.release_id,
        )
        await workflow.execute_activity_method(
            RecordingActivities.record,
            RecordRequest(entries=(entry,)),
            summary=f"Verdict: {verdict.word}",
            **policies.RECORD,
        )
        if watch_verdict.word is VerdictWord.trigger:
            await self._open_incident(verdict)

    async def _open_incident(self, verdict: VerdictChanged) -> None:
        """Open the one Incident of this release, or tell the open one that its evidence changed (I1)."""
        if await self._start_incident(verdict):
            return
        handle = workflow.get_external_workflow_handle_for(Incident.run, self._incident_workflow)
        with suppress(FailureError):  # it may be closing in this very moment; its verdict is in the Ledger
            await handle.signal(Incident.evidence_changed, verdict)

    @property
    def _incident_workflow(self) -> str:
        return ids.incident_workflow(self._watch.environment, self._watch.service, self._watch.release_id)

    async def _start_incident(self, verdict: VerdictChanged) -> bool:
        """False when one is open already."""
        watch = self._watch
        case = Case(
            incident_id=ids.incident_id(watch.environment, watch.service, watch.release_id, self._incidents + 1),
            release_id=watch.release_id,
            environment=watch.environment,
            service=watch.service,
            severity=Severity(verdict.severity),
            verdict=verdict,
            opened_by="automation",
        )
        try:
            await workflow.start_child_workflow(
                Incident.run,
                case,
                id=self._incident_workflow,
                parent_close_policy=ParentClosePolicy.ABANDON,
                search_attributes=case.labels,
                static_summary=f"{case.incident_id}: {verdict.trigger} on {watch.release_id}",
            )
        except WorkflowAlreadyStartedError:
            return False
        self._incidents += 1
        return True
