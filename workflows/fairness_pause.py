"""The pause of one incident while a pattern of unfairness is looked into (GOV-32, GOV-36)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Literal

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

from activities.briefing import Brief
from activities.gating import Gated
from activities.investigating import InvestigatingActivities, RegisteredRequest, RegisteredSince
from countermand import ids
from countermand.governance.decision import Decision, DecisionKind
from countermand.governance.investigation import REVIEWER, with_reviewer
from countermand.ledger.bodies import GlassBroken, InvestigationOverridden
from countermand.messages.facts import utc
from countermand.playbook.model import ApprovalPolicy, Severity
from workflows import policies
from workflows.incident_steps import TIGHTEN, Case, Closing
from workflows.investigation import Investigation, InvestigationInput, InvestigationResult, Moved
from workflows.phases import Phases
from workflows.scribe import Scribe

Investigating = ChildWorkflowHandle[Investigation, InvestigationResult]


class FairnessPause:
    """At most one investigation at a time; nobody is taken back because of unfairness before its finding."""

    def __init__(self, case: Case, brief: Brief, scribe: Scribe, phases: Phases, ends_by: datetime) -> None:
        self._case = case
        self._brief = brief
        self._scribe = scribe
        self._phases = phases
        self._ends_by = ends_by
        self._number = self._overridden = self._moves = 0
        self._child: Investigating | None = None
        self._result: InvestigationResult | None = None
        self._found_at = ends_by
        self._moved: Moved | None = None
        self._seen: set[str] = set()
        self._note = ""

    @property
    def running(self) -> bool:
        return self._child is not None and self._result is None and not self._child.done()

    @property
    def outcome(self) -> str:
        """What was found; empty before."""
        return self._result.outcome if self._result else ""

    def moved(self, moved: Moved) -> None:
        """A finding is waited for until another time."""
        self._moved = moved
        self._moves += 1

    def policy(self, policy: ApprovalPolicy) -> ApprovalPolicy:
        """How people are asked: with a fairness reviewer once the finding is to go back."""
        return with_reviewer(policy) if self.outcome == "revert" else policy

    async def begin(self, because: tuple[str, ...], severity: Severity) -> None:
        """Ask a fairness reviewer, once."""
        if self._child is not None:
            return
        self._number += 1
        incident_id = self._case.incident_id
        investigation_id = ids.investigation_id(incident_id, self._number)
        window = self._brief.playbook.investigation.window
        until = min(workflow.now() + window, self._ends_by)
        self._moved = Moved(until=until, sentence="Paused before anybody is taken back; a fairness reviewer is asked.")
        self._child = await workflow.start_child_workflow(
            Investigation.run,
            InvestigationInput(
                investigation_id=investigation_id,
                incident_id=incident_id,
                because=because,
                severity=severity,
                brief=self._brief,
                ends_by=self._ends_by,
            ),
            id=ids.investigation_workflow(workflow.info().workflow_id, self._number),
            parent_close_policy=ParentClosePolicy.ABANDON,
            search_attributes=self._case.labels,
            static_summary=f"Investigation {self._number} of {incident_id}",
        )

    def reopen(self) -> None:
        """What was found does not help: it is looked into anew."""
        self._child = self._result = None

    async def overridden_by(self, gated: Gated, severity: Severity) -> None:
        """Serious harm of another kind goes its own way; a reviewer is told, and the investigation runs beside it."""
        await self.begin(gated.fairness, severity)
        what = " and ".join(gated.triggers)
        if self.running and what not in self._seen:
            self._seen.add(what)
            sentence = f"The pause does not hold trigger {what}: serious harm that is not about fairness."
            await self._override("trigger", what, sentence)

    async def overridden_in_person(self, broken: GlassBroken) -> None:
        """Somebody broke the glass; their harm and reason stand in the record of it."""
        if self.running:
            does = broken.emergency.replace("_", " ")
            sentence = (
                f"{broken.name} broke the glass ({does}) while unfairness is looked into; the harm and the reason "
            )
            await self._override("person", broken.decision_id, f"{sentence}stand in the record of break-glass.")

    async def wait(self, disturbed: Callable[[], bool], also: str = "") -> InvestigationResult | None:
        """Wait for the finding; None when something else has to be looked at first, or the incident's time is over.
        also: what people are told besides."""
        child = self._child
        if child is None:
            return self._result
        while self._result is None:
            moved = self._moved or Moved(until=self._ends_by, sentence="")
            then = "then executives are told, and it stays as it is"
            await self._phases.enter(
                "paused_for_investigation",
                f"{moved.sentence} Nothing is changed until the finding; the rollout stays where it is. "
                f"Without one by {utc(moved.until)}: {then}.{also and f' {also}'}",
                moved.until,
                waiting_for=REVIEWER,
            )
            await self._something(child, disturbed)
            if child.done():
                self._result, self._found_at = await child, workflow.now()
            elif disturbed() or workflow.now() >= self._ends_by:
                return None
        return self._result

    async def _something(self, child: Investigating, disturbed: Callable[[], bool]) -> None:
        """Until the finding, something that comes before it, another end of the window, or the end of all time."""
        count = self._moves
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: child.done() or disturbed() or self._moves != count,
                timeout=max(self._ends_by - workflow.now(), timedelta(milliseconds=1)),
                timeout_summary="the end of the incident's time",
            )

    async def adjusted(self) -> Closing | None:
        """Hold until people say that the adjusted candidate is registered, or want it looked into again."""
        service = self._brief.release.service
        answer = await self._phases.wait_for(
            "held",
            f"{self._note or self._sentence} Not rolled back: {service} is adjusted as the finding says. Resume = the "
            "adjusted candidate is registered, close. Ask again = look into it once more.",
            (DecisionKind.resume, DecisionKind.ask_again, DecisionKind.abort),
        )
        if answer is None:
            return None
        who = answer.actor.printed_name
        if answer.kind is DecisionKind.abort:
            return Closing(outcome="aborted", sentence=f"Aborted by {who}.")
        if answer.kind is DecisionKind.ask_again:
            self.reopen()
            return None
        return await self._confirmed(answer)

    async def _confirmed(self, answer: Decision) -> Closing | None:
        try:
            registered = await workflow.execute_activity_method(
                InvestigatingActivities.registered_since,
                RegisteredRequest(release=self._brief.release, since=self._found_at),
                summary="Is the adjusted candidate registered?",
                **policies.read_target(),
            )
        except ActivityError:
            registered = RegisteredSince(release_id="", name="")
        if not registered.release_id:
            self._note = "No other candidate was registered since the finding, so it stays as it is."
            return None
        return Closing(
            outcome="adjusted",
            sentence=f"{answer.actor.printed_name} confirmed that {registered.name} ({registered.release_id}) is "
            "registered as the finding asked; nobody was taken back.",
        )

    async def continued(self) -> Closing:
        """The candidate stays, and its watch begins anew with half the time of lasting damage."""
        watch = workflow.get_external_workflow_handle(ids.watch_workflow(self._case.environment, self._case.release_id))
        try:
            await watch.signal(TIGHTEN, workflow.now())
            then = "Its watch begins anew and needs half as long to fire."
        except FailureError:
            then = "Its watch is over, so nothing watches it more closely."
        return Closing(outcome="continued", sentence=f"{self._sentence} {then}")

    @property
    def _sentence(self) -> str:
        return self._result.sentence if self._result else ""

    async def _override(self, by: Literal["trigger", "person"], what: str, sentence: str) -> None:
        self._overridden += 1
        investigation_id = ids.investigation_id(self._case.incident_id, self._number)
        body = InvestigationOverridden(investigation_id=investigation_id, by=by, what=what, sentence=sentence)
        key = f"investigation/{investigation_id}/overridden/{self._overridden}"
        await self._scribe.record(key, body, "Something goes on beside the pause")
