"""Ask people to sign one document under one row of the rights table: ask, remind, decide, or lapse."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from temporalio import workflow

from activities.recording import RecordingActivities, RecordRequest
from countermand import ids
from countermand.governance import consent as rules
from countermand.governance import consent_record as records
from countermand.governance.consent import ConsentRequest, ConsentState
from countermand.governance.decision import Actor, Decision, GatewayKeys
from countermand.governance.directory import Directory
from countermand.governance.rights import Right
from countermand.ledger.bodies import Body
from countermand.messages.facts import spoken, utc
from countermand.plan.target import Value
from workflows import policies
from workflows.decisions import Answer, refuse_in_words
from workflows.visibility import show


class ConsentInput(Value):
    """What is asked. subject: one sentence. `time_limit` begins when the workflow does.

    overdue: `lapse` at the time limit; `escalate_daily` is for the ratification of what the first of `excluded` did.
    """

    consent_id: str
    right: Right
    subject: str
    document: dict[str, object]
    requester: str
    excluded: tuple[str, ...]
    incident_id: str | None
    release_id: str | None
    environment: str
    time_limit: timedelta
    overdue: Literal["lapse", "escalate_daily"]
    directory: Directory
    keys: GatewayKeys


class ConsentResult(Value):
    """How it ended, and who signed."""

    status: Literal["given", "refused", "lapsed"]
    because: str
    signers: tuple[Actor, ...]


@workflow.defn(name="Consent")
class Consent:
    """One request. Terminal states never change; what comes later is refused by the service."""

    @workflow.init
    def __init__(self, asked: ConsentInput) -> None:
        now = workflow.now()
        parts = {name: getattr(asked, name) for name in type(asked).model_fields if name != "time_limit"}
        parts |= {"incident_id": asked.incident_id or "", "release_id": asked.release_id or ""}
        self._request = ConsentRequest(
            **parts, workflow_id=workflow.info().workflow_id, opened_at=now, expires_at=now + asked.time_limit
        )
        self._state = ConsentState()
        self._opened = False
        self._reminded = 0

    @workflow.run
    async def run(self, _: ConsentInput) -> ConsentResult:
        await self._record("opened", records.opened(self._request), "Ask for consent")
        self._opened = True
        while not self._state.closed:
            await self._wait()
            self._state = rules.lapse(self._request, self._state, workflow.now())
            await self._remind()
        await workflow.wait_condition(workflow.all_handlers_finished)
        await self._record("closed", records.closed(self._request, self._state), f"Consent {self._state.status.value}")
        show(self._state.status.value, f"This consent was {self._state.status.value}.")
        signers = tuple(vote.actor for vote in self._state.votes if vote.kind == "approve")
        return ConsentResult(status=self._state.status.value, because=self._state.because, signers=signers)

    @workflow.update
    async def decide(self, decision: Decision) -> Answer:
        """Count one signed decision. One that arrives while the request is being written is kept (GOV-14)."""
        await workflow.wait_condition(lambda: self._opened)
        refuse_in_words(self._apply, decision)
        vote = records.vote(self._request, self._state, decision)
        await self._record(
            f"vote/{decision.decision_id}", vote, f"Signature counted: {vote.have} of {vote.need} people"
        )
        words = self._state.because or f"{vote.have} of {vote.need} people signed"
        return Answer(status=self._state.status.value, sentence=words, have=vote.have, need=vote.need)

    @decide.validator
    def validate_decision(self, decision: Decision) -> None:
        refuse_in_words(self._check, decision)

    @workflow.signal(name="take_back")
    def take_back(self, because: str) -> None:
        """What was asked is not asked any more; it only narrows."""
        self._state = rules.take_back(self._request, self._state, because, workflow.now())

    @workflow.query
    def state(self) -> ConsentState:
        return self._state

    # --- steps ------------------------------------------------------------------------------------------------

    def _check(self, decision: Decision) -> None:
        rules.check(self._request, self._state, decision, workflow.now())

    def _apply(self, decision: Decision) -> None:
        self._state = rules.apply(self._request, self._state, decision, workflow.now())

    async def _wait(self) -> None:
        """Until it is decided, lapses, or people must be reminded."""
        until = rules.next_wake(self._request, self._reminded)
        show(
            "consent",
            f"Waiting for {self._request.right.people} people to sign until {utc(until)}.",
            waiting_for=spoken(self._request.right.roles),
        )
        try:
            await workflow.wait_condition(
                lambda: self._state.closed,
                timeout=max(until - workflow.now(), timedelta(milliseconds=1)),
                timeout_summary=f"{'remind' if self._request.ratifies else 'lapse'} at {utc(until)}",
            )
        except TimeoutError:
            return

    async def _remind(self) -> None:
        """An overdue ratification is told daily; ten events a day stay far below the limit of a history for years."""
        if rules.reminders(self._request, self._state, workflow.now()) > self._reminded:
            self._reminded += 1
            body = records.overdue(self._request, self._state, self._reminded)
            await self._record(f"overdue/{self._reminded}", body, f"Overdue: reminder {self._reminded}")

    async def _record(self, key: str, body: Body, summary: str) -> None:
        request = self._request
        entry = body.entry(
            ids.consent_record(request.consent_id, key),
            "worker",
            incident_id=request.incident_id or None,
            release_id=request.release_id or None,
        )
        await workflow.execute_activity_method(
            RecordingActivities.record, RecordRequest(entries=(entry,)), summary=summary, **policies.RECORD
        )
