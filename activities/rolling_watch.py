"""Watch one step of a rollout until it is shown to be healthy, ends in doubt, or something stands against it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Literal

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.heartbeat import heartbeating
from activities.ports import Catalogue, Ledger, TargetRejected, Targets, TargetUnavailable
from activities.sealing import Sealer
from activities.served import leases_of
from activities.signal_ports import SignalStore
from countermand import ids
from countermand.ledger.bodies import RolloutPromoted
from countermand.plan.target import Value
from countermand.rollout.conditions import TROUBLE, trouble
from countermand.rollout.evidence import StepEvidence
from countermand.rollout.plan import RolloutPlan

#: The lease is renewed this many times before it would end.
_RENEWALS = 3


class WatchStep(Value):
    """`terms`: how many time limits of the step it may last; each start by a person adds one, and the evidence goes on
    where it was."""

    plan: RolloutPlan
    step: int
    terms: int = 1


class StepResult(Value):
    """How watching ended. `lost`: the target took its lease back; nobody has to undo anything any more."""

    word: Literal["certified", "not_certified", "trigger", "lost", "closed"]
    sentence: str
    signals: tuple[str, ...] = ()


class StepWatching:
    """Ports: SignalStore, PullSources within the Sealer, Catalogue, Ledger, Targets; a clock."""

    def __init__(
        self,
        signals: SignalStore,
        sealer: Sealer,
        catalogue: Catalogue,
        ledger: Ledger,
        targets: Targets,
        clock: Callable[[], datetime],
    ) -> None:
        self._signals = signals
        self._sealer = sealer
        self._catalogue = catalogue
        self._ledger = ledger
        self._targets = targets
        self._clock = clock

    @activity.defn(name="watch_step")
    async def watch_step(self, request: WatchStep) -> StepResult:
        """Look, block by block; what is certified is recorded before this returns.

        The lease is renewed after a look that went well, and by nothing else: when looking fails or hangs, the target
        goes back by itself.
        """
        key = ids.rollout_record(request.plan.rollout_id, f"promoted/{request.step}")
        known = await self._ledger.find(key)
        if known is not None:
            body = RolloutPromoted.model_validate(known.body)
            return StepResult(word="certified", sentence=body.sentence, signals=body.signals)
        async with heartbeating():
            return await self._watch(request, key)

    async def _watch(self, request: WatchStep, key: str) -> StepResult:
        plan = request.plan
        step = plan.steps[request.step - 1]
        step = step.model_copy(update={"time_limit": step.time_limit * request.terms})
        detection = (await self._catalogue.playbook(plan.playbook_digest)).detection
        since = await self._since(plan, request.step)
        evidence = StepEvidence(detection, step, since)
        deadline = since + step.time_limit + detection.block + detection.lateness
        pause = detection.block if plan.lease is None else min(detection.block, plan.lease / _RENEWALS)
        seq = -1
        if lost := await self._renew(plan):  # an earlier attempt may have died, and the target gone back
            return StepResult(word="lost", sentence=lost)
        while True:
            status = await self._catalogue.release(plan.release_id)
            if why := trouble(await self._ledger.records(release_id=plan.release_id, kinds=TROUBLE)):
                return StepResult(word="trigger", sentence=f"{why[0].upper()}{why[1:]}")
            if status is None or status.closed_at is not None:
                return StepResult(word="closed", sentence="The release was closed, so nobody watches it any more.")
            await self._sealer.seal(status, detection, self._clock() - detection.lateness)
            for row in await self._signals.rows(plan.release_id, after_seq=seq):
                if row.late_of is None:
                    seq = max(seq, row.seq)
                    evidence.take(row)
            seen = evidence.seen
            if seen.word == "certified" and seen.certificate is not None:
                promoted = RolloutPromoted(
                    rollout_id=plan.rollout_id,
                    step=request.step,
                    plan_digest=plan.digest,
                    signals=seen.signals,
                    certificate=seen.certificate,
                    sentence=seen.sentence,
                )
                await self._ledger.append(promoted.entry(key, "worker", release_id=plan.release_id))
                return StepResult(word="certified", sentence=seen.sentence, signals=seen.signals)
            if seen.word == "trigger":
                return StepResult(word="trigger", sentence=seen.sentence)
            if seen.word == "not_certified" or self._clock() >= deadline:
                return StepResult(word="not_certified", sentence=seen.sentence)
            if lost := await self._renew(plan):
                return StepResult(word="lost", sentence=lost)
            await asyncio.sleep(pause.total_seconds())

    async def _since(self, plan: RolloutPlan, step: int) -> datetime:
        """When traffic has settled after the step was set, as the Ledger says."""
        outcome = await self._ledger.find(f"{plan.key(step)}/outcome")
        if outcome is None:
            raise ApplicationError(f"step {step} of {plan.rollout_id!r} was not set", non_retryable=True)
        return outcome.at + plan.settle

    async def _renew(self, plan: RolloutPlan) -> str:
        """Why the lease is gone; empty when it goes on, or when that is not known yet."""
        if plan.lease is None:
            return ""
        try:
            await leases_of(self._targets(plan.member.target)).lease(
                plan.member,
                lease_id=plan.rollout_id,
                cap_bp=plan.steps[-1].desired.candidate_bp,
                seconds=plan.lease.total_seconds(),
            )
        except TargetUnavailable:
            return ""
        except TargetRejected as error:
            return f"The target ended the lease and goes back by itself: {error}."
        return ""
