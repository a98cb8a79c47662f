"""A targeted investigation of unfairness: measure, ask a fairness reviewer, remind, call, escalate, until a finding.

Time alone changes nothing: at the end of a window executives are told, and everything stays held (GOV-34).
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Literal

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

from activities.briefing import Brief
from activities.investigating import InvestigatingActivities, MeasureRequest
from countermand.compare.slices import keys_compared
from countermand.governance import investigation as rules
from countermand.governance.decision import Decision, DecisionKind, SignatureClass
from countermand.governance.investigation import InvestigationRequest, InvestigationState
from countermand.governance.investigation_form import Ended, Outcome, missing
from countermand.governance.rights import Action
from countermand.ledger.bodies import (
    Body,
    InvestigationEnded,
    InvestigationFilled,
    InvestigationFound,
    InvestigationOpened,
    InvestigationRung,
)
from countermand.messages.facts import utc
from countermand.plan.target import Value
from countermand.playbook.model import Severity, Step
from countermand.playbook.protected import protected
from workflows import policies
from workflows.decisions import Answer, refuse_in_words
from workflows.scribe import Scribe
from workflows.visibility import show

#: The signal by which an investigation says that its window has another end.
MOVED = "investigation_moved"


class InvestigationInput(Value):
    """Why it is looked into. ends_by: the end of the incident's own time."""

    investigation_id: str
    incident_id: str
    because: tuple[str, ...]
    severity: Severity
    brief: Brief
    ends_by: datetime


class InvestigationResult(Value):
    """How it ended. adjustment: what is changed instead of going back, where that was found."""

    outcome: Ended
    sentence: str
    adjustment: str = ""


class Moved(Value):
    """Until when a finding is waited for now, and why it is longer than before."""

    until: datetime
    sentence: str


@workflow.defn(name="Investigation")
class Investigation:
    """One investigation. It outlives an incident that something else ended meanwhile."""

    @workflow.init
    def __init__(self, asked: InvestigationInput) -> None:
        brief, now = asked.brief, workflow.now()
        fairness = brief.playbook.investigation
        self._asked = asked
        self._request = InvestigationRequest(
            investigation_id=asked.investigation_id,
            workflow_id=workflow.info().workflow_id,
            incident_id=asked.incident_id,
            opened_at=now,
            window=fairness.window,
            extends_once=fairness.extend_once,
            ends_by=asked.ends_by,
            right=brief.rights.row(Action.fairness_finding, asked.severity),
            reports=brief.rights.row(Action.report_unfairness, asked.severity),
            protected=protected(keys_compared(brief.playbook.detection)),
            excluded=(brief.release.registered_by,),
            directory=brief.directory,
            keys=brief.keys,
        )
        self._state = InvestigationState(until=min(now + fairness.window, asked.ends_by))
        self._since = now
        self._rungs = self._rungs_of_window = 0
        self._opened = self._over = False
        self._scribe = Scribe(asked.incident_id, brief.release.release_id, brief.playbook, asked.severity)

    @workflow.run
    async def run(self, asked: InvestigationInput) -> InvestigationResult:
        await self._measure()
        await self._open()
        await self._scribe.tell(Step.fairness_pause, asked.investigation_id)
        while not self._state.found and workflow.now() < asked.ends_by:
            await self._climb_ladder()
        self._over = True
        await workflow.wait_condition(workflow.all_handlers_finished)
        result = self._result()
        ended = InvestigationEnded(
            investigation_id=asked.investigation_id, outcome=result.outcome, sentence=result.sentence
        )
        await self._record("ended", ended, f"Investigation over: {result.outcome}")
        await self._scribe.tell(Step.investigation_result, asked.investigation_id)
        show(result.outcome, result.sentence)
        return result

    @workflow.update
    async def decide(self, decision: Decision) -> Answer:
        """Fill in fields of the form, or sign a finding."""
        await workflow.wait_condition(lambda: self._opened)
        refuse_in_words(self._check, decision)
        before = self._state
        self._state = rules.apply(self._request, before, decision)
        if decision.kind is DecisionKind.fill_investigation:
            return await self._filled(decision)
        return await self._found(before, decision)

    @decide.validator
    def validate_decision(self, decision: Decision) -> None:
        refuse_in_words(self._check, decision)

    @workflow.query
    def state(self) -> InvestigationState:
        return self._state

    # --- steps ------------------------------------------------------------------------------------------------

    def _check(self, decision: Decision) -> None:
        rules.check(self._request, self._state, decision, over=self._over)

    async def _measure(self) -> None:
        """Numbers come before people; where none can be had, people are asked all the same and see that."""
        asked = self._asked
        try:
            measured = await workflow.execute_activity_method(
                InvestigatingActivities.measure_slices,
                MeasureRequest(
                    incident_id=asked.incident_id,
                    release=asked.brief.release,
                    detection=asked.brief.playbook.detection,
                    occasion=asked.investigation_id,
                ),
                summary="How are groups of people served?",
                **policies.read_target(),
            )
        except ActivityError as error:
            workflow.logger.warning("%s: nothing measured: %s", asked.investigation_id, error.cause or error)
            return
        self._state = self._state.model_copy(update={"slices_sha256": measured.sha256})

    async def _open(self) -> None:
        request, asked = self._request, self._asked
        row = rules.row(request, self._state)
        opened = InvestigationOpened(
            investigation_id=asked.investigation_id,
            workflow_id=request.workflow_id,
            because=asked.because,
            need_roles=row.roles,
            asked=tuple(person.name for person in request.directory.holders(*row.roles)),
            opened_at=request.opened_at,
            until=self._state.until,
            ends_by=request.ends_by,
            extends_once=request.extends_once,
            signature_class=(row.signature or SignatureClass.standard).value,
            protected=request.protected,
            digest=self._state.digest(request),
        )
        await self._record("opened", opened, "Ask a fairness reviewer")
        self._opened = True

    async def _filled(self, decision: Decision) -> Answer:
        form = self._state.form
        left = missing(form)
        body = InvestigationFilled(
            investigation_id=self._asked.investigation_id,
            decision_id=decision.decision_id,
            subject=decision.actor.subject,
            name=decision.actor.printed_name,
            digest=self._state.digest(self._request),
            missing=left,
            **form,
        )
        await self._record(f"filled/{decision.decision_id}", body, "The form was filled in")
        sentence = f"kept; still empty: {', '.join(left)}." if left else "kept; the form is complete."
        return Answer(status="recorded", sentence=sentence)

    async def _found(self, before: InvestigationState, decision: Decision) -> Answer:
        outcome = Outcome(decision.terms["outcome"])
        insufficient = outcome is Outcome.insufficient_evidence
        counted = self._state.found or (insufficient and not self._state.signed)
        left = () if counted else rules.lacking(self._request, self._state)
        longer = counted and insufficient and self._state.until != before.until
        body = InvestigationFound(
            investigation_id=self._asked.investigation_id,
            decision_id=decision.decision_id,
            subject=decision.actor.subject,
            name=decision.actor.printed_name,
            outcome=outcome.value,
            reason=decision.reason.strip(),
            adjustment=decision.terms.get("adjustment", "").strip(),
            digest=before.digest(self._request),
            missing=left,
            until=self._state.until if longer else None,
            rules=rules.RULES,
        )
        await self._record(f"found/{decision.decision_id}", body, f"Finding: {outcome.value}")
        if left:
            return Answer(status="pending", sentence=f"signed; also has to sign: {', '.join(left)}.")
        if longer:
            await self._move(f"{decision.actor.printed_name} needs more evidence; the time was extended once.")
            return Answer(status="extended", sentence=f"extended once, until {utc(self._state.until)}.")
        if insufficient:
            await self._escalate(
                f"{decision.actor.printed_name} cannot decide on this evidence; there is no more time."
            )
            return Answer(status="escalated", sentence="executives are told; everything stays as it is.")
        return Answer(status=outcome.value, sentence=f"found: {outcome.value.replace('_', ' ')}.")

    async def _climb_ladder(self) -> None:
        """Tell people what is due, then wait for the next time or a finding."""
        now, until = workflow.now(), self._state.until
        if now >= until:
            await self._escalate("Nobody decided in time. Nothing is changed, and nobody is taken back.")
            return
        ladder = rules.ladder(self._since, until)
        for at, do in ladder[self._rungs_of_window :]:
            if at > now:
                break
            self._rungs_of_window += 1
            await self._tell_rung(do, f"No finding yet; the time ends at {utc(until)}.")
        after = next((at for at, _ in ladder[self._rungs_of_window :]), until)
        show("investigation", f"Waiting for a finding until {utc(until)}.", waiting_for=rules.REVIEWER)
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._state.found or self._state.until != until,
                timeout=max(after - workflow.now(), timedelta(milliseconds=1)),
                timeout_summary=f"tell people again at {utc(after)}",
            )

    async def _escalate(self, sentence: str) -> None:
        """Executives are told, everything stays held, and the next window begins."""
        asked = self._asked
        self._since = workflow.now()
        self._rungs_of_window = 0
        self._state = rules.next_window(self._state, self._since + self._request.window, asked.ends_by)
        await self._tell_rung("escalate", sentence)
        await self._move(sentence)

    async def _tell_rung(self, do: Literal["remind", "call", "escalate"], sentence: str) -> None:
        self._rungs += 1
        number = self._rungs
        to = {"remind": (rules.REVIEWER,), "call": (rules.REVIEWER, "safety_lead"), "escalate": (rules.EXECUTIVE,)}[do]
        body = InvestigationRung(
            investigation_id=self._asked.investigation_id,
            number=number,
            do=do,
            to=to,
            until=self._state.until,
            sentence=sentence,
        )
        await self._record(f"rung/{number}", body, f"Investigation: {do}")
        await self._scribe.tell(Step.fairness_pause, f"{self._asked.investigation_id}/{number}")

    async def _move(self, sentence: str) -> None:
        """The incident says until when it is paused; one that has ended needs to know nothing."""
        parent = workflow.info().parent
        if parent is None:
            return
        incident = workflow.get_external_workflow_handle(parent.workflow_id, run_id=parent.run_id)
        with suppress(FailureError):
            await incident.signal(MOVED, Moved(until=self._state.until, sentence=sentence))

    def _result(self) -> InvestigationResult:
        state = self._state
        if not state.found or state.outcome is None:
            sentence = "Nobody decided before the time of the incident was over; nothing was changed."
            return InvestigationResult(outcome="lapsed", sentence=sentence)
        who = " and ".join(one.name for one in state.signed)
        said = {
            Outcome.revert: "users go back, once people have approved it",
            Outcome.adjust: "users do not go back; something is adjusted instead",
            Outcome.continue_: "the candidate stays, on a signed reason, and is watched more closely",
        }[state.outcome]
        return InvestigationResult(
            outcome=state.outcome.value, sentence=f"{who} found: {said}.", adjustment=state.adjustment
        )

    async def _record(self, key: str, body: Body, summary: str) -> None:
        await self._scribe.record(f"investigation/{self._asked.investigation_id}/{key}", body, summary)
