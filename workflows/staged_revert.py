"""Go back in stages: recheck → intent → set → read back → traffic → soak → checks → next.

People can hold, resume, abort or reverse at every point; any doubt stops the stage and asks.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.briefing import Brief
from activities.staging import RecheckRequest, StagingActivities
from countermand import ids
from countermand.governance.approval import ApprovalState, Ask
from countermand.governance.commands import CommandBox
from countermand.governance.decision import Decision, DecisionKind
from countermand.ledger.bodies import StageWord
from countermand.messages.facts import in_words
from countermand.plan.build import stage_sentence
from countermand.plan.model import Plan, PlannedStage
from countermand.plan.target import Value
from countermand.playbook.model import Step
from workflows import policies
from workflows.decisions import Answer, refuse_in_words
from workflows.members import Failed, Members
from workflows.scribe import Scribe
from workflows.stage_steps import StageSteps
from workflows.visibility import show

RUNNING = (DecisionKind.hold, DecisionKind.abort, DecisionKind.reverse)
STOPPED = (DecisionKind.resume, DecisionKind.abort, DecisionKind.reverse)


class RevertInput(Value):
    """A Plan that people approved, for which the glass was broken (`glass` is the id of that decision), or that a
    standing authorisation carries: then nobody was asked, or nobody answered.

    `number` counts reverts of one incident.
    """

    plan: Plan
    ask: Ask | None
    approval: ApprovalState | None
    number: int
    brief: Brief
    ends_by: datetime
    glass: str | None = None

    @property
    def unasked(self) -> bool:
        """Whether it starts without a decision of people."""
        if self.glass is not None:
            return False
        return self.approval is None or self.approval.basis == "standing_authorisation"


class RevertResult(Value):
    """How the revert ended. `stale` = nothing more was done, a new plan is needed; `stopped` = people are asked;
    `overruled` = somebody broke the glass."""

    outcome: Literal["completed", "aborted", "reversed", "stopped", "stale", "overruled"]
    sentence: str
    completed_at: datetime | None = None


StopKind = Literal["hold", "resume", "abort", "reverse", "problem", "partial", "parted", "stale", "overruled"]


@dataclass(frozen=True)
class Stop:
    """Why a stage does not simply go on, and what people said about it.

    `partial`: members of the bundle differ from each other now; `parted`: the same, and this plan cannot go on.
    """

    kind: StopKind
    sentence: str
    by: str | None = None
    subject: str | None = None


@workflow.defn(name="StagedRevert")
class StagedRevert:
    """One approved Plan, carried out stage by stage."""

    @workflow.init
    def __init__(self, request: RevertInput) -> None:
        self._plan = request.plan
        self._request = request
        self._commands = CommandBox(workflow.info().workflow_id, request.plan.incident_id)
        self._commands.trust(request.brief.keys, request.brief.directory)
        self._commands.open(RUNNING)
        self._scribe = Scribe(
            request.plan.incident_id, request.plan.release_id, request.brief.playbook, request.plan.severity
        )
        ask_id = request.ask.ask_id if request.ask else None
        self._steps = StageSteps(
            request.plan, ask_id, request.glass, request.number, request.brief.playbook, self._scribe
        )
        self._members = Members(request.plan, self._steps)
        self._deadline = datetime.max.replace(tzinfo=UTC)
        self._reversals = 0
        self._overruled = ""
        self._announcing: asyncio.Task[None] | None = None

    @workflow.run
    async def run(self, _: RevertInput) -> RevertResult:
        result = await self._all_stages()
        self._commands.open(())
        if self._announcing is not None:
            await self._announcing
        await workflow.wait_condition(workflow.all_handlers_finished)
        return result

    @workflow.update
    async def decide(self, decision: Decision) -> Answer:
        """Take a signed command; it acts at the next safe point, at once during a soak or while stopped."""
        refuse_in_words(self._commands.give, decision)
        return Answer(status="accepted", sentence=f"{decision.kind.value} accepted; it acts at the next safe point.")

    @decide.validator
    def validate_decision(self, decision: Decision) -> None:
        refuse_in_words(self._commands.check, decision)

    @workflow.signal
    def overrule(self, why: str) -> None:
        """Somebody broke the glass: stop at the next safe point, so that their way is taken instead."""
        self._overruled = why

    # --- the way back -----------------------------------------------------------------------------------------

    async def _all_stages(self) -> RevertResult:
        for stage in self._plan.stages:
            attempt = 0
            while (stop := await self._carry_out(stage, attempt)) is not None:
                ended = await self._settle(stage, stop)
                if ended is not None:
                    return ended
                attempt += 1
        return RevertResult(
            outcome="completed",
            sentence=f"all stages are done; {self._members.seen_words}.",
            completed_at=workflow.now(),
        )

    async def _carry_out(self, stage: PlannedStage, attempt: int) -> Stop | None:
        """One try of one stage within its time limit; None when it is complete."""
        self._say(stage, "going back")
        self._deadline = workflow.now() + stage.time_limit
        try:
            stop = (
                self._commanded()
                or await self._set(stage, attempt)
                or self._commanded()
                or await self._see_in_traffic(stage, attempt)
                or await self._soak(stage)
                or await self._check_integrity(stage, attempt)
                or self._commanded()
            )
            if stop is None:
                if stage is self._plan.stages[-1]:
                    self._commands.open(())  # from here on there is nothing left to hold, abort or reverse
                await self._complete(stage)
            return stop
        except ActivityError as error:
            return Stop("problem", f"stage {stage.number} cannot go on: {error.cause or error}")

    @property
    def _left(self) -> timedelta:
        """What is left of the stage's time limit; at least enough for one try."""
        return max(self._deadline - workflow.now(), timedelta(seconds=1))

    async def _set(self, stage: PlannedStage, attempt: int) -> Stop | None:
        due = self._members.due(stage)
        if not due:
            return None
        request, first = self._request, self._members.untouched
        recheck = await workflow.execute_activity_method(
            StagingActivities.recheck,
            RecheckRequest(
                plan=self._plan,
                ask=request.ask,
                approval=request.approval,
                revisions=self._members.expected(stage),
                first=first,
                glass=request.glass,
            ),
            summary=f"Stage {stage.number}: plan, people and target still as approved?",
            **policies.read_target(self._left),
        )
        if recheck.word != "go":
            return Stop("stale" if recheck.word == "stale" else "problem", recheck.sentence)
        if first:
            checked = await self._steps.checks(stage, "before", attempt, self._left)
            if not checked.passed:
                return Stop("problem", checked.sentence)
        await self._steps.note(stage, "started", stage_sentence(self._plan, stage))
        self._announce()
        for position in due:
            words = stage_sentence(self._plan, stage)
            failed = await self._members.move(stage, position, attempt, self._left, words)
            if failed is not None:
                return await self._part(stage, failed) if position else Stop("problem", failed.sentence)
        return None

    async def _part(self, stage: PlannedStage, failed: Failed) -> Stop:
        """A follower did not follow: bring back what moved, where the plan says so, nobody else is behind it and nobody
        said otherwise meanwhile; else leave it for people (TGT-20, TGT-21)."""
        if self._plan.on_member_failure == "hold" or not failed.unmoved:
            return Stop("partial", f"{failed.sentence} The bundle is divided now: {self._members.table}.")
        if (said := self._commanded()) is not None:  # whoever holds or breaks the glass wants no users on the candidate
            await self._steps.note(
                stage, "partial", f"{failed.sentence} Nothing is brought back, because: {said.sentence}"
            )
            return said
        self._reversals += 1
        not_back = await self._members.bring_back(self._reversals, workflow.now() + stage.time_limit)
        if not not_back:
            not_back = await self._members.seen(
                ids.REVERSE_STAGE, self._members.back, self._reversals, stage.time_limit
            )
        if not_back:
            sentence = f"{failed.sentence} {not_back} The bundle is divided now: {self._members.table}."
            await self._steps.note(stage, "partial", sentence)
            return Stop("parted", sentence)
        sentence = f"{failed.sentence} What had moved was brought back: {self._members.table}."
        await self._steps.note(stage, "compensated", sentence)
        return Stop("parted", sentence)

    def _announce(self) -> None:
        """Tell everybody who would have been asked, while the first stage begins and not after it (GOV-29)."""
        if self._request.unasked and self._announcing is None:
            telling = self._scribe.tell(Step.automatic_started, str(self._request.number))
            self._announcing = asyncio.create_task(telling)

    async def _see_in_traffic(self, stage: PlannedStage, attempt: int) -> Stop | None:
        wanted = {one: self._plan.desired(stage, one) for one in self._plan.due(stage.number)}
        why_not = await self._members.seen(stage.number, wanted, attempt, self._left)
        return Stop("problem", why_not) if why_not else None

    async def _soak(self, stage: PlannedStage) -> Stop | None:
        """Let the stage stand; a command ends the soak at once."""
        if not stage.soak:
            return self._commanded()
        until = workflow.now() + stage.soak
        await self._steps.note(stage, "soaking", f"watching this share for {in_words(stage.soak)}.", until=until)
        try:
            await workflow.wait_condition(
                lambda: self._interrupted,
                timeout=stage.soak,
                timeout_summary=f"soak of stage {stage.number}",
            )
        except TimeoutError:
            return None
        return self._commanded()

    async def _check_integrity(self, stage: PlannedStage, attempt: int) -> Stop | None:
        last = stage.number == len(self._plan.stages)
        checked = await self._steps.checks(stage, "after" if last else "between", attempt, self._left)
        return None if checked.passed else Stop("problem", checked.sentence)

    async def _complete(self, stage: PlannedStage) -> None:
        await self._steps.note(
            stage, "completed", f"{self._members.table}; {self._members.seen_words}; all checks passed."
        )
        await self._scribe.tell(Step.stage_completed, f"{self._request.number}/{stage.number}")

    # --- stopping ---------------------------------------------------------------------------------------------

    @property
    def _interrupted(self) -> bool:
        return self._commands.given or bool(self._overruled)

    def _commanded(self) -> Stop | None:
        """The command that was given meanwhile, if any; break-glass goes before all others."""
        if self._overruled:
            return Stop("overruled", self._overruled)
        decision = self._commands.take()
        return None if decision is None else _stop(decision)

    async def _settle(self, stage: PlannedStage, stop: Stop) -> RevertResult | None:
        """Bring a stop to its declared end; None when a person resumed."""
        while True:
            self._commands.open(STOPPED)  # from here on no hold can come; one that came is taken now
            stop = self._commanded() or stop
            match stop.kind:
                case "resume":
                    self._commands.open(RUNNING)
                    await self._steps.note(stage, "resumed", stop.sentence, by=stop.by, subject=stop.subject)
                    return None
                case "stale" | "overruled":
                    self._commands.open(())
                    await self._steps.note(stage, "stopped", stop.sentence)
                    return RevertResult(outcome=stop.kind, sentence=stop.sentence)
                case "abort":
                    self._commands.open(())
                    await self._steps.note(stage, "aborted", stop.sentence, by=stop.by, subject=stop.subject)
                    return RevertResult(outcome="aborted", sentence=f"aborted by {stop.by}")
                case "reverse":
                    self._commands.open(())
                    reversed_ = await self._reverse(stage, stop)
                    if isinstance(reversed_, RevertResult):
                        return reversed_
                    stop = reversed_
                case "parted":
                    self._commands.open(())
                    await self._scribe.tell(Step.revert_stopped, f"{self._request.number}/{stage.number}/parted")
                    return RevertResult(outcome="stopped", sentence=stop.sentence)
                case "hold" | "problem" | "partial":
                    answer = await self._wait_for_people(stage, stop)
                    if self._overruled:
                        continue
                    if answer is None:
                        self._commands.open(())
                        return RevertResult(outcome="stopped", sentence=stop.sentence)
                    stop = _stop(answer)

    async def _wait_for_people(self, stage: PlannedStage, stop: Stop) -> Decision | None:
        """Hold until the incident ends, a problem until it is time to ask again; None when nobody answered, or
        somebody broke the glass."""
        held = stop.kind == "hold"
        playbook = self._request.brief.playbook
        patience = playbook.policy(self._plan.severity).ask_again_every
        limit = max(self._request.ends_by - workflow.now(), patience) if held else patience
        until = workflow.now() + limit
        word: StageWord = "held" if held else "partial" if stop.kind == "partial" else "stopped"
        await self._steps.note(stage, word, stop.sentence, by=stop.by, subject=stop.subject, until=until)
        if not held:
            await self._scribe.tell(Step.revert_stopped, f"{self._request.number}/{stage.number}/{self._steps.notes}")
        self._say(stage, "held" if held else "stopped", waiting_for="incident_commander")
        with suppress(TimeoutError):  # a command of the same instant still counts
            await workflow.wait_condition(
                lambda: self._interrupted,
                timeout=limit,
                timeout_summary=f"resume, abort or reverse until {until:%H:%M:%S} UTC",
            )
        return self._commands.take()

    async def _reverse(self, stage: PlannedStage, stop: Stop) -> RevertResult | Stop:
        """Return to the state recorded before the first write: a person's explicit act, with a higher fence.

        What cannot be reversed becomes a problem that people are asked about; their command is not lost silently.
        """
        self._deadline = workflow.now() + stage.time_limit
        self._reversals += 1
        try:
            not_back = await self._members.bring_back(self._reversals, self._deadline)
            if not_back:
                return Stop("problem", f"{stop.by} wanted to reverse, but: {not_back}")
            back = self._members.back
            not_seen = await self._members.seen(ids.REVERSE_STAGE, back, self._reversals, self._left)
        except ActivityError as error:
            return Stop("problem", f"{stop.by} wanted to reverse, but: {error.cause or error}")
        words = f"not seen in traffic: {not_seen}" if not_seen else self._members.seen_words
        sentence = f"back as it was: {self._members.table}; {words}"
        said = f"{sentence}. Reason: {stop.sentence}"
        await self._steps.note(stage, "reversed", said, by=stop.by, subject=stop.subject)
        return RevertResult(outcome="reversed", sentence=f"reversed by {stop.by}: {sentence}")

    def _say(self, stage: PlannedStage, word: str, waiting_for: str = "nothing") -> None:
        show(
            f"revert_{word.replace(' ', '_')}",
            f"Stage {stage.number} of {len(self._plan.stages)}, {word}: {stage_sentence(self._plan, stage)}.",
            waiting_for,
        )


_KINDS: dict[DecisionKind, StopKind] = {
    DecisionKind.hold: "hold",
    DecisionKind.resume: "resume",
    DecisionKind.abort: "abort",
    DecisionKind.reverse: "reverse",
}


def _stop(decision: Decision) -> Stop:
    """What a command means; a kind that is no command is a bug and raises KeyError."""
    actor = decision.actor
    return Stop(_KINDS[decision.kind], decision.reason, actor.printed_name, actor.subject)
