"""The reporting clocks of one incident: look, record, warn, wait; for months, until people decided about every regime.

What is due when is computed in an activity from the Ledger. What people do is a signed decision; nothing else can
report, delay or set aside.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.keeping import KeepingActivities, KeepRequest, Looked, LookRequest, WarnRequest
from countermand.governance.decision import Decision, DecisionKind, Refusal, Refused
from countermand.obligations.warning import Warning_
from countermand.plan.target import Value
from workflows import policies
from workflows.decisions import REFUSED, Answer, refuse_in_words
from workflows.visibility import show


class ObligationsInput(Value):
    """Whose clocks."""

    incident_id: str
    release_id: str


@workflow.defn(name="Obligations")
class Obligations:
    """Ends when every regime in view is decided and no clock runs; a decision about a clock starts it again."""

    @workflow.init
    def __init__(self, request: ObligationsInput) -> None:
        self._request = request
        self._changed = False

    @workflow.run
    async def run(self, request: ObligationsInput) -> str:
        while True:
            self._changed = False
            looked = await self._look()
            if looked is not None:
                for warning in looked.warnings:
                    await self._warn(warning)
            await workflow.wait_condition(workflow.all_handlers_finished)
            if self._changed:
                continue
            if looked is not None and looked.over:
                show("over", looked.sentence)
                return looked.sentence
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(request)
            await self._wait(looked)

    @workflow.update
    async def decide(self, decision: Decision) -> Answer:
        """Record an anchor, a fact, a report, a delay or a decision; then the clocks are looked at again."""
        try:
            kept = await workflow.execute_activity_method(
                KeepingActivities.keep_obligation,
                KeepRequest(
                    incident_id=self._request.incident_id,
                    release_id=self._request.release_id,
                    decision=decision,
                    now=workflow.now(),
                ),
                summary="Record a signed decision",
                **policies.RECORD,
            )
        except ActivityError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError) and cause.type == REFUSED:
                raise ApplicationError(str(cause), *cause.details, type=REFUSED, non_retryable=True) from error
            raise
        self._changed = True
        return Answer(status="recorded", sentence=kept.sentence)

    @decide.validator
    def validate_decision(self, decision: Decision) -> None:
        refuse_in_words(self._refuse_others, decision)

    def _refuse_others(self, decision: Decision) -> None:
        if (decision.kind, decision.addressed_to) != (DecisionKind.keep_obligation, workflow.info().workflow_id):
            raise Refused(Refusal.wrong_state, f"{decision.kind.value} does not apply to clocks.", "Open the clocks.")

    # --- the story ----------------------------------------------------------------------------------------------

    async def _look(self) -> Looked | None:
        """None when it failed: what stands in the Ledger grows old, and it is tried again."""
        request = LookRequest(
            incident_id=self._request.incident_id, release_id=self._request.release_id, now=workflow.now()
        )
        try:
            return await workflow.execute_activity_method(
                KeepingActivities.look_at_clocks, request, summary="Which clock runs until when?", **policies.RECORD
            )
        except ActivityError:
            show("blind", "The clocks could not be looked at and are tried again.")
            return None

    async def _warn(self, warning: Warning_) -> None:
        """A warning that cannot be given stops nothing; the next look finds it missing."""
        request = WarnRequest(
            incident_id=self._request.incident_id,
            release_id=self._request.release_id,
            warning=warning,
            now=workflow.now(),
        )
        try:
            await workflow.execute_activity_method(
                KeepingActivities.warn_owner, request, summary=f"Warn the owner of {warning.row_id}", **policies.TELL
            )
        except ActivityError as error:
            workflow.logger.warning("%s: nobody was warned: %s", warning.row_id, error.cause or error)

    async def _wait(self, looked: Looked | None) -> None:
        """Until time or a person changes something."""
        until: datetime = looked.next_look if looked else workflow.now() + policies.LOOK_AT_CLOCKS_AGAIN
        if looked is not None:
            show("clocks", f"{looked.sentence} Looked at again {until:%Y-%m-%d %H:%M} UTC.")
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._changed, timeout=until - workflow.now(), timeout_summary="the next warning or due time"
            )
