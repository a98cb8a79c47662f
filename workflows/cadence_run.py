"""One run of a duty: a machine does it at once; people are asked, put off twice at most, then an executive (LRN-18).

However it ends, a record says so: done, skipped by a person, or missed.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, ApplicationError, WorkflowAlreadyStartedError

from activities.auditing import AuditingActivities, AuditRequest
from activities.cadence import (
    AskRequest,
    CadenceActivities,
    CloseRequest,
    DutyOpened,
    LookRequest,
    MissRequest,
    Opening,
)
from countermand import ids
from countermand.governance.decision import Decision, DecisionKind, Refusal, Refused
from countermand.messages.facts import spoken, utc
from countermand.plan.target import Value
from workflows import policies
from workflows.decisions import REFUSED, Answer, refuse_in_words
from workflows.visibility import show


class CadenceInput(Value):
    """Which duty. number: 0 looks whether it is due, any other one is a run in which people are asked.

    asked_by: a person who wants it now; empty when the schedule does.
    """

    duty: str
    subject: str = ""
    number: int = 0
    asked_by: str = ""


@workflow.defn(name="CadenceRun")
class CadenceRun:
    """A look that starts runs, a run of a machine, or a run in which people are asked."""

    @workflow.init
    def __init__(self, request: CadenceInput) -> None:
        self._request = request
        self._opened: DutyOpened | None = None
        self._over = ""

    @workflow.run
    async def run(self, request: CadenceInput) -> str:
        sentence = await self._people() if request.number else await self._look()
        await workflow.wait_condition(workflow.all_handlers_finished)
        show("over", sentence)
        return sentence

    @workflow.update
    async def decide(self, decision: Decision) -> Answer:
        """It is done, or it is left out this time."""
        await workflow.wait_condition(lambda: self._opened is not None)
        assert self._opened is not None  # noqa: S101  # waited for above
        try:
            said = await workflow.execute_activity_method(
                CadenceActivities.close_duty,
                CloseRequest(asked=self._opened.asked, decision=decision),
                summary="Record what a person says about it",
                **policies.RECORD,
            )
        except ActivityError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError) and cause.type == REFUSED:
                raise ApplicationError(str(cause), *cause.details, type=REFUSED, non_retryable=True) from error
            raise
        self._over = "A person said what became of it."
        return Answer(status="recorded", sentence=said.sentence)

    @decide.validator
    def validate_decision(self, decision: Decision) -> None:
        refuse_in_words(self._refuse_others, decision)

    # --- a look and what follows from it ----------------------------------------------------------------------------

    async def _look(self) -> str:
        looked = await workflow.execute_activity_method(
            CadenceActivities.look_at_duty,
            LookRequest(
                duty=self._request.duty,
                subject=self._request.subject,
                asked_by=self._request.asked_by,
                now=workflow.now(),
            ),
            summary=f"Is {self._request.duty} due?",
            **policies.RECORD,
        )
        if looked.machine:
            return await self._machine()
        for opening in looked.openings:
            await self._start(opening)
        return looked.sentence

    async def _start(self, opening: Opening) -> None:
        with suppress(WorkflowAlreadyStartedError):  # the same run, begun by another look
            await workflow.start_child_workflow(
                CadenceRun.run,
                self._request.model_copy(update=opening.model_dump()),
                id=ids.cadence_workflow(self._request.duty, opening.subject, opening.number),
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                static_summary=f"{self._request.duty} {opening.subject}",
            )

    async def _machine(self) -> str:
        run = workflow.info()
        show("auditing", "A machine does it.")
        try:
            done = await workflow.execute_activity_method(
                AuditingActivities.audit,
                AuditRequest(duty=self._request.duty, workflow_id=run.workflow_id, now=workflow.now()),
                summary=f"Do {self._request.duty}",
                **policies.AUDIT,
            )
        except ActivityError as error:
            workflow.logger.warning("%s could not be done: %s", self._request.duty, error.cause or error)
            return await self._missed(
                run.start_time, "It was begun and could not be finished; nothing is known from it."
            )
        return done.sentence

    # --- people -----------------------------------------------------------------------------------------------------

    async def _people(self) -> str:
        due, times = workflow.now(), 0
        while not self._over:
            self._opened = await self._ask(times)
            await self._wait(self._opened)
            await workflow.wait_condition(workflow.all_handlers_finished)
            if not self._over and self._opened.escalated:
                return await self._missed(due, "Nobody did it, and nobody said why it is left out.")
            times += 1
        return self._over

    async def _ask(self, times: int) -> DutyOpened:
        return await workflow.execute_activity_method(
            CadenceActivities.ask_for_duty,
            AskRequest(
                duty=self._request.duty,
                subject=self._request.subject,
                workflow_id=workflow.info().workflow_id,
                times=times,
                now=workflow.now(),
            ),
            summary="Ask people" if times == 0 else f"Nobody was free: ask again ({times})",
            **policies.ASK_FOR_DUTY,
        )

    async def _wait(self, opened: DutyOpened) -> None:
        show("asked", f"People are asked until {utc(opened.deadline)}.", spoken(opened.asked.asks))
        with suppress(TimeoutError):  # nobody was free: put off, or missed
            await workflow.wait_condition(
                lambda: bool(self._over),
                timeout=max(opened.deadline - workflow.now(), timedelta(milliseconds=1)),
                timeout_summary=f"nobody answered by {utc(opened.deadline)}",
            )

    async def _missed(self, due: datetime, why: str) -> str:
        said = await workflow.execute_activity_method(
            CadenceActivities.miss_duty,
            MissRequest(
                duty=self._request.duty,
                subject=self._request.subject,
                workflow_id=workflow.info().workflow_id,
                due=due,
                why=why,
            ),
            summary="Record that it did not take place",
            **policies.RECORD,
        )
        return said.sentence

    def _refuse_others(self, decision: Decision) -> None:
        if (decision.kind, decision.addressed_to) != (DecisionKind.do_duty, workflow.info().workflow_id):
            raise Refused(Refusal.wrong_state, f"{decision.kind.value} does not apply to a duty.", "Look at /cadence.")
        if self._over or self._request.number == 0:
            raise Refused(Refusal.already_decided, "this run is over.", "Look at /cadence.")
