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
from activities.rolling_traffic import Follows, StepTraffic
from activities.sealing import Sealer
from activities.served import leases_of
from activities.signal_ports import SignalStore
from countermand import ids
from countermand.ledger.bodies import RolloutPromoted
from countermand.plan.target import CheckWord, Value
from countermand.rollout.conditions import TROUBLE, trouble
from countermand.rollout.evidence import StepEvidence, StepSeen
from countermand.rollout.plan import RolloutPlan

#: The lease is renewed this many times before it would end.
_RENEWALS = 3
_SETTLING = Follows(word=CheckWord.unknown, sentence="traffic has not settled yet.")


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
        playbook = await self._catalogue.playbook(plan.playbook_digest)
        detection, wanted = playbook.detection, playbook.revert.traffic
        settled = await self._settled(plan, request.step)
        deadline = settled + step.time_limit + detection.block + detection.lateness
        shown_by = min(max(self._clock(), settled) + wanted.time_limit, deadline)
        pause = detection.block if plan.lease is None else min(detection.block, plan.lease / _RENEWALS)
        evidence, seq = None, -1
        if lost := await self._renew(plan):  # an earlier attempt may have died, and the target gone back
            return StepResult(word="lost", sentence=lost)
        traffic = StepTraffic(self._ledger, self._targets(plan.member.target), plan, request.step, wanted)
        while True:
            began = self._clock()
            status = await self._catalogue.release(plan.release_id)
            if why := trouble(await self._ledger.records(release_id=plan.release_id, kinds=TROUBLE)):
                return StepResult(word="trigger", sentence=f"{why[0].upper()}{why[1:]}")
            if status is None or status.closed_at is not None:
                return StepResult(word="closed", sentence="The release was closed, so nobody watches it any more.")
            await self._sealer.seal(status, detection, self._clock() - detection.lateness)
            late = self._clock() >= (deadline if evidence else shown_by)
            follows = await traffic.look(waiting=not late) if self._clock() >= settled else _SETTLING
            said = f"Traffic is not as wanted: {follows.sentence}"
            if follows.word is CheckWord.failed:
                lost = await self._renew(plan)  # the target may have gone back by itself just now
                return StepResult(word="lost" if lost else "not_certified", sentence=lost or said)
            if follows.since is not None:
                evidence = evidence or StepEvidence(detection, step, follows.since)
                for row in await self._signals.rows(plan.release_id, after_seq=seq):
                    if row.late_of is None:
                        seq = max(seq, row.seq)
                        evidence.take(row)
                seen = evidence.seen
                if seen.word == "certified":
                    return await self._promote(request, key, seen)
                if seen.word == "trigger":
                    return StepResult(word="trigger", sentence=seen.sentence)
                late, said = late or seen.word == "not_certified", seen.sentence
            if late:
                return StepResult(word="not_certified", sentence=said)
            if lost := await self._renew(plan):
                return StepResult(word="lost", sentence=lost)
            # A slow look must not come on top of the pause: the lease runs meanwhile.
            await asyncio.sleep(max((began + pause - self._clock()).total_seconds(), 0))

    async def _promote(self, request: WatchStep, key: str, seen: StepSeen) -> StepResult:
        assert seen.certificate is not None  # noqa: S101  # it is what certifies
        promoted = RolloutPromoted(
            rollout_id=request.plan.rollout_id,
            step=request.step,
            plan_digest=request.plan.digest,
            signals=seen.signals,
            certificate=seen.certificate,
            sentence=seen.sentence,
        )
        await self._ledger.append(promoted.entry(key, "worker", release_id=request.plan.release_id))
        return StepResult(word="certified", sentence=seen.sentence, signals=seen.signals)

    async def _settled(self, plan: RolloutPlan, step: int) -> datetime:
        """When traffic may have settled after the step was set, as the Ledger says."""
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
