"""One proposed change of thresholds: backtest, guardrails, shadow, signatures, and 30 days later what came of it.

Every wait has an end at which nothing changes. Only signatures of people change anything (LRN-10…13).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Literal

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

from activities.backtesting import BacktestingActivities, BacktestOrder
from activities.recording import RecordingActivities, RecordRequest
from activities.threshold_ports import (
    Acted,
    ActRequest,
    CompareRequest,
    JudgeRequest,
    OfProposal,
    ProposeRequest,
    ShadowRequest,
    ToSign,
)
from activities.threshold_watch import ThresholdWatching
from activities.thresholds import ThresholdActivities
from countermand import ids
from countermand.governance.decision import Decision, DecisionKind, Refusal, Refused
from countermand.learning import acts
from countermand.learning.comparison import AFTER
from countermand.learning.proposal import Proposal
from countermand.ledger.bodies import Body, ThresholdEnded, ThresholdPhase
from countermand.messages.facts import utc
from countermand.plan.target import Value
from workflows import policies
from workflows.adopting import AdoptPlaybook
from workflows.consent import Consent, ConsentInput
from workflows.decisions import REFUSED, Answer, refuse_in_words
from workflows.visibility import show

#: How long people have to waive what the guardrails found, and then to sign.
WAIVE_WITHIN = timedelta(days=14)
SIGN_WITHIN = timedelta(days=7)
#: A shadow that heard no whole release goes on for this long at most.
LONGER_AT_MOST = timedelta(days=30)
_DAY = timedelta(days=1)
#: How often a consent that is about to begin is taken back, a second apart.
_TRIES = 5

Outcome = Literal["adopted", "withdrawn", "refused", "expired", "stale", "failed"]
Phase = Literal["backtesting", "stopped", "shadowing", "signing", "comparing"]


class Ending(Value):
    """How it ended."""

    outcome: Outcome
    sentence: str


class _Ended(Exception):
    """The way ends here, and nothing changed."""

    def __init__(self, outcome: Outcome, sentence: str) -> None:
        super().__init__(sentence)
        self.ending = Ending(outcome=outcome, sentence=sentence)


@workflow.defn(name="ThresholdChange")
class ThresholdChange:
    """Its id is `threshold/{proposal_id}`. People may withdraw the proposal until it is in force."""

    @workflow.init
    def __init__(self, proposal: Proposal) -> None:
        self._proposal = proposal
        self._on_record = False
        self._phase: Phase = "backtesting"
        self._phases = 0
        self._withdrawn = ""
        self._left = 0
        self._turn = asyncio.Lock()

    @workflow.run
    async def run(self, _: Proposal) -> Ending:
        ending = await self._led()
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._on_record:
            body = ThresholdEnded(proposal_id=self._proposal.proposal_id, **ending.model_dump())
            await self._record("ended", body, f"Ended: {ending.outcome}")
        show(ending.outcome, ending.sentence)
        return ending

    @workflow.update
    async def decide(self, decision: Decision) -> Answer:
        """Withdraw the proposal, or waive one finding of the guardrails by its name."""
        await workflow.wait_condition(lambda: self._on_record)
        async with self._turn:  # of two waivers the one that was recorded last says what is left
            acted = await self._judged(decision)
            self._left = acted.left
        if acted.withdrawn:
            self._withdrawn = acted.sentence
            await self._take_back_consent(acted.sentence)
        return Answer(status="withdrawn" if acted.withdrawn else self._phase, sentence=acted.sentence)

    @decide.validator
    def validate_decision(self, decision: Decision) -> None:
        refuse_in_words(self._refuse_others, decision)

    async def _judged(self, decision: Decision) -> Acted:
        try:
            return await workflow.execute_activity_method(
                ThresholdActivities.decide_threshold,
                ActRequest(proposal_id=self._proposal.proposal_id, decision=decision),
                summary=f"Judge a signed decision: {decision.kind.value}",
                **policies.RECORD,
            )
        except ActivityError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError) and cause.type == REFUSED:
                raise ApplicationError(str(cause), *cause.details, type=REFUSED, non_retryable=True) from error
            raise

    # --- the way ----------------------------------------------------------------------------------------------

    async def _led(self) -> Ending:
        """To its end, or to where somebody withdraws it. What waits for signatures is taken back and ends by itself."""
        way = asyncio.create_task(self._way())
        await workflow.wait_condition(lambda: way.done() or (bool(self._withdrawn) and self._phase != "signing"))
        if not way.done():
            way.cancel()
            with suppress(asyncio.CancelledError, FailureError, _Ended):
                await way
            return Ending(outcome="withdrawn", sentence=self._withdrawn)
        try:
            return await way
        except _Ended as ended:
            return ended.ending
        except ActivityError as error:
            why = error.cause or error
            return Ending(outcome="failed", sentence=f"It stopped at {error.activity_type!r}: {why}. Nothing changed.")

    async def _way(self) -> Ending:
        await self._propose()
        await self._judge(await self._backtest())
        await self._shadow()
        await self._sign()
        return await self._compare()

    async def _propose(self) -> None:
        proposed = await workflow.execute_activity_method(
            ThresholdActivities.propose_threshold,
            ProposeRequest(proposal=self._proposal, workflow_id=workflow.info().workflow_id),
            summary="Record the proposal",
            **policies.RECORD,
        )
        if proposed.refused:
            raise _Ended("refused", f"{proposed.refused} Nothing changed.")
        self._on_record = True

    async def _backtest(self) -> str:
        """The digest of the report."""
        await self._begin("backtesting", "The past is judged by both versions. Nothing is asked of anybody yet.", None)
        done = await workflow.execute_activity_method(
            BacktestingActivities.backtest,
            BacktestOrder(current_digest=self._proposal.current_digest, proposed_digest=self._proposal.proposed_digest),
            summary="Judge the recorded past by both versions",
            **policies.BACKTEST,
        )
        return done.digest

    async def _judge(self, backtest: str) -> None:
        judged = await workflow.execute_activity_method(
            ThresholdActivities.judge_threshold,
            JudgeRequest(proposal_id=self._proposal.proposal_id, backtest=backtest, now=workflow.now()),
            summary="What do the guardrails say?",
            **policies.RECORD,
        )
        if judged.refuses:
            raise _Ended("refused", " ".join((*judged.refuses, "Nothing changed.")))
        if not judged.stops:
            return
        self._left = len(judged.stops)
        until = workflow.now() + WAIVE_WITHIN
        await self._begin(
            "stopped",
            f"{' '.join(judged.stops)} A safety lead has to waive it by name; if nobody does until {utc(until)}, it "
            "expires and nothing changes.",
            until,
        )
        try:
            await workflow.wait_condition(
                lambda: not self._left, timeout=WAIVE_WITHIN, timeout_summary=f"expires at {utc(until)}"
            )
        except TimeoutError:
            raise _Ended("expired", "Nobody waived what the guardrails found. Nothing changed.") from None

    async def _shadow(self) -> None:
        """A look a day, so that a verdict is on the page the next morning."""
        length, since = self._proposal.shadow, workflow.now()
        if length <= timedelta(0):
            return
        number, least = 0, since + length
        last = least if self._proposal.shadow_because else least + LONGER_AT_MOST
        await self._begin(
            "shadowing",
            f"It is judged beside the version in force until {utc(least)} and acts on nothing. Then people are asked "
            "to sign.",
            least,
        )
        while True:
            left = least - workflow.now()
            await workflow.sleep(min(left, _DAY) if left > timedelta(0) else _DAY, summary="Until the next look")
            number += 1
            heard = await workflow.execute_activity_method(
                ThresholdWatching.shadow_threshold,
                ShadowRequest(proposal_id=self._proposal.proposal_id, number=number, since=since, until=workflow.now()),
                summary=f"What would it have said? Look {number}",
                **policies.LOOK_BACK,
            )
            if workflow.now() >= least and (heard.whole or self._proposal.shadow_because):
                return
            if workflow.now() >= last:
                raise _Ended(
                    "expired",
                    f"No release was watched for its whole length until {utc(last)}, so that the shadow says nothing. "
                    "Nothing changed; propose it again when releases run.",
                )

    async def _sign(self) -> None:
        asked = await workflow.execute_activity_method(
            ThresholdActivities.put_up_threshold,
            OfProposal(proposal_id=self._proposal.proposal_id),
            summary="Who has to sign what?",
            **policies.RECORD,
        )
        if asked.refused or asked.right is None:
            raise _Ended("stale", f"Nobody was asked to sign: {asked.refused}. Nothing changed.")
        until = workflow.now() + SIGN_WITHIN
        await self._begin(
            "signing",
            f"{asked.right.people} people are asked to sign until {utc(until)}; then it expires and nothing changes.",
            until,
        )
        if self._withdrawn:  # while that was being written
            raise _Ended("withdrawn", self._withdrawn)
        given = self._consent(asked)
        consent = await workflow.execute_child_workflow(
            AdoptPlaybook.run, given, id=ids.adopting_workflow(given.consent_id), static_summary=asked.subject
        )
        if self._withdrawn and consent.status != "given":
            raise _Ended("withdrawn", self._withdrawn)
        if consent.status != "given":
            outcome: Outcome = "refused" if consent.status == "refused" else "expired"
            raise _Ended(outcome, f"{consent.because[:1].upper()}{consent.because[1:]}. Nothing changed.")
        settled = await workflow.execute_activity_method(
            ThresholdActivities.settle_threshold,
            OfProposal(proposal_id=self._proposal.proposal_id),
            summary="Is it in force?",
            **policies.RECORD,
        )
        if not settled.adopted:
            raise _Ended("stale", settled.sentence)

    async def _compare(self) -> Ending:
        since = workflow.now()
        until = since + AFTER
        await self._begin(
            "comparing",
            f"It is in force for new releases; those that run keep their version. On {utc(until)} its false alarms are "
            "compared with what was predicted.",
            until,
        )
        await workflow.sleep(AFTER, summary=f"compare at {utc(until)}")
        sentence = await workflow.execute_activity_method(
            ThresholdWatching.compare_threshold,
            CompareRequest(proposal_id=self._proposal.proposal_id, since=since, until=workflow.now()),
            summary="Did it do what was predicted?",
            **policies.LOOK_BACK,
        )
        return Ending(outcome="adopted", sentence=sentence)

    # --- steps ------------------------------------------------------------------------------------------------

    def _refuse_others(self, decision: Decision) -> None:
        if decision.addressed_to != workflow.info().workflow_id or decision.kind not in acts.KINDS:
            raise Refused(
                Refusal.wrong_state, f"{decision.kind.value} does not apply to a proposal.", "Waive or withdraw."
            )
        if decision.kind is DecisionKind.withdraw and self._phase == "comparing":
            raise Refused(
                Refusal.wrong_state, "it was adopted and is in force.", "Propose to go back to the version before."
            )

    def _consent(self, asked: ToSign) -> ConsentInput:
        assert asked.right is not None  # noqa: S101  # the caller has looked
        return ConsentInput(
            consent_id=ids.threshold_consent(self._proposal.proposal_id),
            right=asked.right,
            subject=asked.subject,
            document=asked.document,
            requester=asked.requester,
            excluded=(),
            incident_id=None,
            release_id=None,
            environment="",
            time_limit=SIGN_WITHIN,
            overdue="lapse",
            directory=asked.directory,
            keys=asked.keys,
        )

    async def _take_back_consent(self, sentence: str) -> None:
        if self._phase != "signing":
            return
        name = ids.consent_workflow(ids.threshold_consent(self._proposal.proposal_id))
        handle = workflow.get_external_workflow_handle_for(Consent.run, name)
        for _ in range(_TRIES):  # it may not have begun yet; if it ends in this very moment, its end counts
            with suppress(FailureError):
                await handle.signal(Consent.take_back, sentence)
                return
            await workflow.sleep(timedelta(seconds=1), summary="Take back what people are asked to sign")

    async def _begin(self, phase: Phase, sentence: str, until: datetime | None) -> None:
        self._phase = phase
        self._phases += 1
        show(phase, sentence)
        body = ThresholdPhase(proposal_id=self._proposal.proposal_id, phase=phase, sentence=sentence, until=until)
        await self._record(f"phase/{self._phases}", body, f"Phase: {phase}")

    async def _record(self, what: str, body: Body, summary: str) -> None:
        entry = body.entry(ids.threshold_record(self._proposal.proposal_id, what), "worker")
        await workflow.execute_activity_method(
            RecordingActivities.record, RecordRequest(entries=(entry,)), summary=summary, **policies.RECORD
        )
