"""Ask people for consent to one Plan: ask, remind, escalate, decide, or expire into the declared default."""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.briefing import Brief
from activities.gating import DefaultRequest, GatingActivities
from activities.planning import AskRequest, PlanningActivities
from countermand import ids
from countermand.governance import approval as rules
from countermand.governance.approval import ApprovalState, ApprovalStatus, Ask
from countermand.governance.decision import Decision, DecisionKind
from countermand.ledger.bodies import AskClosed, AskExtended, AskRung, AskVote
from countermand.messages.facts import in_words
from countermand.plan.model import Plan
from countermand.plan.target import Value
from countermand.playbook.model import ApprovalPolicy, Rung, Step
from workflows import policies
from workflows.ask_cards import AskCards, Changed
from workflows.decisions import Answer, refuse_in_words
from workflows.scribe import Scribe
from workflows.visibility import show


class ApprovalInput(Value):
    """What consent is asked for, and under which policy: the playbook's, or a stricter one of the gate."""

    ask_id: str
    plan: Plan
    policy: ApprovalPolicy
    evidence_digest: str
    requester: str
    brief: Brief
    supersedes: str | None = None


class ApprovalResult(Value):
    """The ask as it was put, and how it ended."""

    ask: Ask
    state: ApprovalState


@workflow.defn(name="Approval")
class Approval:
    """One ask. Terminal states never change; late votes are answered and change nothing."""

    @workflow.init
    def __init__(self, request: ApprovalInput) -> None:
        self._request = request
        self._ask: Ask | None = None
        self._state = ApprovalState()
        self._rungs_done = 0
        self._changes = 0
        plan = request.plan
        self._scribe = Scribe(plan.incident_id, plan.release_id, request.brief.playbook, plan.severity)

    @workflow.run
    async def run(self, request: ApprovalInput) -> ApprovalResult:
        ask = await self._open()
        await self._tell_cards()
        await self._scribe.tell(Step.approval_asked, request.ask_id)
        while not self._state.closed:
            await self._climb_ladder(ask)
        await workflow.wait_condition(workflow.all_handlers_finished)
        await self._close(ask)
        await self._tell_cards(last=True)
        return ApprovalResult(ask=ask, state=self._state)

    @workflow.update
    async def decide(self, decision: Decision) -> Answer:
        """Count one signed decision. A vote that arrives while the ask is being written is kept (GOV-14)."""
        await workflow.wait_condition(lambda: self._ask is not None)
        refuse_in_words(self._apply, decision)
        ask = self._opened
        quorum = rules.quorum_of(ask, self._state)
        if decision.kind is DecisionKind.extend:
            await self._extended(ask, decision)
        if decision.kind in (DecisionKind.approve, DecisionKind.reject, DecisionKind.retract):
            vote = AskVote(
                ask_id=ask.ask_id,
                decision_id=decision.decision_id,
                vote=decision.kind.value,
                subject=decision.actor.subject,
                name=decision.actor.printed_name,
                roles=decision.actor.roles,
                reason=decision.reason.strip(),
                channel=decision.channel,
                have=quorum.people,
                need=quorum.people_needed,
                missing=quorum.missing,
            )
            await self._scribe.record(
                f"{ask.ask_id}/vote/{decision.decision_id}",
                vote,
                f"Vote counted: {quorum.people} of {quorum.people_needed} people",
            )
        await self._tell_cards()
        words = self._state.because or f"{quorum.people} of {quorum.people_needed} people approved"
        return Answer(status=self._state.status.value, sentence=words, have=quorum.people, need=quorum.people_needed)

    @decide.validator
    def validate_decision(self, decision: Decision) -> None:
        if self._ask is None:  # kept until the ask is written, if the console signed it
            refuse_in_words(self._request.brief.keys.verify, decision)
        else:
            refuse_in_words(self._check, decision)

    @workflow.signal
    def supersede(self, why: str) -> None:
        """What was asked has changed: this ask becomes stale, nothing happens on it (GOV-9)."""
        self._state = rules.supersede(self._state, why, workflow.now())

    @workflow.query
    def state(self) -> ApprovalState:
        return self._state

    # --- steps ------------------------------------------------------------------------------------------------

    @property
    def _opened(self) -> Ask:
        if self._ask is None:
            raise RuntimeError("the ask is not open yet")
        return self._ask

    def _check(self, decision: Decision) -> None:
        rules.check(self._opened, self._state, decision, workflow.now())

    def _apply(self, decision: Decision) -> None:
        self._state = rules.apply(self._opened, self._state, decision, workflow.now())

    async def _open(self) -> Ask:
        request = self._request
        self._ask = await workflow.execute_activity_method(
            PlanningActivities.open_ask,
            AskRequest(
                ask_id=request.ask_id,
                workflow_id=workflow.info().workflow_id,
                plan=request.plan,
                policy=request.policy,
                evidence_digest=request.evidence_digest,
                requester=request.requester,
                brief=request.brief,
                opened_at=workflow.now(),
                supersedes=request.supersedes,
            ),
            summary="Put the exact plan to the people who may decide",
            **policies.RECORD,
        )
        return self._ask

    async def _extended(self, ask: Ask, decision: Decision) -> None:
        until = rules.deadline(ask, self._state)
        body = AskExtended(
            ask_id=ask.ask_id,
            decision_id=decision.decision_id,
            subject=decision.actor.subject,
            name=decision.actor.printed_name,
            reason=decision.reason.strip(),
            until=until,
        )
        await self._scribe.record(f"{ask.ask_id}/extended", body, f"Time limit extended to {until:%H:%M:%S} UTC")

    async def _tell_cards(self, *, last: bool = False) -> None:
        """Every change goes to the cards; how they reach people is not waited for."""
        self._changes += 1
        cards = workflow.get_external_workflow_handle_for(AskCards.run, ids.cards_workflow(workflow.info().workflow_id))
        try:
            await cards.signal(AskCards.changed, Changed(revision=self._changes, last=last))
        except ApplicationError as error:  # an operator ended the workflow of the cards; the request goes on
            workflow.logger.warning("cards of %s: %s", self._request.ask_id, error)

    def _ends(self, ask: Ask, index: int) -> datetime:
        """When a rung is due; an extension moves the last one (GOV-22)."""
        last = index == len(ask.policy.ladder) - 1
        return rules.deadline(ask, self._state) if last else ask.opened_at + ask.policy.ladder[index].after

    async def _climb_ladder(self, ask: Ask) -> None:
        """Act on the rungs that are due, then wait for the next one or for a decision."""
        ladder = ask.policy.ladder
        longer = rules.deadline(ask, self._state) - ask.expires_at
        for index in rules.due_rungs(ask.policy, workflow.now() - ask.opened_at, self._rungs_done, longer):
            self._rungs_done = index + 1
            await self._act_on(ask, index, ladder[index])
            await self._tell_cards()
            if self._state.closed:
                return
        next_rung = ladder[self._rungs_done]
        what = next_rung.action or next_rung.do
        until = self._ends(ask, self._rungs_done)
        show(
            "asking",
            f"Waiting for {ask.policy.quorum.distinct_people} people to decide; "
            f"{what} {in_words(until - ask.opened_at)} after the ask.",
            waiting_for=", ".join(slot.role for slot in ask.policy.quorum.roles),
        )
        try:
            await workflow.wait_condition(
                lambda: self._state.closed or until != self._ends(ask, self._rungs_done),
                timeout=max(until - workflow.now(), timedelta(milliseconds=1)),
                timeout_summary=f"{what} at {until:%H:%M:%S} UTC",
            )
        except TimeoutError:
            return

    async def _act_on(self, ask: Ask, index: int, rung: Rung) -> None:
        if rung.do == "ask":
            return
        await self._scribe.record(
            f"{ask.ask_id}/rung/{index}",
            AskRung(ask_id=ask.ask_id, rung=index, do=rung.action or rung.do, to=rung.to),
            f"Ladder: {rung.action or rung.do}",
        )
        if rung.do == "default":
            await self._take_default(ask)
        else:
            await self._scribe.tell(Step.approval_reminded, f"{ask.ask_id}/{index}")

    async def _take_default(self, ask: Ask) -> None:
        """Expire into what was declared. `proceed` is judged at the time limit and is else a hold (GOV-24)."""
        standing, degraded = "", tuple[str, ...]()
        if ask.policy.default == "proceed":
            try:
                taken = await workflow.execute_activity_method(
                    GatingActivities.decide_default,
                    DefaultRequest(
                        ask_id=ask.ask_id, plan=self._request.plan, brief=self._request.brief, policy=ask.policy
                    ),
                    summary="Nobody decided: does a standing authorisation carry the plan?",
                    **policies.read_target(),
                )
                standing, degraded = taken.authorisation_id or "", taken.degraded
            except ActivityError as error:
                degraded = (f"what it needs could not be looked at: {error.cause or error}",)
        self._state = rules.expire(ask, self._state, workflow.now(), standing, degraded)

    async def _close(self, ask: Ask) -> None:
        quorum = rules.quorum_of(ask, self._state)
        await self._scribe.record(
            f"{ask.ask_id}/closed",
            AskClosed(
                ask_id=ask.ask_id,
                status=self._state.status.value,
                because=self._state.because,
                have=quorum.people,
                need=quorum.people_needed,
            ),
            f"Request {self._state.status.value}",
        )
        expired = self._state.status is ApprovalStatus.expired
        await self._scribe.tell(Step.default_taken if expired else Step.approval_decided, ask.ask_id)
        show(self._state.status.value, f"This request was {self._state.status.value}.")
