"""The post-incident review: a generated draft, people who write and sign, and actions until the last one is verified.

When something is due and whose turn it is, is computed in an activity from the Ledger. What people do is a signed
decision. A review that nobody signs stays open and calls more and more people.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.briefing import Brief
from activities.review_keeping import (
    CallPeople,
    KeepReview,
    LookAtReview,
    ReviewKeepingActivities,
    ReviewKept,
    ReviewLooked,
)
from activities.reviewing import DraftRequest, ReviewingActivities
from countermand.governance.decision import Decision, DecisionKind, Refusal, Refused
from countermand.ledger.bodies import ReviewClosed
from countermand.plan.target import Value
from countermand.playbook.model import Severity, Step
from countermand.review.calls import Call
from workflows import policies
from workflows.decisions import REFUSED, Answer, refuse_in_words
from workflows.scribe import Scribe
from workflows.visibility import show


class ReviewInput(Value):
    """The closed incident. drafted: a run before this one made the draft and said so."""

    incident_id: str
    release_id: str
    severity: Severity
    brief: Brief
    drafted: bool = False


@workflow.defn(name="Review")
class Review:
    """Ends when the review is signed or waived, and every action is verified or dropped."""

    @workflow.init
    def __init__(self, request: ReviewInput) -> None:
        self._request = request
        self._policy = request.brief.playbook.review
        self._drafted = request.drafted
        self._changed = False
        self._turn = asyncio.Lock()
        self._scribe = Scribe(request.incident_id, request.release_id, request.brief.playbook, request.severity)

    @workflow.run
    async def run(self, request: ReviewInput) -> ReviewClosed | None:
        if not self._drafted:
            await self._draft()
        while True:
            self._changed = False
            looked = await self._look()
            for call in looked.calls if looked else ():
                await self._call(call)
            await workflow.wait_condition(workflow.all_handlers_finished)
            if looked is not None and looked.over and not self._changed:
                show("review_over", looked.sentence)
                return looked.closed
            if workflow.info().is_continue_as_new_suggested():  # also while people go on changing it
                workflow.continue_as_new(request.model_copy(update={"drafted": True}))
            if not self._changed:
                await self._wait(looked)

    @workflow.update
    async def decide(self, decision: Decision) -> Answer:
        """Keep what a person wrote, opened, verified, dropped, waived or signed; then the review is looked at again."""
        await workflow.wait_condition(lambda: self._drafted)
        request = KeepReview(
            incident_id=self._request.incident_id,
            release_id=self._request.release_id,
            decision=decision,
            now=workflow.now(),
        )
        async with self._turn:  # each is judged by what the one before it left; two last signatures see each other
            kept = await self._keep(request)
        self._changed = True
        return Answer(status=kept.status, sentence=kept.sentence, have=kept.have, need=kept.need)

    @decide.validator
    def validate_decision(self, decision: Decision) -> None:
        refuse_in_words(self._refuse_others, decision)

    def _refuse_others(self, decision: Decision) -> None:
        kinds = (DecisionKind.sign_review, DecisionKind.keep_review)
        if decision.kind not in kinds or decision.addressed_to != workflow.info().workflow_id:
            raise Refused(Refusal.wrong_state, f"{decision.kind.value} does not apply to a review.", "Open the review.")

    async def _keep(self, request: KeepReview) -> ReviewKept:
        try:
            return await workflow.execute_activity_method(
                ReviewKeepingActivities.keep_review, request, summary="Record a signed decision", **policies.RECORD
            )
        except ActivityError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError) and cause.type == REFUSED:
                raise ApplicationError(str(cause), *cause.details, type=REFUSED, non_retryable=True) from error
            raise

    # --- the story ----------------------------------------------------------------------------------------------

    async def _draft(self) -> None:
        await workflow.execute_activity_method(
            ReviewingActivities.draft_review,
            DraftRequest(
                incident_id=self._request.incident_id,
                release_id=self._request.release_id,
                review_id=f"{self._request.incident_id}-review",
                workflow_id=workflow.info().workflow_id,
                owner=self._policy.owner,
                sign_off=self._policy.sign_off,
                due=workflow.now() + self._policy.due,
                now=workflow.now(),
            ),
            summary="Draft the review from the ledger",
            **policies.DRAFT_REVIEW,
        )
        self._drafted = True
        await self._scribe.tell(Step.review_drafted, "review")

    async def _look(self) -> ReviewLooked | None:
        """None when it failed: it is tried again."""
        request = LookAtReview(incident_id=self._request.incident_id, now=workflow.now())
        try:
            return await workflow.execute_activity_method(
                ReviewKeepingActivities.look_at_review, request, summary="What waits until when?", **policies.RECORD
            )
        except ActivityError:
            show("blind", "The review could not be looked at and is tried again.")
            return None

    async def _call(self, call: Call) -> None:
        """Whom it does not reach stops nothing; the next look finds it missing."""
        request = CallPeople(incident_id=self._request.incident_id, release_id=self._request.release_id, call=call)
        about = call.action_id or "the review"
        try:
            await workflow.execute_activity_method(
                ReviewKeepingActivities.call_for_review, request, summary=f"Call people for {about}", **policies.TELL
            )
        except ActivityError as error:
            workflow.logger.warning("%s: nobody was called: %s", about, error.cause or error)

    async def _wait(self, looked: ReviewLooked | None) -> None:
        """Until time or a person changes something."""
        soon = workflow.now() + policies.LOOK_AT_CLOCKS_AGAIN
        until = looked.next_look if looked and looked.next_look else soon
        if looked is not None:
            show("review", f"{looked.sentence} Looked at again {until:%Y-%m-%d %H:%M} UTC.", looked.waiting_for)
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._changed, timeout=until - workflow.now(), timeout_summary="the next call to people"
            )
