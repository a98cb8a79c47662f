"""Does traffic follow what a stage has set? Read from the system itself, until that is decided."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import activity

from activities.heartbeat import heartbeating
from activities.ports import Ledger, Target, TargetRejected, Targets, TargetUnavailable
from activities.recording import Checked, keep_checks
from countermand.ledger.bodies import CheckDone
from countermand.plan.evidence import judge_configured, judge_traffic
from countermand.plan.model import Plan, Position
from countermand.plan.target import CheckResult, CheckWord, Split, Value
from countermand.plan.traffic import traffic_suffices
from countermand.playbook.units import Duration

_POLL = timedelta(milliseconds=700)


class TrafficRequest(Value):
    """`member`: position in the plan's members. `attempt` counts people's resumes."""

    plan: Plan
    revert: int
    stage: int
    desired: Split
    revision: str
    time_limit: Duration
    key: str
    attempt: int
    member: Position = 0


class TrafficActivities:
    """Ports: Targets, Ledger; a clock."""

    def __init__(self, targets: Targets, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        self._targets = targets
        self._ledger = ledger
        self._clock = clock

    @activity.defn(name="verify_traffic")
    async def verify_traffic(self, request: TrafficRequest) -> Checked:
        """Configured and observed, never merged (TGT-8). Waits for enough users until the Plan's time limit;
        what is unknown then stays unknown."""
        plan = request.plan
        deadline = self._clock() + request.time_limit
        async with heartbeating():
            await asyncio.sleep(plan.settle.total_seconds())
            while True:
                configured, observed, decided = await self._look(request)
                if decided or self._clock() >= deadline:
                    break
                await asyncio.sleep(_POLL.total_seconds())
        kept = await self._keep(request, (configured, observed))
        judged = traffic_suffices(plan.observed, *kept.results)
        return kept.model_copy(update={"unseen": judged.sentence}) if judged.basis == "configured_only" else kept

    async def _look(self, request: TrafficRequest) -> tuple[CheckResult, CheckResult, bool]:
        """What the system says, what traffic shows, and whether waiting longer can change nothing."""
        plan, moving = request.plan, request.plan.members[request.member]
        try:
            target: Target = self._targets(moving.member.target)
            configured = judge_configured(request.desired, await target.read(moving.member), moving.kind)
            seen = await target.observe(moving.member)
        except TargetUnavailable as error:
            return (*_unreadable(CheckWord.unknown, error), False)
        except TargetRejected as error:
            return (*_unreadable(CheckWord.failed, error), True)
        observed = judge_traffic(request.desired, seen, request.revision, plan.residual_bp)
        if plan.observed == "best_effort" and target.capabilities.observes == "none":
            return configured, observed, configured.word is not CheckWord.unknown  # nothing will ever be seen here
        known = CheckWord.unknown not in (configured.word, observed.word)
        return configured, observed, known or configured.word is CheckWord.failed

    async def _keep(self, request: TrafficRequest, results: tuple[CheckResult, ...]) -> Checked:
        checks = {
            f"{request.key}/traffic/{result.name}/{request.attempt}": CheckDone(
                revert=request.revert,
                stage=request.stage,
                phase="traffic",
                name=result.name,
                word=result.word.value,
                sentence=result.sentence,
                member=request.plan.follower(request.member),
            )
            for result in results
        }
        plan = request.plan
        return await keep_checks(self._ledger, checks, incident_id=plan.incident_id, release_id=plan.release_id)


def _unreadable(word: CheckWord, error: Exception) -> tuple[CheckResult, CheckResult]:
    sentence = f"the target cannot be read: {error}"
    return (
        CheckResult(name="configured", word=word, sentence=sentence),
        CheckResult(name="observed", word=word, sentence=sentence),
    )
