"""What happens after a trigger: declare → freeze evidence → plan → gate → ask → revert → verify → close → review.

One running Incident per release and environment: the workflow id is made of both (I1).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ChildWorkflowError, FailureError

from activities.emergencies import GlassTaken
from activities.freezing import Frozen
from countermand import ids
from countermand.governance.approval import ApprovalStatus
from countermand.governance.break_glass import Emergency
from countermand.governance.commands import CommandBox
from countermand.governance.decision import Decision, DecisionKind
from countermand.governance.glass_box import GlassBox
from countermand.governance.rights import Action
from countermand.governance.statement_box import StatementBox
from countermand.ledger.bodies import (
    FreezeFailed,
    FreezeStarted,
    GlassBroken,
    IncidentClosed,
    IncidentPhase,
    VerdictChanged,
)
from countermand.messages.facts import in_words
from countermand.plan.model import Plan
from countermand.plan.target import Value
from countermand.playbook.model import ApprovalPolicy, Severity, Step
from workflows.approval import Approval, ApprovalResult
from workflows.decisions import Answer, refuse_in_words
from workflows.emergency_steps import ask_ratification, confirm_declared, eligible, take_glass
from workflows.guard_steps import start_guard
from workflows.incident_steps import Case, IncidentSteps, read_brief
from workflows.scribe import Scribe
from workflows.staged_revert import RUNNING, STOPPED, RevertResult, StagedRevert
from workflows.visibility import show

Phase = Literal["freezing", "planning", "asking", "reverting", "verifying", "held", "not_verified"]
Outcome = Literal[
    "reverted", "reverted_not_verified", "rejected", "withdrawn", "expired", "aborted", "reversed", "unresolved"
]

Done = TypeVar("Done")

Reverting = workflow.ChildWorkflowHandle[StagedRevert, RevertResult]

AUTOMATION = "automation"
#: Why something that was under way ended for break-glass.
OVERRULED = "somebody broke the glass"


class Closing(Value):
    """How an incident ended, in a word and a sentence."""

    outcome: Outcome
    sentence: str


@workflow.defn(name="Incident")
class Incident:
    """Owns everything from the trigger to the review."""

    @workflow.init
    def __init__(self, case: Case) -> None:
        self._case = case
        me = workflow.info().workflow_id
        self._commands = CommandBox(me, case.incident_id)
        self._statements = StatementBox(me, case.incident_id, case.declared)
        self._glass = GlassBox(me, case.incident_id)
        self._verdicts = [case.verdict]
        self._verdicts_recorded = 0
        self._keeping = asyncio.Lock()
        self._opened = False
        self._evidence: workflow.ActivityHandle[Frozen] | None = None
        self._frozen = False
        self._aside: list[asyncio.Task[None]] = []
        self._phases = self._plans = self._asks = self._reverts = 0

    @workflow.run
    async def run(self, case: Case) -> Closing:
        brief = self._brief = await read_brief(case)
        if case.declared is not None or case.verdict.by_person or case.opened_by != AUTOMATION:
            await confirm_declared(case)
        self._playbook = brief.playbook
        self._commands.trust(brief.keys, brief.directory)
        self._statements.trust(brief.keys, brief.directory, brief.rights)
        self._glass.trust(brief.keys, brief.directory, brief.rights.row(Action.break_glass, Severity.sev1))
        self._steps = IncidentSteps(case, brief)
        self._scribe = Scribe(case.incident_id, case.release_id, brief.playbook, case.severity)
        self._ends_by = workflow.now() + brief.playbook.incident_time_limit
        await self._steps.start_messages()
        await self._declare()
        try:
            closing = await self._resolve()
        except (ActivityError, ChildWorkflowError) as error:  # a step that failed for good still ends in a record
            sentence = f"A step failed for good, nothing more is done automatically: {error.cause or error}"
            closing = Closing(outcome="unresolved", sentence=sentence)
        await self._close(closing)
        await self._scribe.finish()
        await self._steps.start_review()
        if closing.outcome in ("reverted", "reverted_not_verified"):
            await start_guard(case, brief.playbook.revert.guard)
        await asyncio.gather(*self._aside)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return closing

    @workflow.update
    async def decide(self, decision: Decision) -> Answer:
        """Take a signed command while this incident itself waits for people, a declaration, or break-glass."""
        match decision.kind:
            case DecisionKind.declare:
                return await self._hear(decision)
            case DecisionKind.break_glass:
                return await self._accept_glass(decision)
            case _:
                refuse_in_words(self._commands.give, decision)
                return Answer(status="accepted", sentence=f"{decision.kind.value.replace('_', ' ')} accepted.")

    @decide.validator
    def validate_decision(self, decision: Decision) -> None:
        match decision.kind:
            case DecisionKind.declare:
                refuse_in_words(self._statements.check, decision)
            case DecisionKind.break_glass:
                refuse_in_words(self._glass.check, decision)
            case _:
                refuse_in_words(self._commands.check, decision)

    @workflow.signal
    def evidence_changed(self, verdict: VerdictChanged) -> None:
        """The set of fired triggers changed: an open request for approval is no longer what was shown (GOV-9).

        What a person says comes as a signed decision and never like this.
        """
        if not verdict.by_person:
            self._verdicts.append(verdict)

    # --- the story ----------------------------------------------------------------------------------------------

    async def _declare(self) -> None:
        await self._scribe.record("opened", self._steps.opened(self._ends_by), "Declare the incident")
        self._opened = True
        await self._keep_verdicts()
        await self._scribe.tell(_step_of(self._case.verdict), "opened")

    async def _keep_verdicts(self) -> None:
        """Record the verdicts that came since the last time; cards show the newest one."""
        async with self._keeping:  # whoever comes second waits until they stand there: a gate is decided on them
            while self._verdicts_recorded < len(self._verdicts):
                verdict = self._verdicts[self._verdicts_recorded]
                self._verdicts_recorded += 1
                await self._scribe.record(f"verdict/{self._verdicts_recorded}", verdict, "Keep the evidence")

    async def _resolve(self) -> Closing:
        """Plan and ask until people decided and the way back is done, or the incident's time is over. Break-glass goes
        before everything else."""
        while workflow.now() < self._ends_by or self._glass.broken:
            closing = await (self._act_on_glass() if self._glass.broken else self._round())
            if closing is not None and not self._glass.broken:
                return closing
        return self._out_of_time()

    async def _round(self) -> Closing | None:
        """Evidence first, then a plan, then people; None when it begins again."""
        if not self._frozen:
            closing = await self._freeze()
            if closing is not None or not self._frozen:
                return closing
        self._plans += 1
        await self._enter("planning", "Reading the target and working out the way back.", None)
        made = await self._unless_broken(self._steps.make_plan(self._severity, self._plans))
        if made is None:
            return None
        if made.plan is None:
            return await self._hold(f"No plan is possible: {made.impossible}")
        return await self._gate_and_act(made.plan)

    async def _freeze(self) -> Closing | None:
        """Nothing is changed before the evidence is safe; a freeze that fails is tried again by people."""
        limit = self._playbook.evidence_freeze.time_limit
        await self._enter("freezing", "Copying the evidence before anything is changed.", workflow.now() + limit)
        copying = self._evidence = self._evidence or self._steps.freeze(limit)
        await workflow.wait_condition(lambda: copying.done() or self._glass.broken)
        if not copying.done():
            return None
        reason = await self._copied(copying, "wait")
        return (
            await self._hold(f"The evidence could not be frozen, so nothing is changed: {reason}") if reason else None
        )

    async def _copied(self, copying: workflow.ActivityHandle[Frozen], branch: Literal["wait", "parallel"]) -> str:
        """Wait for the evidence; empty when it is safe, else why it is not, which is recorded."""
        try:
            await copying
            self._frozen = True
            return ""
        except ActivityError as error:
            self._evidence = None
            reason = str(error.cause or error)
            failed = FreezeFailed(reason=reason, branch=branch)
            await self._scribe.record(f"freeze_failed/{self._phases}", failed, "Freeze failed")
            return reason

    def _out_of_time(self) -> Closing:
        limit = in_words(self._playbook.incident_time_limit)
        return Closing(
            outcome="unresolved", sentence=f"Not resolved within {limit}; users stay on the share they have now."
        )

    async def _gate_and_act(self, plan: Plan) -> Closing | None:
        """One round; None when it has to be planned and asked again. What the verdicts lead to is on record first."""
        await self._keep_verdicts()
        gated = await self._unless_broken(self._steps.gate(plan, self._plans))
        if gated is None:
            return None
        because = "; ".join(gated.gate.because)
        match gated.gate.act:
            case "automatic":
                return await self._see_through(await self._start_revert(plan, None))
            case "ask" | "ask_if_blind":
                return await self._ask_and_act(plan, gated.policy)
            case "investigate":
                sentence = f"Held before anything is changed: {because}. Ask again = put the plan to people."
                answer = await self._answered(sentence)
                if answer is not None and answer.kind is DecisionKind.ask_again:
                    return await self._ask_and_act(plan, gated.policy)
                return self._aborted(answer)
            case _:
                return await self._hold(f"Nothing is changed: {because}.")

    async def _ask_and_act(self, plan: Plan, policy: ApprovalPolicy) -> Closing | None:
        approval = await self._ask(plan, policy)
        if self._glass.broken:
            return None
        because = approval.state.because
        match approval.state.status:
            case ApprovalStatus.approved:
                return await self._see_through(await self._start_revert(plan, approval))
            case ApprovalStatus.rejected:
                return Closing(
                    outcome="rejected", sentence=f"The rollback was {because}; the candidate keeps its share."
                )
            case ApprovalStatus.withdrawn if self._measured_after_declared:
                return await self._hold(f"The request was {because}; what was measured stays. Ask again, or abort.")
            case ApprovalStatus.withdrawn:
                return Closing(outcome="withdrawn", sentence=f"The request was {because}.")
            case ApprovalStatus.expired if policy.default == "abort":
                return Closing(outcome="expired", sentence=f"The request expired: {because}. Declared default: abort.")
            case ApprovalStatus.expired:
                return await self._hold(f"Holding: {because}. The candidate keeps its share.")
            case _:
                return None

    async def _ask(self, plan: Plan, policy: ApprovalPolicy) -> ApprovalResult:
        """Put the plan to people, on the evidence that the gate has seen."""
        self._asks += 1
        shown = self._verdicts_recorded
        await self._enter(
            "asking",
            f"Waiting for {policy.quorum.distinct_people} people to approve the plan; "
            f"if nobody decides in {in_words(policy.time_limit)}: {policy.default}.",
            workflow.now() + policy.time_limit,
            commands_to=ids.approval_workflow(workflow.info().workflow_id, self._asks),
            commands=(DecisionKind.withdraw,),
        )
        approval = await self._steps.ask(plan, policy, self._verdicts[shown - 1].evidence_digest, self._asks)
        await workflow.wait_condition(lambda: approval.done() or len(self._verdicts) > shown or self._glass.broken)
        if not approval.done():
            changed = f"the evidence changed: {self._verdicts[-1].trigger}"
            with suppress(FailureError):  # it may end in this very moment; then its own end counts
                await approval.signal(Approval.supersede, OVERRULED if self._glass.broken else changed)
        return await approval

    async def _start_revert(self, plan: Plan, carried_by: ApprovalResult | str | None) -> Reverting:
        """Begin to carry out a plan that was approved, for which the glass was broken by this decision, or (None) that
        a standing authorisation carries."""
        self._reverts += 1
        how = "" if carried_by else "without asking, under a standing authorisation, "
        await self._enter(
            "reverting",
            f"Going back {how}in {_counted(len(plan.stages))}; hold, abort or reverse at any point.",
            workflow.now() + plan.expected_duration,
            commands_to=ids.revert_workflow(workflow.info().workflow_id, self._reverts),
            commands=sorted({*RUNNING, *STOPPED}),
        )
        return await self._steps.revert(plan, carried_by, self._reverts, self._ends_by)

    async def _see_through(self, reverting: Reverting) -> Closing | None:
        """Wait for the end of a revert; somebody who breaks the glass meanwhile stops it."""
        await workflow.wait_condition(lambda: reverting.done() or self._glass.broken)
        if not reverting.done():
            with suppress(FailureError):  # it may end in this very moment; then its own end counts
                await reverting.signal(StagedRevert.overrule, OVERRULED)
        result = await reverting
        match result.outcome:
            case "completed":
                return await self._verify(result.completed_at or workflow.now())
            case "aborted" | "reversed":
                return Closing(outcome=result.outcome, sentence=f"The rollback was {result.sentence}")
            case _:
                return None

    @property
    def _severity(self) -> Severity:
        """The worst of all triggers that have fired; it decides who has to approve."""
        return min(Severity(verdict.severity) for verdict in self._verdicts)

    @property
    def _policy(self) -> ApprovalPolicy:
        return self._playbook.policy(self._severity)

    @property
    def _measured_after_declared(self) -> bool:
        """Whether a trigger has fired in an incident that a person opened: they take back their words, not the data."""
        return self._case.opened_by != AUTOMATION and not all(verdict.by_person for verdict in self._verdicts)

    async def _verify(self, since: datetime) -> Closing:
        """All-clear only on positive evidence; otherwise people are asked, and silence never becomes success."""
        self._glass.close("all users are back on the baseline.")
        if self._glass.broken:  # it came while the last stage was being completed
            with suppress(ActivityError):  # nothing was left to do; what was done is verified all the same
                await self._answer_for((await self._use(self._glass.take())).broken)
        await self._keep_verdicts()
        await self._scribe.tell(Step.reverted, str(self._reverts))
        number = 1
        while True:
            await self._enter(
                "verifying",
                "All users are back on the baseline; waiting for labelled answers that show it is healthy.",
                workflow.now() + self._playbook.verification.time_limit,
            )
            checked = await self._steps.verify_health(since, self._reverts, number)
            if checked.passed:
                return Closing(outcome="reverted", sentence="Rolled back and shown to be healthy.")
            await self._scribe.tell(Step.not_verified, f"{self._reverts}/{number}")
            sentence = f"Rolled back, but not shown to be healthy: {checked.sentence}"
            answer = await self._wait_for(
                "not_verified",
                f"{sentence} Resume = verify again, abort = close.",
                (DecisionKind.resume, DecisionKind.abort),
            )
            if answer is None or answer.kind is DecisionKind.abort:
                return Closing(outcome="reverted_not_verified", sentence=sentence)
            number += 1

    async def _close(self, closing: Closing) -> None:
        self._commands.open(())
        self._statements.close()
        self._glass.close("this incident is being closed.")
        if self._evidence is not None and not self._frozen:
            await self._copied(self._evidence, "parallel")
        await self._keep_verdicts()
        if closing.outcome in ("reverted", "reverted_not_verified"):
            await self._steps.close_release(closing.sentence)
        closed = IncidentClosed(outcome=closing.outcome, sentence=closing.sentence)
        await self._scribe.record("closed", closed, f"Close the incident: {closing.outcome}")
        if closing.outcome == "reverted":
            await self._scribe.tell(Step.all_clear, "closed")
        show(closing.outcome, f"Closed: {closing.outcome.replace('_', ' ')}.")

    # --- what people start out of order -------------------------------------------------------------------------

    async def _hear(self, decision: Decision) -> Answer:
        """A declaration: the one this incident was opened with, or one that joins it as evidence."""
        incident_id = self._case.incident_id
        if self._statements.opens(decision):
            await workflow.wait_condition(lambda: self._opened)
            return Answer(status="opened", sentence=f"incident {incident_id} is open.")
        refuse_in_words(self._statements.check, decision)
        verdict = self._statements.give(decision)
        self._verdicts.append(verdict)
        self._aside.append(asyncio.create_task(self._tell_statement(verdict, decision.decision_id)))
        return Answer(status="joined", sentence=f"incident {incident_id} was open already; your words joined it.")

    async def _tell_statement(self, verdict: VerdictChanged, decision_id: str) -> None:
        await self._keep_verdicts()
        await self._scribe.tell(_step_of(verdict), decision_id)

    async def _accept_glass(self, decision: Decision) -> Answer:
        """Nothing is asked of anybody; only the last known good version has to be able to take all users."""
        known = True if decision.terms["emergency"] != Emergency.last_known_good else None
        ready = known or (await eligible(self._brief)).word
        refuse_in_words(lambda one: self._glass.give(one, eligible=ready), decision)
        return Answer(status="accepted", sentence="the glass is broken; others are asked to ratify it.")

    async def _act_on_glass(self) -> Closing | None:
        """Act first; the evidence is copied meanwhile, and people are asked afterwards (GOV-39)."""
        decision = self._glass.take()
        who = decision.actor.printed_name
        await self._enter("planning", f"{who} broke the glass; their way is taken now.", None)
        if not self._frozen:
            started = FreezeStarted(decision_id=decision.decision_id)
            await self._scribe.record(f"freeze_started/{decision.decision_id}", started, "Copy the evidence meanwhile")
            self._evidence = self._evidence or self._steps.freeze(self._playbook.evidence_freeze.time_limit)
        try:
            taken = await self._use(decision)
        except ActivityError as error:
            return await self._hold(f"{who} broke the glass, but nothing could be done: {error.cause or error}")
        if taken.plan is None:
            await self._answer_for(taken.broken)
            return await self._hold(f"{who} broke the glass: {taken.broken.sentence}")
        reverting = await self._start_revert(taken.plan, decision.decision_id)
        await self._answer_for(taken.broken)
        return await self._see_through(reverting)

    async def _use(self, decision: Decision) -> GlassTaken:
        self._plans += 1
        return await take_glass(self._case, self._brief, self._severity, decision.decision_id, self._plans)

    async def _answer_for(self, broken: GlassBroken) -> None:
        """Everybody is told, and others are asked whether it was right."""
        await ask_ratification(self._case, self._brief, broken)
        await self._scribe.tell(Step.glass_broken, broken.decision_id)

    async def _unless_broken(self, step: Coroutine[Any, Any, Done]) -> Done | None:
        """What a step answers; None when somebody breaks the glass: their way waits for no step before it."""
        doing = asyncio.create_task(step)
        await workflow.wait_condition(lambda: doing.done() or self._glass.broken)
        if self._glass.broken:
            doing.cancel()
            await workflow.wait([doing])
            return None
        return await doing

    # --- waiting for people -------------------------------------------------------------------------------------

    async def _hold(self, sentence: str) -> Closing | None:
        """Freeze where we are and ask again after a while, so that a hold is never the end (GOV-23)."""
        return self._aborted(await self._answered(sentence))

    async def _answered(self, sentence: str) -> Decision | None:
        return await self._wait_for("held", sentence, (DecisionKind.ask_again, DecisionKind.abort))

    @staticmethod
    def _aborted(answer: Decision | None) -> Closing | None:
        if answer is None or answer.kind is not DecisionKind.abort:
            return None
        return Closing(outcome="aborted", sentence=f"Aborted by {answer.actor.printed_name}: {answer.reason}")

    async def _wait_for(self, phase: Phase, sentence: str, kinds: tuple[DecisionKind, ...]) -> Decision | None:
        """Wait for a command until it is time to ask again; None when that time came first, or break-glass did."""
        until = min(workflow.now() + self._policy.ask_again_every, self._ends_by)
        self._commands.open(kinds)
        await self._enter(phase, sentence, until, commands=kinds, waiting_for="incident_commander")
        with suppress(TimeoutError):  # a command of the same instant still counts
            await workflow.wait_condition(
                lambda: self._commands.given or self._glass.broken,
                timeout=max(until - workflow.now(), timedelta(milliseconds=1)),
                timeout_summary=f"{phase.replace('_', ' ')} until {until:%H:%M:%S} UTC",
            )
        self._commands.open(())
        return self._commands.take()

    async def _enter(
        self,
        phase: Phase,
        sentence: str,
        until: datetime | None,
        *,
        commands_to: str | None = None,
        commands: Iterable[DecisionKind] = (),
        waiting_for: str = "nothing",
    ) -> None:
        """Say where we are, in the Ledger and in the Temporal UI."""
        self._phases += 1
        await self._scribe.record(
            f"phase/{self._phases}",
            IncidentPhase(
                phase=phase,
                sentence=sentence,
                until=until,
                commands_to=commands_to or workflow.info().workflow_id,
                commands=tuple(kind.value for kind in commands),
            ),
            f"Phase: {phase.replace('_', ' ')}",
        )
        show(phase, sentence, waiting_for)


def _step_of(verdict: VerdictChanged) -> Step:
    """What people are told about the opening: what no watch measured is a step of its own."""
    return Step.incident_opened if verdict.verdicts else Step(verdict.trigger)


def _counted(stages: int) -> str:
    return "1 stage" if stages == 1 else f"{stages} stages"
