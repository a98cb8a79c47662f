"""The post-incident review: a generated draft, people's signatures, a due date that cannot pass unnoticed."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from temporalio import workflow

from activities.briefing import Brief
from activities.reviewing import DraftRequest, ReviewingActivities
from countermand.governance.decision import Decision, DecisionKind, Refusal, Refused
from countermand.governance.quorum import QuorumState, quorum_state
from countermand.ledger.bodies import ReviewClosed
from countermand.plan.target import Value
from countermand.playbook.model import Severity, Step
from workflows import policies
from workflows.decisions import Answer, refuse_in_words
from workflows.scribe import Scribe
from workflows.visibility import show


class ReviewInput(Value):
    """The closed incident."""

    incident_id: str
    release_id: str
    severity: Severity
    brief: Brief


@workflow.defn(name="Review")
class Review:
    """Signed by the people the playbook names, or recorded as overdue."""

    @workflow.init
    def __init__(self, request: ReviewInput) -> None:
        self._request = request
        self._policy = request.brief.playbook.review
        self._signatures: dict[str, Decision] = {}
        self._scribe = Scribe(request.incident_id, request.release_id, request.brief.playbook, request.severity)

    @workflow.run
    async def run(self, request: ReviewInput) -> ReviewClosed:
        due = workflow.now() + self._policy.due
        review_id = f"{request.incident_id}-review"
        await workflow.execute_activity_method(
            ReviewingActivities.draft_review,
            DraftRequest(
                incident_id=request.incident_id,
                release_id=request.release_id,
                review_id=review_id,
                workflow_id=workflow.info().workflow_id,
                owner=self._policy.owner,
                due=due,
            ),
            summary="Draft the review from the ledger",
            **policies.RECORD,
        )
        await self._scribe.tell(Step.review_drafted, "review")
        show("review", f"Waiting for signatures until {due:%Y-%m-%d %H:%M} UTC.", self._policy.owner)
        with suppress(TimeoutError):  # overdue is a declared end of its own, recorded below
            await workflow.wait_condition(
                lambda: self._quorum.satisfied,
                timeout=max(due - workflow.now(), timedelta(milliseconds=1)),
                timeout_summary=f"review due {due:%Y-%m-%d}",
            )
        await workflow.wait_condition(workflow.all_handlers_finished)
        closed = ReviewClosed(
            review_id=review_id,
            outcome="signed" if self._quorum.satisfied else "overdue",
            by=tuple(decision.actor.printed_name for decision in self._signatures.values()),
        )
        await self._scribe.record("review/closed", closed, f"Review {closed.outcome}")
        show(f"review_{closed.outcome}", f"The review is {closed.outcome}.")
        return closed

    @workflow.update
    async def decide(self, decision: Decision) -> Answer:
        """Sign the draft; each person signs once."""
        refuse_in_words(self._check, decision)
        self._signatures[decision.actor.subject] = decision
        quorum = self._quorum
        return Answer(
            status="signed" if quorum.satisfied else "pending",
            sentence=f"{quorum.people} of {quorum.people_needed} people signed the review",
            have=quorum.people,
            need=quorum.people_needed,
        )

    @decide.validator
    def validate_decision(self, decision: Decision) -> None:
        refuse_in_words(self._check, decision)

    @property
    def _quorum(self) -> QuorumState:
        voters = {subject: decision.actor.roles for subject, decision in self._signatures.items()}
        return quorum_state(self._policy.sign_off, voters)

    def _check(self, decision: Decision) -> None:
        brief = self._request.brief
        brief.keys.verify(decision)
        roles = [slot.role for slot in self._policy.sign_off.roles]
        if decision.addressed_to != workflow.info().workflow_id or decision.kind is not DecisionKind.sign_review:
            raise Refused(Refusal.wrong_state, f"{decision.kind.value} does not apply to a review.", "Sign it.")
        if decision.actor.principal != "person":
            raise Refused(Refusal.actor_not_a_person, "automation can never sign.", "A person has to sign in.")
        if decision.actor.subject in self._signatures:
            raise Refused(Refusal.already_voted, "you already signed this review.", "Nothing more is needed.")
        if not set(roles) & set(decision.actor.roles):
            raise Refused(Refusal.not_your_role, f"signing needs {' or '.join(roles)}.", "Ask the review's owner.")
