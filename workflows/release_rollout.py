"""Let users have a release, step by step: a sandbox that always goes back, a ramp, or the return after a way back.

Nothing goes on without positive evidence. A trigger ends it: a sandbox goes back at once, a ramp leaves the target to
the incident.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.briefing import Brief, BriefingActivities, BriefRequest
from activities.recording import RecordingActivities, RecordRequest
from activities.rolling import EndRollout, PlannedRollout, PlanRollout, RollingActivities, SetShare
from activities.rolling_watch import StepResult, StepWatching, WatchStep
from activities.rolling_words import RolloutWords, TellRollout
from countermand import ids
from countermand.governance.decision import Decision, Refusal, Refused
from countermand.ledger.bodies import RolloutEnded, RolloutHeld, RolloutOutcome, RolloutSkipped
from countermand.plan.target import Value
from countermand.playbook.model import Step
from countermand.playbook.units import format_percent
from countermand.rollout.authority import Desk
from countermand.rollout.plan import Kind, RolloutStep, step_sentence
from workflows import policies
from workflows.decisions import Answer, refuse_in_words
from workflows.visibility import show


class RolloutInput(Value):
    """A registered release, and what is to be done with it. `unattended`: a schedule begins it, so nobody is asked."""

    rollout_id: str
    release_id: str
    kind: Kind
    unattended: bool = False


class RolloutResult(Value):
    """`impossible`: nothing was planned, for the reason in the sentence. restored: as in the record."""

    outcome: str
    sentence: str
    restored: bool | None = None


@dataclass(frozen=True)
class End:
    """Why no further step is taken."""

    outcome: Literal["done", "doubtful", "trigger", "stopped", "lost", "not_started"]
    sentence: str
    signals: tuple[str, ...] = ()


@workflow.defn(name="ReleaseRollout")
class ReleaseRollout:
    """One rollout of one release."""

    @workflow.init
    def __init__(self, wanted: RolloutInput) -> None:
        self._wanted = wanted
        self._answer: Answer | None = None
        self._desk: Desk | None = None
        self._revision: str | None = None
        self._signals: tuple[str, ...] = ()

    @workflow.run
    async def run(self, _: RolloutInput) -> RolloutResult:
        self._brief = await self._briefed()
        planned = await self._planned()
        if planned.plan is None:
            self._answer = Answer(status="impossible", sentence=f"Nothing is rolled out: {planned.impossible}.")
            if self._wanted.unattended:
                await self._skipped(planned.impossible)
            result = RolloutResult(outcome="impossible", sentence=planned.impossible)
        else:
            self._plan, self._revision = planned.plan, planned.plan.before_revision
            brief = self._brief
            self._desk = Desk(planned.plan, brief.release.registered_by, brief.keys, brief.directory, brief.rights)
            self._answer = _answer(planned)
            ended = await self._finish(await self._story(planned))
            result = RolloutResult(outcome=ended.outcome, sentence=ended.sentence, restored=ended.restored)
        show(result.outcome, f"The rollout is over: {result.outcome.replace('_', ' ')}.")
        await workflow.wait_condition(workflow.all_handlers_finished)
        return result

    @workflow.update
    async def begin(self, rollout_id: str) -> Answer:
        """What was planned; for another rollout id: that this one is under way."""
        if rollout_id != self._wanted.rollout_id:
            return Answer(status="running", sentence=f"{self._wanted.rollout_id} of this release is under way already.")
        await workflow.wait_condition(lambda: self._answer is not None)
        assert self._answer is not None  # noqa: S101  # just waited for
        return self._answer

    @workflow.update
    async def decide(self, decision: Decision) -> Answer:
        """Take a signed start or stop."""
        refuse_in_words(self._take, decision)
        return Answer(status="accepted", sentence=f"{decision.kind.value.replace('_', ' ')} accepted.")

    @decide.validator
    def validate_decision(self, decision: Decision) -> None:
        refuse_in_words(self._refuse, decision)

    def _take(self, decision: Decision) -> None:
        self._refuse(decision)
        if self._desk is not None:
            self._desk.take(decision)

    def _refuse(self, decision: Decision) -> None:
        if self._desk is None:
            raise Refused(Refusal.wrong_state, "it is just being planned.", "Try again in a few seconds.")
        self._desk.refuse(decision)

    # --- the way forward --------------------------------------------------------------------------------------

    async def _story(self, planned: PlannedRollout) -> End:
        """All steps; why there is no further one."""
        if planned.asks and self._wanted.unattended:
            why = "; ".join(planned.asks)
            return End("not_started", f"It was due by its schedule, which starts nothing that needs a person: {why}.")
        if planned.asks and planned.until is not None:
            self._ask()
            show("asking", "A person has to start it.", "release_owner")
            if not await self._started(planned.until - workflow.now()):
                return self._stopped() or End("not_started", "Nobody started it in time; nothing was changed.")
        await self._tell(Step.rollout_started, "start")
        for step in self._plan.steps:
            end = await self._climb(step)
            if end is not None:
                return end
            if step is not self._plan.steps[-1]:
                await self._tell(Step.rollout_promoted, str(step.number))
        share = format_percent(self._plan.steps[-1].desired.candidate_bp)
        sentence = f"Shown to be healthy at {share} of users."
        if self._plan.left and not self._plan.goes_back:
            sentence += f" The release is not complete: {self._plan.left}"
        return End("done", sentence, self._signals)

    async def _climb(self, step: RolloutStep) -> End | None:
        """One step; None when it was shown to be healthy."""
        show("rolling out", f"Step {step.number} of {len(self._plan.steps)}: {step_sentence(step)}.")
        try:
            if stopped := self._stopped():
                return stopped
            outcome = await self._set(step.number)
            if outcome.result not in ("applied", "already"):
                return End("doubtful", f"Step {step.number} was not set: {outcome.sentence}")
            for terms in range(1, policies.MOST_TERMS + 1):
                seen = await self._watch(step, terms)
                if seen is None:
                    return self._stopped()
                if seen.word == "certified":
                    self._signals = seen.signals
                    return None
                if seen.word != "not_certified" or self._plan.goes_back:
                    return _end(seen)
                if not await self._held(step, terms, seen.sentence):
                    return self._stopped() or End("doubtful", f"{seen.sentence} Nobody decided in time.")
            return End("doubtful", f"Step {step.number} was not shown to be healthy.")
        except ActivityError as error:
            return End("doubtful", f"Step {step.number} cannot go on: {error.cause or error}.")

    async def _watch(self, step: RolloutStep, terms: int) -> StepResult | None:
        """What the step shows; None when somebody stopped it meanwhile."""
        detection = self._brief.playbook.detection
        limit = self._plan.settle + step.time_limit * terms + 2 * detection.block + detection.lateness
        watching = workflow.start_activity_method(
            StepWatching.watch_step,
            WatchStep(plan=self._plan, step=step.number, terms=terms),
            summary=f"Is {format_percent(step.desired.candidate_bp)} of users healthy?",
            **policies.wait_for_evidence(limit),
        )
        await workflow.wait_condition(lambda: watching.done() or self._stopped() is not None)
        if watching.done():
            return await watching
        watching.cancel()
        with suppress(ActivityError, asyncio.CancelledError):
            await watching
        return None

    async def _held(self, step: RolloutStep, number: int, sentence: str) -> bool:
        """Ask people; whether somebody wants it to be watched on."""
        self._ask()
        body = RolloutHeld(
            rollout_id=self._plan.rollout_id,
            step=step.number,
            sentence=sentence,
            until=workflow.now() + step.time_limit,
        )
        key = ids.rollout_record(self._plan.rollout_id, f"held/{step.number}/{number}")
        await workflow.execute_activity_method(
            RecordingActivities.record,
            RecordRequest(entries=(body.entry(key, "worker", release_id=self._plan.release_id),)),
            summary=f"Step {step.number} is held",
            **policies.RECORD,
        )
        await self._tell(Step.ramp_held, f"{step.number}/{number}")
        show("held", f"Step {step.number} is held.", "release_owner")
        return await self._started(body.until - workflow.now())

    def _ask(self) -> None:
        """From now on a start counts; before anybody is told that it is wanted."""
        self._box.start, self._box.wants_start = None, True

    async def _started(self, within: timedelta) -> bool:
        """Whether a person started it within this time."""
        desk = self._box
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: desk.start is not None or desk.stop is not None,
                timeout=max(within, timedelta()),
                timeout_summary="a person starts or stops it",
            )
        desk.wants_start = False
        return desk.start is not None and desk.stop is None

    def _stopped(self) -> End | None:
        stop = self._box.stop
        return None if stop is None else End("stopped", f"{stop.actor.printed_name} stopped it.")

    # --- the end ----------------------------------------------------------------------------------------------

    async def _finish(self, end: End) -> RolloutEnded:
        """Go back where it has to, read back what users get, and tell people."""
        self._box.over = True
        traffic = self._brief.playbook.revert.traffic
        plan, outcome, sentence, wanted = self._plan, end.outcome, end.sentence, None
        handed_over = outcome == "trigger" and not plan.goes_back
        if outcome == "not_started":
            pass
        elif outcome == "done" and not plan.goes_back:
            wanted = plan.ends_with if plan.kind == "reintroduce" else None
        elif not handed_over:
            show("going back", f"Going back: {outcome.replace('_', ' ')}.")
            back = await self._back()
            handed_over = back is not None and back.result == "handed_over"
            wanted = plan.before
        ended = await workflow.execute_activity_method(
            RollingActivities.end_rollout,
            EndRollout(
                plan=plan,
                outcome="handed_over" if handed_over else outcome,
                sentence=sentence,
                wanted=None if handed_over else wanted,
                signals=end.signals,
            ),
            summary="What do users get now?",
            **policies.wait_for_evidence(
                (plan.lease or timedelta()) + traffic.settle + traffic.time_limit + timedelta(minutes=1)
            ),
        )
        await self._tell(Step.rollout_ended, "end")
        return ended

    async def _back(self) -> RolloutOutcome | None:
        """Everybody back to the state from before; None when the target never answered."""
        try:
            return await self._set(0)
        except ActivityError as error:
            workflow.logger.warning("%s: going back failed: %s", self._plan.rollout_id, error.cause or error)
            return None

    # --- activities -------------------------------------------------------------------------------------------

    @property
    def _box(self) -> Desk:
        assert self._desk is not None  # noqa: S101  # there is a plan
        return self._desk

    async def _briefed(self) -> Brief:
        return await workflow.execute_activity_method(
            BriefingActivities.brief,
            BriefRequest(release_id=self._wanted.release_id),
            summary="Playbook, people and keys of this release",
            **policies.RECORD,
        )

    async def _planned(self) -> PlannedRollout:
        return await workflow.execute_activity_method(
            RollingActivities.plan_rollout,
            PlanRollout(
                rollout_id=self._wanted.rollout_id,
                release_id=self._wanted.release_id,
                kind=self._wanted.kind,
                start_within=policies.START_ROLLOUT_WITHIN,
            ),
            summary="Read the target and plan the steps",
            **policies.read_target(),
        )

    async def _skipped(self, why: str) -> None:
        body = RolloutSkipped(
            rollout_id=self._wanted.rollout_id,
            sentence=f"The sandbox that was due by its schedule was not started: {why}.",
        )
        key = ids.rollout_record(self._wanted.rollout_id, "skipped")
        await workflow.execute_activity_method(
            RecordingActivities.record,
            RecordRequest(entries=(body.entry(key, "worker", release_id=self._wanted.release_id),)),
            summary="Not started",
            **policies.RECORD,
        )

    async def _set(self, step: int) -> RolloutOutcome:
        outcome = await workflow.execute_activity_method(
            RollingActivities.set_share,
            SetShare(plan=self._plan, step=step, revision=self._revision),
            summary=f"Step {step}" if step else "Everybody back to the state from before",
            **policies.effect(timedelta(minutes=3)),
        )
        if outcome.result in ("applied", "already") and outcome.after is not None:
            self._revision = outcome.after.revision
        elif outcome.result == "ambiguous":
            self._revision = None
        return outcome

    async def _tell(self, step: Step, occasion: str) -> None:
        """Nothing waits for words for long, and nothing fails for them."""
        with suppress(ActivityError):
            await workflow.execute_activity_method(
                RolloutWords.tell_rollout,
                TellRollout(
                    rollout_id=self._plan.rollout_id,
                    release_id=self._plan.release_id,
                    step=step,
                    occasion=occasion,
                    audiences=self._brief.playbook.audiences(step),
                ),
                summary=f"Tell people: {step.value.replace('_', ' ')}",
                **policies.TELL,
            )


def _answer(planned: PlannedRollout) -> Answer:
    if planned.asks:
        return Answer(status="waiting", sentence=f"A person has to start it: {'; '.join(planned.asks)}.")
    return Answer(status="started", sentence="It begins now, without a person, as the playbook allows.")


def _end(seen: StepResult) -> End:
    match seen.word:
        case "trigger" | "lost":
            return End(seen.word, seen.sentence)
        case _:
            return End("doubtful", seen.sentence)
