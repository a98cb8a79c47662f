"""The playbook's checks of one phase: of the destination, and of the data, before, between and after stages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.data_ports import DataSources
from activities.heartbeat import heartbeating
from activities.ports import Ledger, TargetRejected, Targets, TargetUnavailable
from activities.recording import Checked, keep_checks
from countermand.ledger.bodies import CheckDone, StageIntent, parse_body
from countermand.ledger.record import Kind
from countermand.plan.evidence import judge_check
from countermand.plan.integrity import Judged, judge_data, question
from countermand.plan.integrity_answer import Unanswered
from countermand.plan.model import Plan
from countermand.plan.target import CheckResult, CheckWord, Measured, Observation, Preflight, Split, Value
from countermand.playbook.integrity import DataCheck, Drained
from countermand.playbook.model import Check
from countermand.playbook.units import Duration

_POLL = timedelta(seconds=1)

_Seen = tuple[Preflight, Observation]


class CheckRequest(Value):
    """`time_limit`: what is left of the stage; what is not answered by then is unknown."""

    plan: Plan
    revert: int
    stage: int
    phase: Literal["before", "between", "after"]
    checks: tuple[Check, ...]
    time_limit: Duration
    key: str
    attempt: int


class CheckingActivities:
    """Ports: Targets, DataSources, Ledger; a clock."""

    def __init__(self, targets: Targets, data: DataSources, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        self._targets = targets
        self._data = data
        self._ledger = ledger
        self._clock = clock

    @activity.defn(name="run_checks")
    async def run_checks(self, request: CheckRequest) -> Checked:
        """All checks of the phase at the same time, whatever the first one says. Each is recorded when it is done, so
        that a later attempt neither asks again nor measures anew."""
        deadline = self._clock() + request.time_limit
        async with heartbeating():
            seen = await self._look(request)
            done = await asyncio.gather(*(self._one(request, check, seen, deadline) for check in request.checks))
        return Checked(results=tuple(result for one in done for result in one.results))

    async def _look(self, request: CheckRequest) -> _Seen | str | None:
        """What the destination says; why it refuses to; None where no check asks."""
        if all(isinstance(check, DataCheck) for check in request.checks):
            return None
        member = request.plan.member
        try:
            target = self._targets(member.target)
            return await target.preflight(member, Split.candidate(0)), await target.observe(member)
        except TargetUnavailable as error:
            raise ApplicationError(str(error), type="TargetUnavailable") from error
        except TargetRejected as error:
            return f"the target cannot be read: {error}"

    async def _one(self, request: CheckRequest, check: Check, seen: _Seen | str | None, deadline: datetime) -> Checked:
        plan, key = request.plan, f"{request.key}/{request.phase}/{check.id}/{request.attempt}"
        known = await self._ledger.find(key)
        if known is not None:
            body = CheckDone.model_validate(known.body)
        elif isinstance(check, DataCheck):
            body = await self._of_data(request, check, deadline)
        else:
            result = (
                judge_check(check, *seen, plan.member.baseline_digest)
                if isinstance(seen, tuple)
                else CheckResult(name=check.id, word=CheckWord.failed, sentence=str(seen))
            )
            body = _done(request, check, Judged(result.word, result.sentence))
        return await keep_checks(self._ledger, {key: body}, incident_id=plan.incident_id, release_id=plan.release_id)

    async def _of_data(self, request: CheckRequest, check: DataCheck, deadline: datetime) -> CheckDone:
        if not isinstance(check, Drained):
            return await self._ask(request, check, deadline)
        deadline = min(deadline, self._clock() + check.time_limit)
        while True:
            body = await self._ask(request, check, deadline)
            if body.word == "pass" or self._clock() + _POLL >= deadline:
                return body
            await asyncio.sleep(_POLL.total_seconds())

    async def _ask(self, request: CheckRequest, check: DataCheck, deadline: datetime) -> CheckDone:
        first = request.phase == "before"
        before = () if first or not check.compares else await self._before(request, check.id)
        try:
            source = self._data(check.source)
            answer = await source.ask(question(check, request.plan), max(deadline - self._clock(), timedelta()))
        except Unanswered as unanswered:
            return _done(request, check, Judged(CheckWord.unknown, str(unanswered)))
        judged = judge_data(check, answer, request.plan.baseline, before, first=first)
        return _done(request, check, judged, answer.raw_sha256)

    async def _before(self, request: CheckRequest, name: str) -> tuple[Measured, ...]:
        """The last measuring of this revert before anything was changed; empty when there is none."""
        measured: tuple[Measured, ...] = ()
        kinds = [Kind.check_result, Kind.stage_intent]
        for record in await self._ledger.records(incident_id=request.plan.incident_id, kinds=kinds):
            match parse_body(record):
                case StageIntent() as intent if intent.revert == request.revert:
                    break
                case CheckDone() as done if (done.revert, done.phase, done.name) == (request.revert, "before", name):
                    measured = done.measured or measured
        return measured


def _done(request: CheckRequest, check: Check, judged: Judged, raw_sha256: str | None = None) -> CheckDone:
    return CheckDone(
        revert=request.revert,
        stage=request.stage,
        phase=request.phase,
        name=check.id,
        word=judged.word.value,
        sentence=judged.sentence,
        raw_sha256=raw_sha256,
        measured=judged.measured if request.phase == "before" else (),
    )
