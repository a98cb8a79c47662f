"""One stage of the way back: recheck, intent → set → read back → outcome, traffic, integrity checks.

`set_stage` may run any number of times for one stage: the idempotency key and the target's own state make the
effect happen once, and a crash between effect and outcome ends as `recovered` (I7, I8, REL-4).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.eligible import EligibleVersions
from activities.evidence_ports import Heads, NoCheckpoints, checkpoint_soon
from activities.heartbeat import heartbeating
from activities.lately import Lately
from activities.marking import MarkingActivities
from activities.planning import Recheck
from activities.ports import (
    KeyRing,
    Ledger,
    RoleDirectory,
    TargetAmbiguous,
    TargetRejected,
    Targets,
    TargetUnavailable,
)
from countermand import ids
from countermand.governance import execution
from countermand.governance.approval import ApprovalState, Ask
from countermand.governance.decision import Refusal, Refused
from countermand.governance.directory import Directory
from countermand.governance.freeze_proof import KINDS as FREEZE_KINDS
from countermand.governance.freeze_proof import lacking_freeze
from countermand.governance.gating import fired
from countermand.governance.past import NotKnown
from countermand.governance.proof import lacking_approval, lacking_break_glass, lacking_undo
from countermand.governance.rights import Action
from countermand.governance.shipped import rights_in_force
from countermand.ledger.bodies import (
    GateDecided,
    StageIntent,
    StageOutcome,
    VerdictChanged,
    VersionQuarantined,
    parse_body,
)
from countermand.ledger.record import Entry, Kind
from countermand.plan.evidence import short_revision
from countermand.plan.model import Moving, Plan, Position
from countermand.plan.target import SetOutcome, Split, TargetState, Value
from countermand.playbook.model import Severity


class RecheckRequest(Value):
    """`revisions`: what members must still say, by position in the plan: the Plan's before the first stage, ours
    afterwards; None when a person resumes after an unclear write, where `set` itself compares. Without an ask the plan
    rests on break-glass, which `set_stage` proves from the Ledger, or on a standing authorisation."""

    plan: Plan
    ask: Ask | None
    approval: ApprovalState | None
    revisions: dict[int, str | None]
    first: bool
    glass: str | None = None


class SetRequest(Value):
    """`member`: position in the plan's members. `key` names the effect and never an attempt; `attempt` counts people's
    resumes. `expected_revision` None: after an unclear write, the fence protects instead. What carries the plan is
    `ask_id`, or `glass`: the id of the decision that broke it."""

    plan: Plan
    ask_id: str | None
    revert: int
    stage: int
    desired: Split
    key: str
    fence: int
    expected_revision: str | None
    attempt: int
    glass: str | None = None
    member: Position = 0


class StagingActivities:
    """Ports: Targets, Ledger, RoleDirectory, KeyRing, Heads; a clock."""

    def __init__(
        self,
        targets: Targets,
        ledger: Ledger,
        people: RoleDirectory,
        keys: KeyRing,
        clock: Callable[[], datetime],
        heads: Heads | None = None,
    ) -> None:
        self._targets = targets
        self._ledger = ledger
        self._people = people
        self._keys = keys
        self._lately = Lately(ledger, keys)
        self._eligible = EligibleVersions(ledger, keys, clock)
        self._marking = MarkingActivities(targets, ledger)
        self._clock = clock
        self._heads = heads or NoCheckpoints()

    @activity.defn(name="recheck")
    async def recheck(self, request: RecheckRequest) -> Recheck:
        """Before an effect: same Plan as approved, people still in their roles, baseline still eligible, targets as we
        left them (GOV-4, 10, 45)."""
        plan = request.plan
        if request.ask is not None and plan.digest != request.ask.plan_digest:
            return Recheck(word="stale", sentence="the plan is not the one that was approved.")
        if request.first and (lacking := await self._no_longer(request)):
            return Recheck(word="stale", sentence=lacking)
        if lost := await self._not_eligible(plan):
            return Recheck(word="stale", sentence=lost)
        for position, revision in request.revisions.items():
            if stop := await self._changed(plan.members[position], revision, first=request.first):
                return stop
        return Recheck(word="go", sentence="plan, people and target are as approved.")

    async def _changed(self, moving: Moving, revision: str | None, *, first: bool) -> Recheck | None:
        """Why this member may not be moved now; None when it is as we left it and ready."""
        try:
            target = self._targets(moving.member.target)
            state = await target.read(moving.member)
            preflight = await target.preflight(moving.member, Split.candidate(0))
        except TargetUnavailable as error:
            raise ApplicationError(str(error), type="TargetUnavailable") from error
        except TargetRejected as error:
            return Recheck(word="stop", sentence=str(error))
        if revision is not None and state.revision != revision:
            return Recheck(
                word="stale" if first else "stop",
                sentence=f"somebody changed {moving.name} since: {moving.says(state.split)}, "
                f"revision {short_revision(state.revision)} instead of {short_revision(revision)}.",
            )
        if not preflight.ready:
            return Recheck(word="stop", sentence="the destination is not ready: " + "; ".join(preflight.problems))
        return None

    async def _not_eligible(self, plan: Plan) -> str:
        """Why users may not be sent to the plan's baseline now; empty when they may."""
        governance = (await self._people.snapshot()).governance
        return await self._eligible.lacking(plan.baseline, plan.service, plan.environment, governance)

    async def _no_longer(self, request: RecheckRequest) -> str:
        """Why what the plan rests on does not hold any more; empty when it does."""
        plan, directory = request.plan, await self._people.snapshot()
        if request.ask is not None and request.approval is not None:
            try:
                execution.consume(request.ask, request.approval, plan.digest, directory, self._clock())
            except Refused as refused:
                if refused.code is Refusal.directory_unavailable:
                    raise ApplicationError(str(refused), type="DirectoryUnavailable") from refused
                return refused.detail
            if request.approval.basis == "votes":
                return ""
        if request.glass is not None:
            return ""
        return await self._lacking_standing(plan, directory)

    @activity.defn(name="set_stage")
    async def set_stage(self, request: SetRequest) -> StageOutcome:
        """Intent, effect with read-back, outcome. Raises only when trying again may help."""
        outcome_key = f"{request.key}/outcome/{request.attempt}"
        done = await self._ledger.find(outcome_key)
        if done is not None:
            return StageOutcome.model_validate(done.body)
        plan = request.plan
        back = request.stage != ids.REVERSE_STAGE
        lacking = _not_planned(request) or await self._lacking(request, undo=not back)
        if not lacking and back:
            lacking = await self._not_eligible(plan)
        if lacking:
            outcome = _no_effect(request, "rejected", lacking)
        else:
            async with heartbeating():
                outcome = await self._effect(request)
        entries = [outcome.entry(outcome_key, "worker", incident_id=plan.incident_id, release_id=plan.release_id)]
        if back and outcome.result in ("applied", "already"):
            entries += await self._quarantine(plan)
        await self._ledger.append(*entries)
        if len(entries) > 1:
            await self._marking.mark(plan, "quarantined")
        return outcome

    async def _quarantine(self, plan: Plan) -> list[Entry]:
        """That the candidate is in quarantine, with the first stage that took effect; nothing when it stands (GOV-47).

        Triggers that fired and that no gate passed on are about fairness, or nobody knows that they are not.
        """
        key = ids.version_quarantined(plan.incident_id, plan.candidate.digest)
        if await self._ledger.find(key) is not None:
            return []
        kinds = [Kind.verdict, Kind.gate_decided]
        bodies = [parse_body(one) for one in await self._ledger.records(incident_id=plan.incident_id, kinds=kinds)]
        triggers = {one.trigger for one in fired([body for body in bodies if isinstance(body, VerdictChanged)])}
        others = {name for body in bodies if isinstance(body, GateDecided) for name in body.triggers}
        candidate = plan.candidate
        body = VersionQuarantined(
            digest=candidate.digest,
            name=candidate.name,
            environment=plan.environment,
            members={part: getattr(candidate, part) for part in candidate.differs_from(plan.baseline)},
            fairness=not triggers <= others,
        )
        return [body.entry(key, "worker", incident_id=plan.incident_id, release_id=plan.release_id)]

    async def _effect(self, request: SetRequest) -> StageOutcome:
        member = request.plan.members[request.member].member
        known = await self._ledger.find(f"{request.key}/intent")
        try:
            target = self._targets(member.target)
            before = await target.read(member)
            if raised := _raised(request, before):
                return _no_effect(request, "rejected", raised)
            if known is None:
                await self._record_intent(request, before)
                if request.stage == request.plan.stages[0].number:
                    await checkpoint_soon(self._heads)
            done = await target.set(
                member,
                request.desired,
                idempotency_key=request.key,
                fence=request.fence,
                expected_revision=request.expected_revision,
            )
            return _outcome(request, done, recovered=known is not None)
        except TargetUnavailable as error:
            raise ApplicationError(str(error), type="TargetUnavailable") from error
        except TargetRejected as error:
            return _no_effect(request, "rejected", str(error), error.raw_sha256)
        except TargetAmbiguous as error:
            return _no_effect(request, "ambiguous", str(error))

    async def _lacking(self, request: SetRequest, *, undo: bool) -> str:
        """Why the Ledger holds nothing that carries this effect; empty when it does (I2). `undo`: it brings back the
        state before the plan.

        Nothing in the request is believed: the request for approval and its end, the use of break-glass or the gate
        and its standing authorisation, and the signed decisions are read from the Ledger, and signatures are checked
        with this worker's own keys, so that starting workflows by hand effects nothing.
        """
        plan, keys = request.plan, self._keys.gateway_keys()
        kinds = [Kind.ask_opened, Kind.ask_closed, Kind.decision, Kind.glass_broken, *FREEZE_KINDS]
        records = await self._ledger.records(incident_id=plan.incident_id, kinds=kinds)
        directory = await self._people.snapshot()
        if request.glass is None and (unsafe := lacking_freeze(records, keys, directory)):
            return unsafe
        if undo:
            writes = [Kind.stage_intent, Kind.stage_outcome, Kind.rollout_intent]
            written = await self._ledger.records(release_id=plan.release_id, kinds=writes)
            in_order = sorted((*records, *written), key=lambda one: one.seq)
            if lacking := lacking_undo(plan, in_order, keys, directory):
                return lacking
        by_votes = "nobody was asked to vote on this plan."
        if request.ask_id is not None:
            by_votes = lacking_approval(plan.digest, request.ask_id, records, keys)
        if not by_votes:
            return ""
        if request.glass is not None:
            right = rights_in_force(directory.governance).row(Action.break_glass, Severity.sev1)
            return lacking_break_glass(plan, request.glass, records, keys, directory, right)
        by_standing = await self._lacking_standing(plan, directory, undo=undo)
        return by_standing and f"{by_votes} {by_standing}"

    async def _lacking_standing(self, plan: Plan, directory: Directory, *, undo: bool = False) -> str:
        try:
            return await self._lately.lacking(plan, directory, self._clock(), undo=undo)
        except NotKnown as error:
            return f"what ran under standing authorisations lately is not known: {error}."

    async def _record_intent(self, request: SetRequest, before: TargetState) -> None:
        plan = request.plan
        intent = StageIntent(
            revert=request.revert,
            stage=request.stage,
            desired=request.desired,
            before=before,
            key=request.key,
            fence=request.fence,
            plan_digest=plan.digest,
            member=plan.follower(request.member),
        )
        await self._ledger.append(
            intent.entry(f"{request.key}/intent", "worker", incident_id=plan.incident_id, release_id=plan.release_id)
        )


def _not_planned(request: SetRequest) -> str:
    """Why the plan has no such step, whoever asks for it; empty when it has."""
    plan, number = request.plan, request.stage
    if request.member >= len(plan.members):
        return f"the plan has no member at {request.member!r}; it has {len(plan.members)}."
    moving = plan.members[request.member]
    wanted = moving.before if number == ids.REVERSE_STAGE else None
    for stage in plan.stages:
        if stage.number == number and request.member in plan.due(number):
            wanted = plan.desired(stage, request.member)
    if request.desired != wanted:
        return f"the plan does not ask for this: {moving.name} {moving.says(request.desired)} in stage {number!r}."
    fence = ids.fence(moving.before_fence, number)  # a higher one would overtake plans that came later
    return "" if request.fence == fence else f"fence {request.fence!r} is not the one of stage {number!r}: {fence}."


def _raised(request: SetRequest, now: TargetState) -> str:
    """That a stage of the way back would give users to the candidate; empty when it would not."""
    if request.stage == ids.REVERSE_STAGE or request.desired.candidate_bp <= now.split.candidate_bp:
        return ""
    moving = request.plan.members[request.member]
    return f"a stage never raises the candidate's share: {moving.name} is at {moving.says(now.split)} already."


def _outcome(request: SetRequest, done: SetOutcome, *, recovered: bool) -> StageOutcome:
    moving = request.plan.members[request.member]
    says, revision = moving.says(done.after.split), short_revision(done.after.revision)
    match done.result:
        case "applied":
            sentence = f"{moving.name} now: {says}, read back (revision {revision})."
        case "already":
            who = {"our_key": "by this stage before a crash", "external": "by somebody else"}.get(done.by, "by unknown")
            sentence = f"{moving.name} already: {says}, {who} (revision {revision})."
        case "conflict":
            sentence = f"somebody changed {moving.name} to: {says} (revision {revision}); not overwritten."
    return StageOutcome(
        revert=request.revert,
        stage=request.stage,
        result=done.result,
        by=done.by,
        recovered=recovered and done.result == "already" and done.by == "our_key",
        after=done.after,
        sentence=sentence,
        member=request.plan.follower(request.member),
    )


def _no_effect(
    request: SetRequest, result: Literal["rejected", "ambiguous"], why: str, raw_sha256: str | None = None
) -> StageOutcome:
    return StageOutcome(
        revert=request.revert,
        stage=request.stage,
        result=result,
        by="unknown",
        recovered=False,
        after=None,
        sentence=why,
        member=request.plan.follower(request.member),
        raw_sha256=raw_sha256,
    )
