"""A rollout: plan it, set a share, end it. Each effect is proved from the Ledger first (I2, LRN-26…31).

`set_share` may run any number of times for one step, like `set_stage`: key, fence and the target's own state make the
effect happen once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.heartbeat import heartbeating
from activities.ports import (
    Catalogue,
    KeyRing,
    Ledger,
    RoleDirectory,
    TargetAmbiguous,
    TargetRejected,
    Targets,
    TargetUnavailable,
)
from activities.rolling_proof import RolloutProof
from activities.served import leases_of, served, traffic
from countermand import ids
from countermand.governance.eligible import Version
from countermand.ledger.bodies import RolloutEnded, RolloutIntent, RolloutOutcome, RolloutPlanned
from countermand.plan.build import members_of
from countermand.plan.target import CheckWord, SetOutcome, Split, TargetState, Value
from countermand.playbook.units import Duration, format_percent
from countermand.rollout.conditions import TROUBLE, reasons_to_ask, trouble
from countermand.rollout.plan import CannotRollOut, Kind, RolloutPlan, ServedState, build

_POLL = timedelta(milliseconds=500)
#: How long the target may need beyond a lease until it shows the state from before.
_GRACE = timedelta(seconds=15)


class PlanRollout(Value):
    """`start_within`: how long people have to start it, where they must."""

    rollout_id: str
    release_id: str
    kind: Kind
    start_within: Duration


class PlannedRollout(Value):
    """The plan and why a person has to start it; without a plan, why there is none."""

    plan: RolloutPlan | None
    asks: tuple[str, ...] = ()
    until: datetime | None = None
    impossible: str = ""


class SetShare(Value):
    """`step` 0 is the way back; steps count from 1. `revision`: what the target must still say; None after an unclear
    write, where the fence protects instead."""

    plan: RolloutPlan
    step: Annotated[int, Field(ge=0)]
    revision: str | None


class EndRollout(Value):
    """`wanted`: the state that must be read back; None where that is left to an incident, or nothing was changed."""

    plan: RolloutPlan
    outcome: Literal["done", "doubtful", "trigger", "stopped", "handed_over", "lost", "not_started"]
    sentence: str
    wanted: ServedState | None
    signals: tuple[str, ...] = ()


class RollingActivities:
    """Ports: Targets, Ledger, Catalogue, RoleDirectory, KeyRing; a clock."""

    def __init__(
        self,
        targets: Targets,
        ledger: Ledger,
        catalogue: Catalogue,
        people: RoleDirectory,
        keys: KeyRing,
        clock: Callable[[], datetime],
    ) -> None:
        self._targets = targets
        self._ledger = ledger
        self._catalogue = catalogue
        self._proof = RolloutProof(ledger, catalogue, people, keys, clock)
        self._clock = clock

    @activity.defn(name="plan_rollout")
    async def plan_rollout(self, request: PlanRollout) -> PlannedRollout:
        """Read the target and plan the steps; the plan goes into the Ledger. No plan says why in words."""
        key = ids.rollout_record(request.rollout_id, "planned")
        known = await self._ledger.find(key)
        if known is not None:
            body = RolloutPlanned.model_validate(known.body)
            return PlannedRollout(plan=RolloutPlan.model_validate(body.plan), asks=body.asks, until=body.until)
        try:
            plan = await self._planned(request)
        except (CannotRollOut, TargetRejected) as error:
            return PlannedRollout(plan=None, impossible=str(error))
        except TargetUnavailable as error:
            raise ApplicationError(str(error), type="TargetUnavailable") from error
        playbook = await self._catalogue.playbook(plan.playbook_digest)
        sandbox = playbook.rollout.sandbox if playbook.rollout else None
        body = RolloutPlanned(
            rollout_id=plan.rollout_id,
            plan_digest=plan.digest,
            plan=plan.model_dump(mode="json"),
            asks=reasons_to_ask(plan, sandbox, await self._proof.rollouts()),
            until=self._clock() + request.start_within,
        )
        await self._ledger.append(body.entry(key, "worker", release_id=plan.release_id))
        return PlannedRollout(plan=plan, asks=body.asks, until=body.until)

    async def _planned(self, request: PlanRollout) -> RolloutPlan:
        """Raises CannotRollOut, TargetRejected, TargetUnavailable."""
        status = await self._catalogue.release(request.release_id)
        if status is None:
            raise ApplicationError(f"unknown release {request.release_id!r}", non_retryable=True)
        if status.closed_at is not None:
            raise CannotRollOut(f"this release is closed: {status.closed_why}; register it anew, so that it is watched")
        release = status.release
        if why := trouble(await self._ledger.records(release_id=release.release_id, kinds=TROUBLE)):
            raise CannotRollOut(why)
        if why := await self._proof.unfit(Version.of(release.candidate), release.environment):
            raise CannotRollOut(f"{release.candidate.name} may not be given to users: {why}")
        playbook = await self._catalogue.playbook(release.playbook_digest)
        again = await self._proof.re_release(Version.of(release.candidate), release.environment, playbook.detection)
        if request.kind != "sandbox" and again.lacking:
            raise CannotRollOut(f"{release.candidate.name} may not be given to users yet: {again.lacking}")
        candidate = Version.of(release.candidate)
        unshown = await self._proof.unshown(candidate, release.environment, playbook)
        if request.kind != "sandbox" and unshown:
            raise CannotRollOut(f"{release.candidate.name} may not be given to users yet: {unshown}")
        recorded = await self._proof.recorded(release) if request.kind == "reintroduce" else ()
        target = self._targets(playbook.revert.target)
        state, before = await served(target, members_of(release, playbook)[0])
        return build(
            request.kind,
            rollout_id=request.rollout_id,
            release=release,
            playbook=playbook,
            state=state,
            before=before,
            capabilities=target.capabilities,
            tightened=bool(again.incidents),
            recorded=recorded,
        )

    @activity.defn(name="set_share")
    async def set_share(self, request: SetShare) -> RolloutOutcome:
        """Proof, intent, lease, effect with read-back, outcome. Raises only when trying again may help."""
        plan = request.plan
        key = f"{plan.key(request.step)}/outcome"
        done = await self._ledger.find(key)
        if done is not None:
            return RolloutOutcome.model_validate(done.body)
        if not request.step and (incident := await self._proof.taken_over(plan)):
            outcome = _no_effect(request, "handed_over", incident)
        elif lacking := await self._proof.lacking(plan, request.step):
            outcome = _no_effect(request, "rejected", lacking)
        else:
            async with heartbeating():
                outcome = await self._effect(request)
        await self._ledger.append(outcome.entry(key, "worker", release_id=plan.release_id))
        return outcome

    async def _effect(self, request: SetShare) -> RolloutOutcome:
        plan, step = request.plan, request.step
        desired = plan.steps[step - 1].desired if step else plan.before.split
        try:
            target = self._targets(plan.member.target)
            now = await target.read(plan.member)
            if not step and desired.candidate_bp > now.split.candidate_bp:
                share = format_percent(now.split.candidate_bp)
                return _no_effect(request, "rejected", f"the way back never raises a share: it is {share} already.")
            await self._intend(now, request, desired)
            if step and plan.lease is not None:
                await leases_of(target).lease(
                    plan.member,
                    lease_id=plan.rollout_id,
                    cap_bp=desired.candidate_bp,
                    seconds=plan.lease.total_seconds(),
                )
            done = await target.set(
                plan.member,
                desired,
                idempotency_key=plan.key(step),
                fence=plan.fence(step),
                expected_revision=request.revision,
            )
        except TargetUnavailable as error:
            raise ApplicationError(str(error), type="TargetUnavailable") from error
        except TargetRejected as error:
            return _no_effect(request, "rejected", str(error))
        except TargetAmbiguous as error:
            return _no_effect(request, "ambiguous", str(error))
        return RolloutOutcome(
            rollout_id=plan.rollout_id, step=step, result=done.result, after=done.after, sentence=_sentence(done)
        )

    async def _intend(self, before: TargetState, request: SetShare, desired: Split) -> None:
        plan, key = request.plan, request.plan.key(request.step)
        if await self._ledger.find(f"{key}/intent") is not None:
            return
        intent = RolloutIntent(
            rollout_id=plan.rollout_id,
            step=request.step,
            desired=desired,
            before=before,
            key=key,
            fence=plan.fence(request.step),
            plan_digest=plan.digest,
            lease_id=plan.rollout_id if request.step and plan.lease is not None else None,
        )
        await self._ledger.append(intent.entry(f"{key}/intent", "worker", release_id=plan.release_id))

    @activity.defn(name="end_rollout")
    async def end_rollout(self, request: EndRollout) -> RolloutEnded:
        """Read back the state it has to end with, give the lease back, and record how it ended.

        A target that holds a lease may still go back by itself: that is waited for, and then for traffic that shows it.
        What cannot be read or seen was not restored, and what was not restored is not `done`.
        """
        plan = request.plan
        key = ids.rollout_record(plan.rollout_id, "ended")
        known = await self._ledger.find(key)
        if known is not None:
            return RolloutEnded.model_validate(known.body)
        shown = request.signals if request.outcome == "done" else None
        if unfounded := await self._proof.unfounded(plan, shown, request.wanted):
            raise ApplicationError(unfounded, non_retryable=True)
        seen, same, why = None, False, ""
        if request.wanted is not None:
            async with heartbeating():
                seen, why = await self._read_back(plan, request.wanted)
                if seen is not None and seen == request.wanted and seen.known:
                    same, shows = await self._shows(plan, seen.split)
                    why = f"{why} {shows}"
        lacking = request.wanted is not None and not same
        stays = request.outcome == "done" and not (lacking or plan.goes_back or plan.unmoved)
        ended = RolloutEnded(
            rollout_id=plan.rollout_id,
            kind=plan.kind,
            environment=plan.environment,
            member=plan.member.name,
            candidate_digest=plan.candidate.digest,
            outcome="doubtful" if lacking and request.outcome == "done" else request.outcome,
            sentence=f"{request.sentence} {why}".strip(),
            restored=same if request.wanted is not None else None,
            wanted_digest=request.wanted.digest if request.wanted else None,
            seen_digest=seen.digest if seen else None,
            signals=request.signals,
            candidate_bp=plan.ends_with.split.candidate_bp if stays else None,
            candidate_parts=Version.of(plan.candidate).parts,
        )
        await self._ledger.append(ended.entry(key, "worker", release_id=plan.release_id))
        return ended

    async def _read_back(self, plan: RolloutPlan, wanted: ServedState) -> tuple[ServedState | None, str]:
        """What users get in the end, and in words whether that is as wanted."""
        deadline = self._clock() + (plan.lease or timedelta()) + _GRACE
        while True:
            seen, why = None, ""
            try:
                target = self._targets(plan.member.target)
                if plan.lease is not None and (await target.read(plan.member)).split == wanted.split:
                    with suppress(TargetRejected):  # it ended by itself
                        await leases_of(target).release(plan.member, plan.rollout_id)
                _, seen = await served(target, plan.member)
            except (TargetUnavailable, TargetRejected) as error:
                why = f"What users get now cannot be read: {error}."
            if seen == wanted:
                share = format_percent(wanted.split.candidate_bp)
                if seen.known:
                    return seen, f"Read back: candidate {share} of users, both versions as wanted."
                return seen, f"Read back: candidate {share} of users; the target does not say what each arm serves."
            if self._clock() >= deadline:
                if seen is not None:
                    shows, due = (format_percent(one.split.candidate_bp) for one in (seen, wanted))
                    why = f"The target shows {shows} candidate, and {due} is due, or other versions. Look now."
                return seen, why
            await asyncio.sleep(_POLL.total_seconds())

    async def _shows(self, plan: RolloutPlan, wanted: Split) -> tuple[bool, str]:
        """Whether traffic shows this share in the end, and that in words (TGT-9)."""
        policy = (await self._catalogue.playbook(plan.playbook_digest)).revert.traffic
        target = self._targets(plan.member.target)
        await asyncio.sleep(policy.settle.total_seconds())
        deadline = self._clock() + policy.time_limit
        while True:
            waiting = self._clock() < deadline
            seen = await traffic(target, plan.member, wanted, policy, waiting=waiting)
            if seen.word is CheckWord.passed:
                return True, f"Traffic: {seen.sentence}"
            if seen.word is CheckWord.failed or not waiting:
                return False, f"Traffic does not show it: {seen.sentence} Look now."
            await asyncio.sleep(_POLL.total_seconds())


def _sentence(done: SetOutcome) -> str:
    share, revision = format_percent(done.after.split.candidate_bp), done.after.revision
    if done.result == "conflict":
        return f"somebody changed the split to {share} candidate (revision {revision}); not overwritten."
    return f"candidate {'now' if done.result == 'applied' else 'was already'} {share} of users (revision {revision})."


def _no_effect(request: SetShare, result: Literal["rejected", "ambiguous", "handed_over"], why: str) -> RolloutOutcome:
    return RolloutOutcome(
        rollout_id=request.plan.rollout_id, step=request.step, result=result, after=None, sentence=why
    )
