"""What happens after a trigger: declare → freeze evidence → plan → gate → ask → revert → verify → close → review.

One running Incident per release and environment: the workflow id is made of both (I1).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError, ChildWorkflowError, FailureError

from activities.emergencies import GlassTaken
from countermand import ids
from countermand.governance.approval import ApprovalStatus
from countermand.governance.commands import CommandBox
from countermand.governance.decision import Decision, DecisionKind
from countermand.governance.glass_box import GlassBox
from countermand.governance.investigation import REPORTED
from countermand.governance.rights import Action
from countermand.governance.statement_box import StatementBox
from countermand.ledger.bodies import GlassBroken, IncidentClosed, VerdictChanged
from countermand.messages.facts import in_words
from countermand.plan.model import Plan
from countermand.playbook.model import ApprovalPolicy, Severity, Step
from workflows.approval import Approval, ApprovalResult
from workflows.decisions import Answer, refuse_in_words
from workflows.emergency_steps import accept_glass, ask_ratification, confirm_declared, take_glass
from workflows.evidence import Evidence
from workflows.fairness_pause import FairnessPause
from workflows.guard_steps import start_guard
from workflows.incident_steps import Case, Closing, IncidentSteps, read_brief
from workflows.incident_verdicts import Verdicts
from workflows.investigation import MOVED, Moved
from workflows.phases import Phases
from workflows.scribe import Scribe
from workflows.staged_revert import RUNNING, STOPPED, RevertResult, StagedRevert
from workflows.verification import Verification
from workflows.visibility import show

Reverting = workflow.ChildWorkflowHandle[StagedRevert, RevertResult]

AUTOMATION = "automation"
#: Why something that was under way ended for break-glass.
OVERRULED = "somebody broke the glass"
#: Outcomes after which the release serves nobody any more.
WENT_BACK = ("reverted", "reverted_not_verified")
#: How people say no to a way back; none of it answers a question of fairness that is still open.
SAID_NO = ("rejected", "withdrawn", "expired", "aborted", "reversed")


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
        self._verdicts = Verdicts(case.verdict)
        self._opened = False
        self._aside: list[asyncio.Task[None]] = []
        self._plans = self._asks = self._reverts = 0
        self._relapse = ""

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
        self._phases = Phases(
            self._scribe, self._commands, self._glass, self._ends_by, lambda: self._policy.ask_again_every
        )
        self._pause = FairnessPause(case, brief, self._scribe, self._phases, self._ends_by)
        self._evidence = Evidence(brief.playbook.evidence_freeze, self._steps, self._scribe, self._phases)
        await self._steps.start_messages()
        await self._declare()
        await self._steps.start_obligations()
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
        while closing.outcome not in WENT_BACK and (unheard := self._verdicts.unheard()) is not None:
            await self._steps.hand_back(unheard)
        return closing

    @workflow.update
    async def decide(self, decision: Decision) -> Answer:
        """Take a signed command while this incident itself waits for people, a declaration, or break-glass."""
        match decision.kind:
            case DecisionKind.declare:
                return await self._hear(decision)
            case DecisionKind.break_glass:
                return await accept_glass(self._glass, self._brief, decision)
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
            self._verdicts.add(verdict)

    @workflow.signal(name=MOVED)
    def investigation_moved(self, moved: Moved) -> None:
        """A finding is waited for until another time."""
        if self._opened:
            self._pause.moved(moved)

    # --- the story ----------------------------------------------------------------------------------------------

    async def _declare(self) -> None:
        await self._scribe.record("opened", self._steps.opened(self._ends_by), "Declare the incident")
        self._opened = True
        await self._verdicts.keep(self._scribe)
        await self._scribe.tell(_step_of(self._case.verdict), "opened")

    async def _resolve(self) -> Closing:
        """Plan and ask until people decided and the way back is done, or the incident's time is over. Break-glass goes
        before everything else."""
        while workflow.now() < self._ends_by or self._glass.broken:
            closing = await (self._act_on_glass() if self._glass.broken else self._round())
            if closing is not None and closing.outcome in SAID_NO and self._pause.running:
                closing = await self._find()
            if closing is not None and not self._glass.broken:
                return closing
        return self._out_of_time()

    async def _round(self) -> Closing | None:
        """Evidence first, then a plan, then people; None when it begins again."""
        if not self._evidence.settled:
            missing = await self._evidence.freeze(self._verdicts.severity)
            if missing:
                return self._aborted(await self._evidence.ask(missing))
            if not self._evidence.settled:
                return self._aborted(self._phases.taken())
        self._plans += 1
        sentence = "Reading the target and working out the way back."
        await self._phases.enter("planning", sentence, None, commands=(DecisionKind.abort,))
        made = await self._phases.doing(self._steps.make_plan(self._verdicts.severity, self._plans))
        if made is None:
            return self._aborted(self._phases.taken())
        if made.plan is None:
            return await self._without_plan(made.impossible)
        return await self._gate_and_act(made.plan)

    async def _without_plan(self, why: str) -> Closing | None:
        """People are told; unfairness is looked into all the same, because a finding needs no way back (GOV-32)."""
        because = self._verdicts.unfair(self._playbook)
        if because:
            await self._pause.begin(because, self._verdicts.severity)
        if because and self._verdicts.only_unfair(self._playbook) and self._pause.outcome not in ("revert", "lapsed"):
            return await self._find(f"No way back can be planned now: {why}")
        asked = " A fairness reviewer is asked all the same." if self._pause.running else ""
        return await self._hold(f"{self._relapse}No plan is possible: {why}{asked}")

    def _out_of_time(self) -> Closing:
        limit = in_words(self._playbook.incident_time_limit)
        return Closing(
            outcome="unresolved", sentence=f"Not resolved within {limit}; users stay on the share they have now."
        )

    async def _gate_and_act(self, plan: Plan) -> Closing | None:
        """One round; None when it has to be planned and asked again. What the verdicts lead to is on record first."""
        await self._verdicts.keep(self._scribe)
        gated = await self._phases.doing(self._steps.gate(plan, self._plans))
        if gated is None:
            return self._aborted(self._phases.taken())
        because = "; ".join(gated.gate.because)
        if gated.fairness and gated.gate.act != "investigate":
            await self._pause.overridden_by(gated, self._verdicts.severity)
        match gated.gate.act:
            case "automatic" if not self._relapse:
                return await self._see_through(plan, await self._start_revert(plan, None))
            case "automatic" | "ask" | "ask_if_blind":
                return await self._ask_and_act(plan, self._pause.policy(gated.policy))
            case "investigate" if self._pause.outcome == "revert":
                return await self._ask_and_act(plan, self._pause.policy(gated.policy))
            case "investigate":
                await self._pause.begin(gated.fairness, self._verdicts.severity)
                return await self._find()
            case _:
                return await self._hold(f"Nothing is changed: {because}.")

    async def _find(self, also: str = "") -> Closing | None:
        """Wait for the finding about fairness; None when it has to be planned anew (GOV-34). also: what people are told
        besides."""
        shown = self._verdicts.kept
        found = await self._pause.wait(lambda: self._verdicts.came_after(shown) or self._glass.broken, also)
        match found.outcome if found else "":
            case "continue":
                return await self._pause.continued()
            case "adjust":
                return await self._pause.adjusted()
            case _:
                return None

    async def _ask_and_act(self, plan: Plan, policy: ApprovalPolicy) -> Closing | None:
        approval = await self._ask(plan, policy)
        if self._glass.broken:
            return None
        because = approval.state.because
        match approval.state.status:
            case ApprovalStatus.approved:
                return await self._see_through(plan, await self._start_revert(plan, approval))
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
        shown = self._verdicts.kept
        await self._steps.measure_slices(self._asks)
        await self._phases.enter(
            "asking",
            f"Waiting for {policy.quorum.distinct_people} people to approve the plan; "
            f"if nobody decides in {in_words(policy.time_limit)}: {policy.default}.",
            workflow.now() + policy.time_limit,
            commands_to=ids.approval_workflow(workflow.info().workflow_id, self._asks),
            commands=(DecisionKind.withdraw,),
        )
        approval = await self._steps.ask(plan, policy, self._verdicts.evidence_digest(shown), self._asks)
        await workflow.wait_condition(lambda: approval.done() or self._verdicts.came_after(shown) or self._glass.broken)
        if not approval.done():
            changed = f"the evidence changed: {self._verdicts.newest.trigger}"
            with suppress(FailureError):  # it may end in this very moment; then its own end counts
                await approval.signal(Approval.supersede, OVERRULED if self._glass.broken else changed)
        return await approval

    async def _start_revert(self, plan: Plan, carried_by: ApprovalResult | str | None) -> Reverting:
        """Begin to carry out a plan that was approved, for which the glass was broken by this decision, or (None) that
        a standing authorisation carries."""
        self._reverts += 1
        how = "" if carried_by else "without asking, under a standing authorisation, "
        await self._phases.enter(
            "reverting",
            f"Going back {how}in {_counted(len(plan.stages))}; hold, abort or reverse at any point.",
            workflow.now() + plan.expected_duration,
            commands_to=ids.revert_workflow(workflow.info().workflow_id, self._reverts),
            commands=sorted({*RUNNING, *STOPPED}),
        )
        return await self._steps.revert(plan, carried_by, self._reverts, self._ends_by)

    async def _see_through(self, plan: Plan, reverting: Reverting) -> Closing | None:
        """Wait for the end of a revert; somebody who breaks the glass meanwhile stops it."""
        await workflow.wait_condition(lambda: reverting.done() or self._glass.broken)
        if not reverting.done():
            with suppress(FailureError):  # it may end in this very moment; then its own end counts
                await reverting.signal(StagedRevert.overrule, OVERRULED)
        result = await reverting
        match result.outcome:
            case "completed":
                return await self._verify(plan, result.completed_at or workflow.now())
            case "aborted" | "reversed":
                return Closing(outcome=result.outcome, sentence=f"The rollback was {result.sentence}")
            case _:
                return None

    @property
    def _policy(self) -> ApprovalPolicy:
        return self._playbook.policy(self._verdicts.severity)

    @property
    def _measured_after_declared(self) -> bool:
        """Whether a trigger has fired in an incident that a person opened: they take back their words, not the data."""
        return self._case.opened_by != AUTOMATION and self._verdicts.measured

    async def _verify(self, plan: Plan, since: datetime) -> Closing | None:
        """Whoever breaks the glass from here on would find nothing to do; then positive evidence is waited for. None
        when it became worse again and the playbook asks for a new plan."""
        self._glass.close("all users are back on the baseline.")
        if self._glass.broken:  # it came while the last stage was being completed
            with suppress(ActivityError):  # nothing was left to do; what was done is verified all the same
                await self._answer_for((await self._use(self._glass.take())).broken)
        await self._verdicts.keep(self._scribe)
        await self._scribe.tell(Step.reverted, str(self._reverts))
        verification = Verification(self._playbook.verification, self._steps, self._scribe, self._phases, self._ends_by)
        closing = await verification.run(plan, since, self._reverts)
        if closing is None:
            self._relapse = verification.relapse
            self._glass.reopen()
        return closing

    async def _close(self, closing: Closing) -> None:
        self._commands.open(())
        self._verdicts.close()
        self._statements.close()
        self._glass.close("this incident is being closed.")
        await self._evidence.finish()
        await self._verdicts.keep(self._scribe)
        if closing.outcome in WENT_BACK:
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
        self._verdicts.add(verdict)
        self._aside.append(asyncio.create_task(self._tell_statement(verdict, decision.decision_id)))
        return Answer(status="joined", sentence=f"incident {incident_id} was open already; your words joined it.")

    async def _tell_statement(self, verdict: VerdictChanged, decision_id: str) -> None:
        await self._verdicts.keep(self._scribe)
        await self._scribe.tell(_step_of(verdict), decision_id)

    async def _act_on_glass(self) -> Closing | None:
        """Act first; the evidence is copied meanwhile, and people are asked afterwards (GOV-39)."""
        self._phases.taken()  # a command of the same instant was about what break-glass ends
        decision = self._glass.take()
        who = decision.actor.printed_name
        await self._phases.enter("planning", f"{who} broke the glass; their way is taken now.", None)
        await self._evidence.beside(decision.decision_id, self._verdicts.severity)
        try:
            taken = await self._use(decision)
        except ActivityError as error:
            return await self._hold(f"{who} broke the glass, but nothing could be done: {error.cause or error}")
        if taken.plan is None:
            await self._answer_for(taken.broken)
            return await self._hold(f"{who} broke the glass: {taken.broken.sentence}")
        reverting = await self._start_revert(taken.plan, decision.decision_id)
        await self._answer_for(taken.broken)
        return await self._see_through(taken.plan, reverting)

    async def _use(self, decision: Decision) -> GlassTaken:
        self._plans += 1
        return await take_glass(self._case, self._brief, self._verdicts.severity, decision.decision_id, self._plans)

    async def _answer_for(self, broken: GlassBroken) -> None:
        """Everybody is told, and others are asked whether it was right."""
        await self._pause.overridden_in_person(broken)
        await ask_ratification(self._case, self._brief, broken)
        await self._scribe.tell(Step.glass_broken, broken.decision_id)

    # --- waiting for people -------------------------------------------------------------------------------------

    async def _hold(self, sentence: str) -> Closing | None:
        """Freeze where we are and ask again after a while, so that a hold is never the end (GOV-23)."""
        return self._aborted(await self._phases.answered(sentence))

    @staticmethod
    def _aborted(answer: Decision | None) -> Closing | None:
        if answer is None or answer.kind is not DecisionKind.abort:
            return None
        return Closing(outcome="aborted", sentence=f"Aborted by {answer.actor.printed_name}.")


def _step_of(verdict: VerdictChanged) -> Step:
    """What people are told about the opening: what no watch measured is a step of its own."""
    if verdict.trigger == REPORTED:
        return Step.fairness_pause
    return Step.incident_opened if verdict.verdicts else Step(verdict.trigger)


def _counted(stages: int) -> str:
    return "1 stage" if stages == 1 else f"{stages} stages"
